// The failing transitions of the table in delivery-window.ts: what an attempt too many, a lost member or a rejection does to an
// event, and what becomes of it once it is parked.

import type { Millis, Position } from '../../units.js';
import type { DeliveryState } from './delivery-state.js';
import type { Trouble } from './delivery-types.js';
import { DeliveryRecord } from './open-events.js';

/** Parked events, as an operator sees them. */
export interface ParkedEvents {
  /** Queues a parked event again, outside its stream's order. False if it is not parked. */
  replay(position: Position): boolean;
  /** Takes an event from the parked list for good. False if it is not parked. */
  discard(position: Position): boolean;
}

export class DeliveryFailures implements ParkedEvents {
  readonly #state: DeliveryState;
  /** Leases of parked events, the first and the last of each, for late answers. */
  readonly #parkedLeases = new Map<Position, readonly [number, number]>();

  constructor(state: DeliveryState) {
    this.#state = state;
    this.begin();
  }

  /** Follows a `begin` of the state: leases from before mean nothing, replays are queued anew. */
  begin(): void {
    this.#parkedLeases.clear();
    for (const trouble of this.#state.troubles.all()) {
      if (trouble.state === 'REPLAY') this.#queueReplay(trouble);
    }
  }

  /** A delivery of a waiting event failed: one attempt more, and delivered again no earlier than `notBeforeMs`. */
  failAttempt(record: DeliveryRecord, reason: string, notBeforeMs: Millis, now: Millis): boolean {
    const trouble = troubleOf(record);
    const attempts = trouble.attempts + 1;
    return this.#fail(record, { ...trouble, attempts, reason, notBeforeMs }, this.#isUsedUp(attempts), now);
  }

  /** A waiting event was with a member that was lost. */
  countLoss(record: DeliveryRecord, now: Millis): boolean {
    const trouble = troubleOf(record);
    const losses = trouble.losses + 1;
    return this.#fail(record, { ...trouble, losses, reason: 'MEMBER_LOST' }, this.#isUsedUp(losses), now);
  }

  park(record: DeliveryRecord, reason: string, now: Millis): void {
    this.#park(record, { ...troubleOf(record), reason }, now);
  }

  /** An event without a record failed with a lease of a former owner; without `notBeforeMs` it is to be parked. */
  failUnseen(position: Position, reason: string, notBeforeMs: Millis | undefined): void {
    const { troubles, progress } = this.#state;
    const former = troubles.get(position) ?? newTrouble(position);
    const attempts = former.attempts + (notBeforeMs === undefined ? 0 : 1);
    if (notBeforeMs === undefined || this.#isUsedUp(attempts)) {
      troubles.set({ ...former, attempts, reason, notBeforeMs: 0, state: 'PARKED' });
      progress.finishedUnseen(position);
    } else {
      troubles.set({ ...former, attempts, reason, notBeforeMs });
      troubles.addUnclaimed(position);
    }
  }

  // --- parked

  /** Whether the event is parked and the lease one of those that it was parked from. */
  isLeaseOfParked(position: Position, lease: number): boolean {
    const { troubles, leases } = this.#state;
    if (troubles.get(position)?.state !== 'PARKED') return false;
    const own = this.#parkedLeases.get(position);
    if (own === undefined) return leases.isOfFormerOwner(lease);
    return lease >= own[0] && lease <= own[1];
  }

  /** See ParkedEvents. */
  replay(position: Position): boolean {
    const { troubles } = this.#state;
    const trouble = troubles.get(position);
    if (trouble?.state !== 'PARKED') return false;
    const replay: Trouble = { ...trouble, state: 'REPLAY', attempts: 0, losses: 0, notBeforeMs: 0 };
    troubles.set(replay);
    const record = this.#queueReplay(replay);
    const leases = this.#parkedLeases.get(position);
    if (leases !== undefined) [record.firstLease, record.lease] = leases;
    this.#parkedLeases.delete(position);
    return true;
  }

  /** See ParkedEvents. */
  discard(position: Position): boolean {
    const { troubles } = this.#state;
    if (troubles.get(position)?.state !== 'PARKED') return false;
    this.#parkedLeases.delete(position);
    troubles.over(position);
    return true;
  }

  // --- inside

  #isUsedUp(failures: number): boolean {
    const { parking, maxAttempts } = this.#state.settings;
    return parking && failures >= maxAttempts;
  }

  #fail(record: DeliveryRecord, trouble: Trouble, usedUp: boolean, now: Millis): boolean {
    const state = this.#state;
    state.pool.release(record.stream ?? record);
    if (usedUp) {
      this.#park(record, trouble, now);
    } else {
      record.trouble = trouble;
      state.troubles.set(trouble);
      state.settle(record, now);
    }
    return usedUp;
  }

  #park(record: DeliveryRecord, trouble: Trouble, now: Millis): void {
    if (record.lease !== 0) this.#parkedLeases.set(record.position, [record.firstLease, record.lease]);
    this.#state.troubles.set({ ...trouble, state: 'PARKED', notBeforeMs: 0 });
    this.#state.close(record, now);
  }

  #queueReplay(trouble: Trouble): DeliveryRecord {
    const state = this.#state;
    const record = new DeliveryRecord(trouble.position, trouble.position, 0, undefined, true);
    record.trouble = trouble;
    state.records.set(trouble.position, record);
    state.waiting++;
    state.redelivery.schedule(record, 0);
    return record;
  }
}

function troubleOf(record: DeliveryRecord): Trouble {
  return record.trouble ?? newTrouble(record.position);
}

function newTrouble(position: Position): Trouble {
  return { position, attempts: 0, losses: 0, notBeforeMs: 0, reason: '', state: 'RETRY' };
}
