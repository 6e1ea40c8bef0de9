// The failing transitions of the table in delivery-window.ts: what an attempt too many, a lost member or a rejection does to an
// event, and what becomes of it once it is parked.

import type { Millis, Position } from '../../units.js';
import { backoffMs } from '../backoff.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { DeliveryState } from './delivery-state.js';
import type { Answer, FailureCause, FailureRecord, Rejection } from './delivery-types.js';
import { DeliveryRecord } from './open-events.js';

/** A delivery that failed. */
export interface FailedDelivery {
  /** Its lease; 0: not known, as no owner of now made it. */
  readonly lease: number;
  readonly cause: FailureCause;
  /** How long to wait before the next one; undefined: as the back-off says. */
  readonly delayMs: Millis | undefined;
}

/** How an event that was not parked is delivered again: how often it failed, and what was asked for. */
interface Retry {
  readonly failures: number;
  readonly delayMs: Millis | undefined;
}

/** Parked events, as an operator sees them. */
export interface ParkedEvents {
  /** Whether an event is parked, or asked for again; undefined: neither. */
  stateAt(position: Position): 'PARKED' | 'REPLAY' | undefined;
  /** Queues a parked event again, outside its stream's order; one that is queued stays so. False if it is neither. */
  replay(position: Position): boolean;
  /** Takes an event from the parked list for good, whether it is queued or not. False if it is not there. */
  discard(position: Position): boolean;
}

export class FailingTransitions implements ParkedEvents {
  readonly #state: DeliveryState;
  readonly #random: () => number;
  /** Leases of parked events, the first and the last of each, for late answers; made for the first one. */
  #parkedLeases: Map<Position, readonly [number, number]> | undefined;
  /** Replays without a record as yet, and others: there may be many more than members have credit for. Made for the first one. */
  #queued: KeyedHeap<Position> | undefined;

  /** `random` gives numbers in [0, 1), for back-off. */
  constructor(state: DeliveryState, random: () => number) {
    this.#state = state;
    this.#random = random;
    this.begin();
  }

  /** Follows a `begin` of the state: leases from before mean nothing, replays are queued anew. */
  begin(): void {
    this.#parkedLeases = undefined;
    this.#queued = undefined;
    for (const failure of this.#state.failures.all()) {
      if (failure.state === 'REPLAY') this.#queueReplay(failure);
    }
  }

