// The failing transitions of the table in delivery-window.ts: what an attempt too many, a lost member or a rejection does to an
// event, and what becomes of it once it is parked.

import type { Millis, Position } from '../../units.js';
import type { DeliveryState } from './delivery-state.js';
import type { FailureRecord } from './delivery-types.js';
import { DeliveryRecord } from './open-events.js';

/** Parked events, as an operator sees them. */
export interface ParkedEvents {
  /** Queues a parked event again, outside its stream's order. False if it is not parked. */
  replay(position: Position): boolean;
  /** Takes an event from the parked list for good. False if it is not parked. */
  discard(position: Position): boolean;
}

export class FailingTransitions implements ParkedEvents {
  readonly #state: DeliveryState;
  /** Leases of parked events, the first and the last of each, for late answers; made for the first one. */
  #parkedLeases: Map<Position, readonly [number, number]> | undefined;

  constructor(state: DeliveryState) {
    this.#state = state;
    this.begin();
  }

  /** Follows a `begin` of the state: leases from before mean nothing, replays are queued anew. */
  begin(): void {
    this.#parkedLeases = undefined;
    for (const failure of this.#state.failures.all()) {
      if (failure.state === 'REPLAY') this.#queueReplay(failure);
    }
  }

  /**
   * Counts a failed delivery of a waiting event, which is delivered again no earlier than `notBeforeMs`. True: it was
   * parked.
   */
  failAttempt(record: DeliveryRecord, reason: string, notBeforeMs: Millis, now: Millis): boolean {
    const failure = failureOf(record);
    const attempts = failure.attempts + 1;
    return this.#fail(record, { ...failure, attempts, reason, notBeforeMs }, this.#isUsedUp(attempts), now);
  }

  /** Counts the loss of the member that a waiting event was with. True: the event was parked. */
  countLoss(record: DeliveryRecord, now: Millis): boolean {
    const failure = failureOf(record);
    const losses = failure.losses + 1;
    return this.#fail(record, { ...failure, losses, reason: 'MEMBER_LOST' }, this.#isUsedUp(losses), now);
  }

  park(record: DeliveryRecord, reason: string, now: Millis): void {
    this.#park(record, { ...failureOf(record), reason }, now);
  }

  /** Fails an event without a record, by a lease of a former owner; without `notBeforeMs` it is to be parked. */
  failUnseen(position: Position, reason: string, notBeforeMs: Millis | undefined): void {
    const { failures, progress } = this.#state;
    const former = failures.get(position) ?? newFailure(position);
    const attempts = former.attempts + (notBeforeMs === undefined ? 0 : 1);
    if (notBeforeMs === undefined || this.#isUsedUp(attempts)) {
      failures.set({ ...former, attempts, reason, notBeforeMs: 0, state: 'PARKED' });
      progress.finishedUnseen(position);
    } else {
      failures.set({ ...former, attempts, reason, notBeforeMs });
      failures.addUnclaimed(position);
    }
  }

  // --- parked

  /** Whether the event is parked and the lease one of those that it was parked from. */
  isLeaseOfParked(position: Position, lease: number): boolean {
    const { failures, leases } = this.#state;
    if (failures.get(position)?.state !== 'PARKED') return false;
    const own = this.#parkedLeases?.get(position);
    if (own === undefined) return leases.isOfFormerOwner(lease);
    return lease >= own[0] && lease <= own[1];
  }

  /** See ParkedEvents. */
  replay(position: Position): boolean {
    const { failures } = this.#state;
    const failure = failures.get(position);
    if (failure?.state !== 'PARKED') return false;
    const replay: FailureRecord = { ...failure, state: 'REPLAY', attempts: 0, losses: 0, notBeforeMs: 0 };
    failures.set(replay);
    const record = this.#queueReplay(replay);
    const leases = this.#parkedLeases?.get(position);
    if (leases !== undefined) [record.firstLease, record.lease] = leases;
    this.#parkedLeases?.delete(position);
    return true;
  }

  /** See ParkedEvents. */
  discard(position: Position): boolean {
    const { failures } = this.#state;
    if (failures.get(position)?.state !== 'PARKED') return false;
    this.#parkedLeases?.delete(position);
    failures.over(position);
    return true;
  }

  // --- inside

  #isUsedUp(failures: number): boolean {
    const { parking, maxAttempts } = this.#state.settings;
    return parking && failures >= maxAttempts;
  }

  #fail(record: DeliveryRecord, failure: FailureRecord, usedUp: boolean, now: Millis): boolean {
    const state = this.#state;
    state.pool.release(record.stream ?? record);
    if (usedUp) {
      this.#park(record, failure, now);
    } else {
      record.failure = failure;
      state.failures.set(failure);
      state.settle(record, now);
    }
    return usedUp;
  }

  #park(record: DeliveryRecord, failure: FailureRecord, now: Millis): void {
    if (record.lease !== 0) {
      this.#parkedLeases ??= new Map();
      this.#parkedLeases.set(record.position, [record.firstLease, record.lease]);
    }
    this.#state.failures.set({ ...failure, state: 'PARKED', notBeforeMs: 0 });
    this.#state.close(record, now);
  }

  #queueReplay(failure: FailureRecord): DeliveryRecord {
    const state = this.#state;
    const record = new DeliveryRecord(failure.position, failure.position, 0, undefined, true);
    record.failure = failure;
    state.records.set(failure.position, record);
    state.waiting++;
    state.redelivery.schedule(record, 0);
    return record;
  }
}

function failureOf(record: DeliveryRecord): FailureRecord {
  return record.failure ?? newFailure(record.position);
}

function newFailure(position: Position): FailureRecord {
  return { position, attempts: 0, losses: 0, notBeforeMs: 0, reason: '', state: 'RETRY' };
}
