// What was delivered in vain and is delivered again: whose clock ran out, what waits for a member, and what is no longer there.

import type { Millis, Position } from '../../units.js';
import type { DeliveryState } from './delivery-state.js';
import { DONE, type Expiry, HELD, NO_CREDIT, type OfferedEvent, type OfferResult } from './delivery-types.js';
import type { FailingTransitions } from './failing-transitions.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

export class DeliveryRedeliveries {
  readonly #state: DeliveryState;
  readonly #failing: FailingTransitions;

  constructor(state: DeliveryState, failing: FailingTransitions) {
    this.#state = state;
    this.#failing = failing;
  }

  /** Returns events whose clock ran out by now to the waiting ones, with a raised attempt, or parks them. */
  expire(now: Millis): Expiry[] {
    const state = this.#state;
    const at = state.tick(now);
    state.redelivery.promote(at);
    return state.clocks.takeDue(at).map((record) => this.#expireOne(record, at));
  }

  /**
   * Names positions that wait and could be delivered now, in position order, at most `limit`. Not empty: `offer` of the
   * first one delivers it, if nothing else happened in between.
   */
  next(now: Millis, limit: number): Position[] {
    const state = this.#state;
    const at = state.tick(now);
    if (!state.mayDeliver) return [];
    const positions = state.waiting === 0 ? [] : state.redelivery.next(state.pool, at, limit);
    const room = state.queuedReplays === 0 ? 0 : Math.min(limit - positions.length, this.#replaysFor(positions));
    if (room <= 0) return positions;
    this.#failing.openReplays(room);
    return state.redelivery.next(state.pool, at, limit);
  }

  /** How many queued replays could go to members besides. */
  #replaysFor(positions: readonly Position[]): number {
    const { pool, records, replayRoom } = this.#state;
    const named = positions.filter((position) => records.get(position)?.replay === true).length;
    return Math.min(pool.totalFree - positions.length, replayRoom - named);
  }

  /** Offers an event of `next`; the result is never `blocked`. Of one stream only in position order. */
  offer(event: OfferedEvent, now: Millis): OfferResult {
    const { records, pool } = this.#state;
    const at = this.#state.tick(now);
    const record = records.get(event.position);
    if (record?.state !== RecordState.WAITING) return DONE;
    const { stream } = record;
    if (record.notBeforeMs > at || (stream !== undefined && stream.firstWaiting !== record)) return HELD;
    if (!this.#state.mayDeliver) return NO_CREDIT;
    record.bytes = event.bytes;
    const member = pool.taker(stream?.holder, event.bytes, record.failedWith);
    return member === undefined ? NO_CREDIT : this.#state.deliver(record, member, at, false);
  }

  /**
   * Takes note that the event at this position is no longer stored: done, unless it is in flight (then it is when it
   * returns) or nothing is known of it. A replay that is gone leaves the parked list.
   */
  gone(position: Position): void {
    const state = this.#state;
    const record = state.records.get(position);
    if (record === undefined) this.#failing.discard(position);
    else if (record.state === RecordState.WAITING) state.finish(record, state.now);
  }

  /** Returns when `expire` or `next` will have something to do; may be early, never late; undefined: never. */
  nextWakeAt(): Millis | undefined {
    const { clocks, redelivery } = this.#state;
    const clock = clocks.nextDue();
    const delay = redelivery.nextDue();
    if (clock === undefined || delay === undefined) return clock ?? delay;
    return Math.min(clock, delay);
  }

  #expireOne(record: DeliveryRecord, now: Millis): Expiry {
    const attempt = record.attempts + 1;
    const member = record.member?.name ?? '';
    this.#state.takeBack(record);
    const reason = `the member "${member}" did not acknowledge it in time`;
    // At once: its member had its time, and whoever gets it next need not wait as well.
    const failed = { lease: record.lease, cause: { code: 'ACK_TIMEOUT', reason }, delayMs: 0 };
    const parked = this.#failing.failAttempt(record, failed, now);
    return { position: record.position, member, attempt, parked };
  }
}
