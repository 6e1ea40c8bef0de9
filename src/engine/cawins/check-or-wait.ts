// Check, and wait if necessary: looks for an event by its description and makes a cawin on it, in the transaction that finds or
// awaits it.

import { createHash } from 'node:crypto';
import type { Cawin } from '../../domain/cawins/cawin.js';
import { bug } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import { DEFAULT_WAIT_MICROS } from '../../domain/waits/wait.js';
import type { PushCommand, PushedBy, Pushes } from '../group/pushes.js';
import type { EventLookUp } from '../log/event-look-up.js';
import type { CawinSubject, Cawins, CawinTerms } from './cawins.js';

export interface CheckOrWaitOptions {
  readonly cawins: Cawins;
  readonly pushes: Pushes;
  readonly events: EventLookUp;
}

export interface CheckedOrWaiting {
  readonly cawin: Cawin;
  readonly event: LogEntry;
  readonly isAwaited: boolean;
}

export class CheckOrWait {
  readonly #options: CheckOrWaitOptions;

  constructor(options: CheckOrWaitOptions) {
    this.#options = options;
  }

  /** Rejects as Cawins.create does, and as a push with a description is refused. */
  async run(push: PushCommand, given: CawinTerms, by: PushedBy = {}): Promise<CheckedOrWaiting> {
    const { cawins, pushes } = this.#options;
    const { context } = push.draft;
    const subject = subjectOf(push);
    const former = await cawins.former(context, given, subject);
    if (former !== undefined) return this.#answer(former);
    const waitMicros = push.waitMicros ?? DEFAULT_WAIT_MICROS;
    const cawin = await cawins.prepare(given, { subject, waitMicros });
    const [result] = await pushes.push([{ ...push, cawin }], true, by);
    if (result === undefined) throw bug('a push without a result');
    if (result.kind === 'refused') throw result.error;
    return this.#answer(await cawins.prepared(result.cawin, given, subject));
  }

  async #answer(cawin: Cawin): Promise<CheckedOrWaiting> {
    const event = await this.#options.events.byId(cawin.eventId);
    if (event === undefined) throw bug(`event ${cawin.eventId} of cawin ${cawin.id} is not readable`);
    return { cawin, event, isAwaited: event.position === 0 };
  }
}

/** What is looked for. */
function subjectOf({ draft, since, waitMicros }: PushCommand): CawinSubject {
  const content = [draft.context, draft.topic, draft.issuer, draft.description?.text];
  return {
    content: hashOf(content),
    firstContent: hashOf([...content, since ?? null, waitMicros ?? null]),
  };
}

function hashOf(content: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('base64');
}
