// `madeleine push`: one event from an argument or a file, or many as NDJSON from stdin.

import type { Command } from 'commander';
import { type PushEventResponse, PushReceipt } from '../../../../generated/madeleine/v1/event_service.js';
import { isJsonContentType } from '../../../domain/events/event.js';
import { Uuid7Source } from '../../../lib/uuid7.js';
import { UsageError } from '../../connection/failures.js';
import { readBytes, readTextFile } from '../../connection/files.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageJson } from '../../text/event-json.js';
import { withoutMark } from '../../text/input-text.js';
import type { Seconds } from '../../text/time-text.js';
import { count, defined, description, duration, positiveUint64, time, uint64 } from '../../text/values.js';
import { addEnvelopeFlags, type EnvelopeFlags, newEvent } from './event-options.js';
import { pushLines } from './push-lines.js';
import { outcomeText, receiptLine } from './push-text.js';

interface PushFlags extends ClientOptions, EnvelopeFlags {
  readonly file?: string;
  readonly events?: true;
  readonly expectedSequence?: bigint;
  readonly epoch?: bigint;
  readonly batch: number;
  readonly description?: Readonly<Record<string, unknown>>;
  readonly waitTimeout?: Seconds;
  readonly since?: Seconds;
}

const HELP = `
A payload is JSON unless --content-type says otherwise; it is stored as the text or bytes given. JSON is UTF-8: other bytes are
refused, and a byte order mark before it is left out.
Without a payload and without --file, each line of stdin is a payload (with --events: an event as JSON, such as
\`madeleine read --json\` prints; flags replace what it says). Message ids are minted here, so that what was
not answered is sent again safely after a lost connection.
With a description and no payload, the event is looked for, and awaited if it did not occur; \`madeleine expect\` waits for it.
With both, the payload has to contain the description, and no event may have occurred by an equal one.

Examples:
  $ madeleine push --topic orders --stream order-7 --issuer shop '{"total": 12.5}'
  $ madeleine push --topic invoices --issuer billing --content-type application/pdf --file invoice.pdf
  $ madeleine push --topic clicks --issuer web < clicks.ndjson
  $ madeleine push --topic orders --issuer billing --description '{"order": 7, "paid": true}' --wait-timeout 2d
  $ madeleine push --topic orders --issuer shop --description '{"order": 7}' '{"order": 7, "total": 12.5}'
  $ madeleine read --topic orders --json | madeleine push --events --context copy`;

export function pushCommand(deps: CliDeps): Command {
  return addEnvelopeFlags(clientCommand('push', 'push events'))
    .argument('[payload]', 'the payload of one event')
    .option('--file <path>', 'take the payload of one event from a file')
    .option('--events', 'each line of stdin is an event as JSON, not a payload')
    .option('--description <json>', 'part of a payload by which the event is recognised; one event only', description)
    .option(
      '--wait-timeout <duration>',
      'how long an event without payload is awaited (default 30d, at most 365d)',
      duration,
    )
    .option('--since <time>', 'an event without payload is looked for after this time (default 30d ago)', time)
    .option('--expected-sequence <n>', 'refuse unless the stream is at this sequence; one event only', uint64)
    .option(
      '--epoch <n>',
      'refuse unless the stream is in this epoch: that in which it was given to the issuer',
      positiveUint64,
    )
    .option('--batch <n>', 'events a batch when reading stdin', count, 100)
    .addHelpText('after', HELP)
    .action(async (payload: string | undefined, flags: PushFlags) => {
      const single = payload !== undefined || flags.file !== undefined || flags.description !== undefined;
      checkFlags(payload, flags, single, deps);
      await runClient(
        deps,
        flags,
        async (session) => {
          if (single) await pushOne(session, flags, await singlePayload(payload, flags));
          else await pushLines(session, flags);
        },
        { unread: 'go on' },
      );
    });
}

function checkFlags(payload: string | undefined, flags: PushFlags, single: boolean, deps: CliDeps): void {
  if (payload !== undefined && flags.file !== undefined) throw new UsageError('give a payload or --file, not both');
  if (single) checkSingle(payload, flags);
  else checkLines(flags, deps);
  if (flags.events !== true && flags.topic === undefined) throw new UsageError('--topic is required');
  if (flags.events !== true && flags.issuer === undefined) throw new UsageError('--issuer is required');
}

function checkSingle(payload: string | undefined, { events, file, waitTimeout, since }: PushFlags): void {
  if (events === true) throw new UsageError('--events reads stdin: give no payload, no --file and no --description');
  const occurs = payload !== undefined || file !== undefined;
  if (occurs && (waitTimeout !== undefined || since !== undefined)) {
    throw new UsageError('--wait-timeout and --since are for a --description without a payload');
  }
}

function checkLines({ messageId, expectedSequence, waitTimeout, since, batch }: PushFlags, deps: CliDeps): void {
  if (messageId !== undefined || expectedSequence !== undefined) {
    throw new UsageError('--message-id and --expected-sequence are for one event: give a payload or --file');
  }
  if (waitTimeout !== undefined || since !== undefined) {
    throw new UsageError('--wait-timeout and --since are for a --description without a payload');
  }
  if (batch > 1000) throw new UsageError('--batch is 1000 at most');
  const stdin = (deps.stdin ?? process.stdin) as Partial<NodeJS.ReadStream>;
  if (stdin.isTTY === true) throw new UsageError('give a payload, --file, --description, or lines on stdin');
}

async function singlePayload(payload: string | undefined, flags: PushFlags): Promise<Uint8Array | undefined> {
  const { file, contentType = '' } = flags;
  const isText = isJsonContentType(contentType);
  if (file !== undefined) return isText ? readTextFile(file) : readBytes(file);
  if (payload === undefined) return undefined;
  return isText ? withoutMark(Buffer.from(payload)) : Buffer.from(payload);
}

async function pushOne({ client, output }: Session, flags: PushFlags, data: Uint8Array | undefined): Promise<void> {
  const { expectedSequence, epoch: streamEpoch, description, waitTimeout, since } = flags;
  const messageId = flags.messageId ?? new Uuid7Source(Date.now).next();
  const event = { ...newEvent(flags, data), messageId, ...defined({ description }) };
  const request = { event, ...defined({ expectedSequence, streamEpoch, waitTimeout, since }) };
  const response = await client.call((options) => client.events.pushEvent(request, options));
  const receipt = receiptOf(response);
  await output.line(
    output.json
      ? messageJson(PushReceipt, receipt)
      : receiptLine(outcomeText(receipt.outcome), receipt, flags.stream ?? response.event?.stream ?? ''),
  );
}

function receiptOf({ event, outcome }: PushEventResponse): PushReceipt {
  const { id = 0n, position = 0n, sequence = 0n, messageId = '', createdAt } = event ?? {};
  return { id, position, sequence, outcome, createdAt, messageId };
}