  /** The record of an event that is open, or was queued as a replay. */
  recordAt(position: Position): DeliveryRecord | undefined {
    const { records, queuedReplays } = this.#state;
    return records.get(position) ?? (queuedReplays > 0 ? this.#openReplay(position) : undefined);
  }

  /** Opens queued replays, so that they wait to be delivered; at most so many. */
  openReplays(limit: number): void {
    for (let opened = 0; opened < limit && this.#queued !== undefined && this.#state.hasRoom; ) {
      const position = this.#queued.pop();
      if (position === undefined) this.#queued = undefined;
      else if (!this.#state.records.has(position) && this.#openReplay(position) !== undefined) opened += 1;
    }
  }

  /** Counts a failed delivery of a waiting event, once. True: the event was parked. */
  failAttempt(record: DeliveryRecord, failed: FailedDelivery, now: Millis): boolean {
    const failure = withAttempt(failureOf(record), failed);
    return this.#fail(record, failure, { failures: failure.attempts, delayMs: failed.delayMs }, now);
  }

  /** Counts the loss of the member that a waiting event was with. True: the event was parked. */
  countLoss(record: DeliveryRecord, member: string, now: Millis): boolean {
    const failure = failureOf(record);
    const losses = failure.losses + 1;
    const cause = { code: 'MEMBER_LOST', reason: `the member "${member}" was lost while it had this event` };
    return this.#fail(record, { ...failure, losses, cause }, { failures: losses, delayMs: 0 }, now);
  }

  park(record: DeliveryRecord, cause: FailureCause, now: Millis): void {
    this.#park(record, { ...failureOf(record), cause }, now);
  }

  /** Remembers until when the member of an event in flight may work on it. */
  extended(record: DeliveryRecord, untilMs: Millis): void {
    record.failure = { ...failureOf(record), notBeforeMs: untilMs };
    this.#state.failures.set(record.failure);
  }

  /** Fails an event without a record, by a lease of a former owner. */
  failUnseen(
    { position, lease }: Pick<Answer, 'position' | 'lease'>,
    rejection: Exclude<Rejection, { readonly action: 'SKIP' }>,
    now: Millis,
  ): void {
    const { failures, progress } = this.#state;
    const known = failures.get(position);
    const former = known ?? newFailure(position);
    const { action, cause } = rejection;
    const delayMs = action === 'PARK' ? undefined : rejection.delayMs;
    const failure = action === 'PARK' ? { ...former, cause } : withAttempt(former, { lease, cause, delayMs });
    if (action === 'PARK' || this.#isToPark(failure.attempts)) {
      failures.set(parked(failure, now));
      progress.finishedUnseen(position);
    } else {
      failures.set({ ...failure, notBeforeMs: this.#notBefore({ failures: failure.attempts, delayMs }, now) });
      if (known === undefined) failures.addUnclaimed(position);
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
  stateAt(position: Position): 'PARKED' | 'REPLAY' | undefined {
    const state = this.#state.failures.get(position)?.state;
    return state === 'RETRY' ? undefined : state;
  }

  /** See ParkedEvents. */
  replay(position: Position): boolean {
    const { failures } = this.#state;
    const failure = failures.get(position);
    if (failure?.state === 'REPLAY') return true;
    if (failure?.state !== 'PARKED') return false;
    const replay: FailureRecord = { ...failure, state: 'REPLAY', attempts: 0, losses: 0, notBeforeMs: 0 };
    failures.set(replay);
    this.#queueReplay(replay);
    return true;
  }

  /** See ParkedEvents. */
  discard(position: Position): boolean {
    const state = this.#state;
    const failure = state.failures.get(position);
    if (failure === undefined || failure.state === 'RETRY') return false;
    this.#parkedLeases?.delete(position);
    const record = this.recordAt(position);
    if (record === undefined) state.failures.over(position);
    else state.finish(record, state.now);
    return true;
  }

  // --- inside

  /** Whether an event that failed so often is to be parked now: its attempts are used up, and there is room. */
  #isToPark(failures: number): boolean {
    return this.#isUsedUp(failures) && this.#state.failures.parked < this.#state.limits.maxParked;
  }

  #isUsedUp(failures: number): boolean {
    return failures >= this.#state.settings.maxAttempts;
  }

  #fail(record: DeliveryRecord, failure: FailureRecord, retry: Retry, now: Millis): boolean {
    const state = this.#state;
    state.pool.release(record.stream ?? record);
    const isToPark = this.#isToPark(retry.failures);
    if (isToPark) {
      this.#park(record, failure, now);
    } else {
      record.failure = { ...failure, notBeforeMs: this.#notBefore(retry, now) };
      state.failures.set(record.failure);
      state.settle(record, now);
    }
    return isToPark;
  }

  /** The time before which an event is not delivered again; 0: at once. */
  #notBefore({ failures, delayMs }: Retry, now: Millis): Millis {
    // What is to be parked and cannot be would go round as fast as members take it.
    const isHurried = delayMs === 0 && this.#isUsedUp(failures);
    const delay = delayMs === undefined || isHurried ? this.#backoffMs(failures) : delayMs;
    return delay === 0 ? 0 : now + delay;
  }

  #backoffMs(failures: number): Millis {
    const { initialMs, maxMs, jitter } = this.#state.settings.retryBackoff;
    return backoffMs({ baseMs: initialMs, capMs: maxMs, jitter: [1 - jitter, 1] }, failures, this.#random);
  }

  #park(record: DeliveryRecord, failure: FailureRecord, now: Millis): void {
    if (record.lease !== 0) {
      this.#parkedLeases ??= new Map();
      this.#parkedLeases.set(record.position, [record.firstLease, record.lease]);
    }
    this.#state.failures.set(parked(failure, now));
    this.#state.close(record, now);
  }

  #queueReplay({ position, notBeforeMs }: FailureRecord): void {
    this.#queued ??= new KeyedHeap();
    // What failed again has its time: it waits with all others.
    if (notBeforeMs > 0) this.#openReplay(position);
    else this.#queued.add(position, position);
  }

  /** Makes the record of a replay; undefined if the position is none. */
  #openReplay(position: Position): DeliveryRecord | undefined {
    const state = this.#state;
    const failure = state.failures.get(position);
    if (failure?.state !== 'REPLAY') return undefined;
    const record = new DeliveryRecord(position, position, 0, undefined, true);
    record.failure = failure;
    const leases = this.#parkedLeases?.get(position);
    if (leases !== undefined) [record.firstLease, record.lease] = leases;
    this.#parkedLeases?.delete(position);
    state.openReplay(record);
    return record;
  }
}

function failureOf(record: DeliveryRecord): FailureRecord {
  return record.failure ?? newFailure(record.position);
}

function newFailure(position: Position): FailureRecord {
  return {
    position,
    attempts: 0,
    losses: 0,
    notBeforeMs: 0,
    failedLease: 0,
    cause: { code: '', reason: '' },
    parkedAtMs: 0,
    state: 'RETRY',
  };
}

/** Returns the failure record after a delivery failed; one that has counted already does not count again. */
function withAttempt(failure: FailureRecord, { lease, cause }: FailedDelivery): FailureRecord {
  const hasCounted = lease === 0 ? failure.attempts > 0 : lease <= failure.failedLease;
  if (hasCounted) return { ...failure, cause };
  return { ...failure, attempts: failure.attempts + 1, failedLease: lease, cause };
}

function parked(failure: FailureRecord, now: Millis): FailureRecord {
  return { ...failure, notBeforeMs: 0, parkedAtMs: now, state: 'PARKED' };
}
