// Waits for one event: says that it waits, waits again after a lost connection, and tells how it ended.

import type { WaitForEventResponse } from '../../../../generated/madeleine/v1/cawin_service.js';
import { type Event, EventStatus, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { systemClock } from '../../../lib/clock.js';
import { Deadline } from '../../../lib/deadline.js';
import type { Millis } from '../../../units.js';
import { answered } from '../../connection/calls.js';
import { isAborted } from '../../connection/client.js';
import { CommandFailed, ExitCode } from '../../connection/failures.js';
import { KeptStream } from '../../connection/reconnect.js';
import type { Session } from '../../connection/run.js';
import { eventJson, eventLine } from '../../text/event-json.js';
import { timestampText } from '../../text/time-text.js';

const { EVENT_STATUS_AWAITED: AWAITED, EVENT_STATUS_OCCURRED: OCCURRED } = EventStatus;
const { PAYLOAD_ENCODING_BYTES: BYTES } = PayloadEncoding;

export interface ExpectationOptions {
  readonly session: Session;
  /** How long to wait here, in milliseconds; without it as long as the event is awaited. */
  readonly timeoutMs: Millis | undefined;
  /** The command line that waits for an event again. */
  readonly again: (id: bigint) => string;
}

export class Expectation {
  readonly #options: ExpectationOptions;
  /** The event since it is known to be awaited. */
  #awaited: Event | undefined;

  constructor(options: ExpectationOptions) {
    this.#options = options;
  }

  /** What is said when the command is interrupted. */
  get farewell(): string {
    return this.#awaited === undefined
      ? 'no longer waiting'
      : `no longer waiting here; ${this.#goOnText(this.#awaited)}`;
  }

  /**
   * Resolves when the event occurred and was printed; throws CommandFailed with an exit code of its own when it did not, and the reason
   * of the session's signal when that is first.
   */
  async run(id: bigint): Promise<void> {
    const { output } = this.#options.session;
    const now = await this.#current(id);
    const event = now.status === AWAITED ? await this.#end(now) : now;
    if (output.json && event.status !== AWAITED) await output.line(eventJson(event));
    if (event.status !== OCCURRED) throw this.#failure(event);
    if (!output.json) await output.line(eventLine(event, output.columns));
  }

  async #current(id: bigint): Promise<Event> {
    const { client } = this.#options.session;
    const request = { key: { $case: 'id', value: id } as const, payloadEncoding: BYTES };
    const { event } = await client.call((options) => client.events.getEvent(request, options));
    return answered(event);
  }

  /** The event at its end, or as it was given if the time is over first. */
  async #end(awaited: Event): Promise<Event> {
    const { session, timeoutMs } = this.#options;
    const { client, output } = session;
    this.#awaited = awaited;
    output.notice(`event ${awaited.id} is awaited until ${timestampText(awaited.expiresAt)}`);
    const deadline = timeoutMs === undefined ? undefined : new Deadline(systemClock, timeoutMs);
    const signal = deadline === undefined ? session.signal : AbortSignal.any([session.signal, deadline.signal]);
    let last = awaited;
    // Its state comes at once, too: so a connection that was made again is noticed before the event ends.
    const request = { eventId: awaited.id, payloadEncoding: BYTES };
    const stream = new KeptStream<WaitForEventResponse>({
      open: () => client.cawins.waitForEvent(request, { signal }),
      onFrame: async ({ event = last, ended }) => {
        last = event;
        return ended ? 'done' : 'more';
      },
      endless: true,
      signal,
      output,
    });
    try {
      await stream.run();
    } catch (error) {
      if (!isAborted(error, signal)) throw error;
    } finally {
      deadline?.dispose();
    }
    if (last.status === AWAITED && deadline?.signal.aborted !== true) session.signal.throwIfAborted();
    return last;
  }

  #failure(event: Event): CommandFailed {
    const { id, status, expiresAt, invalidationReason: reason } = event;
    const until = timestampText(expiresAt);
    if (status === EventStatus.EVENT_STATUS_EXPIRED) {
      return new CommandFailed(`event ${id} did not occur before ${until}`, { exitCode: ExitCode.EXPIRED });
    }
    if (status === EventStatus.EVENT_STATUS_INVALIDATED) {
      const why = reason === '' ? '' : `: ${reason}`;
      return new CommandFailed(`event ${id} was invalidated${why}`, { exitCode: ExitCode.INVALIDATED });
    }
    const left = `the time to wait here is over; ${this.#goOnText(event)}`;
    return new CommandFailed(left, { exitCode: ExitCode.NOT_IN_TIME });
  }

  #goOnText({ id, expiresAt }: Event): string {
    const until = timestampText(expiresAt);
    return `event ${id} stays awaited until ${until}, go on with: ${this.#options.again(id)}`;
  }
}
