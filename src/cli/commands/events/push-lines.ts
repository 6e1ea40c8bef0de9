// The bulk path of `madeleine push`: lines of stdin in batches, many in flight, sent again after a lost connection.

import { Status } from 'nice-grpc';
import type { NewEvent } from '../../../../generated/madeleine/v1/event.js';
import { EventError, PushReceipt } from '../../../../generated/madeleine/v1/event_service.js';
import { isJsonContentType } from '../../../domain/events/event.js';
import { Uuid7Source } from '../../../lib/uuid7.js';
import { type Batch, BatchPusher, type LineEvent } from '../../connection/batch-pusher.js';
import { CommandFailed } from '../../connection/failures.js';
import type { Line } from '../../connection/line-batches.js';
import type { Session } from '../../connection/run.js';
import { stdinLines } from '../../connection/stdin-lines.js';
import { messageJson } from '../../text/event-json.js';
import { isWideText, textProblem, withoutMark } from '../../text/input-text.js';
import { parseNewEvent } from '../../text/new-event-json.js';
import { type EnvelopeFlags, newEvent, withFlags } from './event-options.js';
import { PushProgress } from './push-progress.js';
import { eventErrorText, outcomeText } from './push-text.js';

/** A batch is sent when its payloads pass this size: a request may have 4 MiB. */
const BATCH_BYTES = 1024 * 1024;
const MAX_LINE_BYTES = 3 * 1024 * 1024;

export interface PushLinesFlags extends EnvelopeFlags {
  readonly events?: true;
  readonly batch: number;
  readonly epoch?: bigint;
}

/** Pushes every line of stdin; throws CommandFailed at the end if some were refused. */
export async function pushLines(session: Session, flags: PushLinesFlags): Promise<void> {
  const { client, output, signal, stdin, stderr } = session;
  const progress = new PushProgress({ stdin, stderr });
  const totals = new Totals();
  const refuse = async (line: number, sentence: string, json: string) => {
    totals.refused += 1;
    if (output.json) await output.line(`{"line":${line},"error":${json}}`);
    else progress.interject(() => output.notice(`line ${line}: ${sentence}`));
  };
  const pusher = new BatchPusher({
    client,
    signal,
    streamEpoch: flags.epoch,
    onRetry: (why) => progress.interject(() => output.notice(`${why}; sending again what was not answered`)),
    onResults: async (batch, results) => {
      for (const [index, { line, event }] of batch.events.entries()) {
        const { result } = results[index] ?? {};
        if (result?.$case === 'error') {
          const error = EventError.fromPartial(result.value);
          await refuse(line, eventErrorText(error), messageJson(EventError, error));
        } else if (result?.$case === 'receipt') {
          totals.add(outcomeText(result.value.outcome));
          const receipt = { ...result.value, messageId: event.messageId ?? result.value.messageId };
          if (output.json) await output.line(`{"line":${line},${messageJson(PushReceipt, receipt).slice(1)}`);
        }
      }
      progress.advance(batch.events.length, batch.bytes);
    },
  });
  try {
    await pusher.run(batchesOf(session, flags, refuse));
  } finally {
    progress.stop();
  }
  if (!output.json) await output.line(totals.text());
  if (totals.refused > 0) throw new CommandFailed(refusedText(totals));
}

/** How many were refused; whoever gave one text of several lines meant something else. */
function refusedText({ refused, all }: Totals): string {
  const hint =
    refused === all && all > 1 ? ': each line of stdin is one by itself, --file takes one of several lines' : '';
  return `${refused} of ${all} ${all === 1 ? 'event was' : 'events were'} refused${hint}`;
}

type Refuse = (line: number, sentence: string, json: string) => Promise<void>;

/** The lines as batches of events; lines that are no events are refused here. */
async function* batchesOf(session: Session, flags: PushLinesFlags, refuse: Refuse): AsyncGenerator<Batch> {
  const messageIds = new Uuid7Source(Date.now);
  const news = `reads ${flags.events === true ? 'events' : 'payloads'} from stdin, one a line`;
  for await (const lines of stdinLines(session, news, { maxLines: flags.batch, maxBytes: BATCH_BYTES })) {
    const events: LineEvent[] = [];
    for (const line of lines) {
      const event = await eventOrRefusal(line, flags, refuse);
      if (event !== undefined) events.push({ line: line.number, event: { messageId: messageIds.next(), ...event } });
    }
    if (events.length > 0) yield { events, bytes: lines.reduce((sum, { bytes }) => sum + bytes.byteLength + 1, 0) };
  }
}

async function eventOrRefusal(
  line: Line,
  flags: PushLinesFlags,
  refuse: Refuse,
): Promise<Partial<NewEvent> | undefined> {
  try {
    return lineEvent(line, flags);
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    const { message } = error as Error;
    const json = JSON.stringify({ code: Status.INVALID_ARGUMENT, reason: 'FIELD_INVALID', message });
    await refuse(line.number, message, json);
    return undefined;
  }
}

/** The event of a line, or undefined where there is only a byte order mark. Lines of other types than JSON are bytes as they came. */
function lineEvent({ number, bytes }: Line, flags: PushLinesFlags): Partial<NewEvent> | undefined {
  if (bytes.byteLength > MAX_LINE_BYTES) throw new Error('the line is longer than a request may be');
  if (flags.events !== true && !isJsonContentType(flags.contentType ?? '')) return newEvent(flags, bytes);
  // Cut at each byte 10, it would be refused line by line.
  if (number === 1 && isWideText(bytes)) throw new CommandFailed(`stdin ${textProblem(bytes)}`);
  // One stands before the lines of each file that went into the pipe.
  const text = withoutMark(bytes);
  const problem = textProblem(text);
  if (problem !== undefined) throw new Error(`the line ${problem}`);
  if (text.byteLength === 0) return undefined;
  return flags.events === true ? withFlags(parseNewEvent(text.toString()), flags) : newEvent(flags, text);
}

/** Counts what became of the events. */
class Totals {
  readonly #outcomes = new Map<string, number>();
  readonly #startedMs = performance.now();
  refused = 0;

  add(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  get all(): number {
    return [...this.#outcomes.values()].reduce((sum, n) => sum + n, this.refused);
  }

  /** Returns a summary such as `329 events in 0.4 s: 329 occurred, 0 refused`. */
  text(): string {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    const parts = [...this.#outcomes].map(([outcome, n]) => `${n} ${outcome}`);
    return `${this.all} ${this.all === 1 ? 'event' : 'events'} in ${seconds} s: ${[...parts, `${this.refused} refused`].join(', ')}`;
  }
}
