// Tells of endpoints whose callbacks fail, are held, or go out again: in the server's log, and as events that services can read and
// wait for. An event is pushed after the change was stored and may be lost with the process; the endpoint's state never is.

import { EMPTY_ENVELOPE } from '../../domain/events/envelope.js';
import type { EventDraft } from '../../domain/events/event.js';
import { Subject } from '../../domain/events/subject.js';
import { SERVER_ISSUER } from '../../domain/names.js';
import type { CircuitChange } from '../../storage/ports/cawin-storage.js';
import type { Logger } from '../../telemetry.js';
import type { PushCommand, PushedEvent } from '../group/pushes.js';

/** Topic and context of the events. */
export const ENDPOINT_TOPIC = 'madeleine.endpoint';
export const ENDPOINT_CONTEXT = 'default';

/** Pushes events: Pushes implements it. */
export interface EventPusher {
  push(commands: readonly PushCommand[], atomic: boolean): Promise<readonly PushedEvent[]>;
}

export interface EndpointReportsOptions {
  readonly pushes: EventPusher;
  readonly logger: Logger;
}

export class EndpointReports {
  readonly #options: EndpointReportsOptions;

  constructor(options: EndpointReportsOptions) {
    this.#options = options;
  }

  /** Returns at once; what cannot be pushed is logged. */
  tell(changes: readonly CircuitChange[]): void {
    for (const change of changes) this.#log(change);
    if (changes.length > 0) void this.#push(changes);
  }

  #log({ origin, cawinId: cawin, turn, failures }: CircuitChange): void {
    const { logger } = this.#options;
    if (turn === 'open')
      logger.warn({ origin, cawin, failures }, 'callbacks are held: the receiver fails; it is probed');
    else if (turn === 'failing') logger.warn({ origin, cawin, failures }, 'callbacks fail');
    else logger.info({ origin, cawin }, 'callbacks go out again: the receiver answers');
  }

  async #push(changes: readonly CircuitChange[]): Promise<void> {
    const { pushes, logger } = this.#options;
    try {
      const results = await pushes.push(
        changes.map((change) => ({ draft: draftOf(change), expectedSequence: undefined })),
        false,
      );
      for (const result of results) if (result.kind === 'refused') throw result.error;
    } catch (error) {
      logger.warn({ err: error }, 'an event about an endpoint was not stored');
    }
  }
}

function draftOf({ origin, cawinId, turn, failures, nextProbeAt }: CircuitChange): EventDraft {
  const content = {
    endpoint: origin,
    state: turn,
    failures,
    ...(cawinId === undefined ? {} : { cawin_id: String(cawinId) }),
    ...(nextProbeAt === undefined ? {} : { next_probe_at: new Date(nextProbeAt / 1000).toISOString() }),
  };
  return {
    ...EMPTY_ENVELOPE,
    ...{ context: ENDPOINT_CONTEXT, topic: ENDPOINT_TOPIC, issuer: SERVER_ISSUER },
    subject: turn === 'closed' ? Subject.SUCCESS : Subject.ERROR,
    tag: turn,
    entityType: 'endpoint',
    messageId: '',
    payload: { contentType: 'application/json', bytes: Buffer.from(JSON.stringify(content)) },
    description: undefined,
  };
}
