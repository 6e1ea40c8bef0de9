// Reads events and prints them, resuming after the last position it knows when the connection was lost.

import type { Event } from '../../../generated/madeleine/v1/event.js';
import type { ReadEventsRequest, ReadEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { eventJson, eventLine } from '../text/event-json.js';
import { assertInForce } from './filter-echo.js';
import { type FrameResult, KeptStream } from './reconnect.js';
import type { Session } from './run.js';

export interface EventReaderOptions {
  readonly session: Session;
  readonly request: Partial<ReadEventsRequest>;
  /** How many events to stop after. */
  readonly limit?: number;
}

export class EventReader {
  readonly #session: Session;
  readonly #request: Partial<ReadEventsRequest>;
  #left: number;
  /** The position up to which everything was printed or does not match. */
  #position: bigint;
  /** Whether the next frame is the first one of its stream. */
  #isFirst = true;

  constructor({ session, request, limit }: EventReaderOptions) {
    this.#session = session;
    this.#request = request;
    this.#left = limit ?? Number.POSITIVE_INFINITY;
    this.#position = request.afterPosition ?? 0n;
  }

  /** Resolves at the end, which a reader that follows only reaches by its limit or by Ctrl-C. */
  async run(): Promise<void> {
    const { client, signal, output } = this.#session;
    const stream = new KeptStream<ReadEventsResponse>({
      open: () => {
        this.#isFirst = true;
        return client.events.readEvents({ ...this.#request, afterPosition: this.#position }, { signal });
      },
      onFrame: (frame) => this.#onFrame(frame),
      endless: this.#request.follow === true,
      signal,
      output,
    });
    await stream.run();
  }

  async #onFrame(response: ReadEventsResponse): Promise<FrameResult> {
    if (this.#isFirst) this.#assertOpened(response);
    const { events, frame } = response;
    const wanted = events.slice(0, this.#left);
    await printEvents(this.#session, wanted);
    this.#position = wanted.at(-1)?.position ?? this.#position;
    this.#left -= wanted.length;
    if (this.#left <= 0) return 'done';
    if (frame?.$case === 'gap') {
      const { firstPosition, lastPosition } = frame.value;
      this.#session.output.notice(`events of positions ${firstPosition} to ${lastPosition} are deleted`);
    } else if (frame !== undefined && frame.$case !== 'opened') {
      this.#position = frame.value.position;
    }
    return frame?.$case === 'goingAway' ? 'again' : 'more';
  }

  /** Throws before anything is printed that was not asked for. */
  #assertOpened({ frame }: ReadEventsResponse): void {
    this.#isFirst = false;
    assertInForce(this.#request.filter, frame?.$case === 'opened' ? frame.value.filter : undefined);
  }
}

export async function printEvents({ output }: Session, events: readonly Event[]): Promise<void> {
  const lines = events.map((event) => (output.json ? eventJson(event) : eventLine(event, output.columns)));
  if (lines.length > 0) await output.line(lines.join('\n'));
}
