// Withdraws events: one unit of a group each.

import { bug, eventUnknown } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { EventLookUp } from '../log/event-look-up.js';
import type { GroupCommit } from './group-commit.js';
import type { PushedBy } from './pushes.js';

export interface InvalidationsOptions {
  readonly groupCommit: GroupCommit;
  readonly events: EventLookUp;
}

export class Invalidations {
  readonly #options: InvalidationsOptions;

  constructor(options: InvalidationsOptions) {
    this.#options = options;
  }

  /**
   * Invalidates an awaited or occurred event, by any of its ids, and returns it as it is then; one that is invalidated already stays
   * as it is. EVENT_UNKNOWN; WRONG_STATE for one that has expired.
   */
  async invalidate(eventId: bigint, reason: string, { signal, caller }: PushedBy = {}): Promise<LogEntry> {
    if (eventId > BigInt(Number.MAX_SAFE_INTEGER)) throw eventUnknown(eventId);
    const unit = { kind: 'invalidate', eventId: Number(eventId), reason } as const;
    const outcome = await this.#options.groupCommit.submit(unit, signal, caller);
    if (outcome.kind === 'refused') throw outcome.error;
    const event = await this.#options.events.byId(eventId);
    if (event === undefined) throw bug(`event ${eventId} is not readable`);
    return event;
  }
}
