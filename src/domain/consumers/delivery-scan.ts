// Offers the events that come next in the log, in its order.

import type { Millis, Position } from '../../units.js';
import { bug } from '../errors.js';
import type { DeliveryState } from './delivery-state.js';
import { DONE, type FailureRecord, HELD, NO_CREDIT, type OfferedEvent, type OfferResult } from './delivery-types.js';
import type { DeliveryMember, StreamQueue } from './open-events.js';

export class DeliveryScan {
  readonly #state: DeliveryState;

  constructor(state: DeliveryState) {
    this.#state = state;
  }

  /** The position up to which everything was looked at: read on after it. */
  get position(): Position {
    return this.#state.progress.scanned;
  }

  /** Whether something was acknowledged beyond `position`, by the lease of a former owner: the scan has to pass it. */
  get isBehindAnswers(): boolean {
    const { progress } = this.#state;
    return progress.acked.last > progress.scanned;
  }

  /** Whether an event that the scan comes to was answered already: it can be passed without a member. */
  isAnswered(position: Position): boolean {
    return this.#state.progress.isDone(position);
  }

  /**
   * Offers the next matching event after `position`, in position order. On `delivered`, `held` and `done` the scan has
   * passed it; on `no-credit` and `blocked` nothing changed. Throws if the event lies at or below `position`.
   */
  offer(event: OfferedEvent, now: Millis): OfferResult {
    const state = this.#state;
    const at = state.tick(now);
    const { progress, pool } = state;
    const { position } = event;
    if (position <= progress.scanned) throw bug(`position ${position} was offered before`);
    if (progress.isDone(position)) return this.#passDone(position);
    if (!pool.hasCredit || !state.hasRoom) return NO_CREDIT;
    const blocker = this.blockedBy(position);
    if (blocker !== undefined) return { kind: 'blocked', by: blocker };
    const stream = state.streamOf(event);
    if (stream?.waits) return this.#passHeld(stream, event, at);
    const failure = state.failures.get(position);
    if (failure !== undefined && failure.notBeforeMs > at) return this.#passWaiting(event, failure, at);
    const holder = stream?.holder;
    const member = pool.taker(holder, event.bytes);
    if (member !== undefined) return this.#passDelivered(event, stream, failure, member, at);
    if (stream === undefined || holder === undefined || !pool.hasCreditBesides(holder)) return NO_CREDIT;
    return this.#passHeld(stream, event, at);
  }

  /** Takes note that everything up to this position was read and offered: the offset may pass what does not match. */
  passedTo(position: Position): void {
    const { progress, failures, records } = this.#state;
    if (position > progress.scanned) progress.scanned = position;
    progress.advance();
    failures.dropPassed(progress.offset, (p) => records.has(p));
  }

  /**
   * Returns the open position for which the scan has to wait, as too much is done above the offset; undefined: none.
   */
  blockedBy(position: Position): Position | undefined {
    const { progress, limits } = this.#state;
    const { acked } = progress;
    if (acked.size < limits.maxAckedRanges && acked.eventCount < limits.maxAckedAhead) return undefined;
    // Up to the end of what is done the scan fills holes and has to go on: the blocker may not have been offered yet.
    return position > acked.last ? progress.oldestOpen() : undefined;
  }

  #passDone(position: Position): OfferResult {
    const { progress } = this.#state;
    progress.acked.count(position);
    progress.passed(position);
    return DONE;
  }

  #passHeld(stream: StreamQueue, event: OfferedEvent, now: number): OfferResult {
    this.#state.hold(stream, event, now);
    this.#state.progress.passed(event.position);
    return HELD;
  }

  /** Passes an event whose stored failure record is not due: it waits, and holds up its stream. */
  #passWaiting(event: OfferedEvent, failure: FailureRecord, now: number): OfferResult {
    const { progress, records } = this.#state;
    const record = this.#state.open(event, progress.coversFrom, this.#state.streamOf(event), failure);
    progress.passed(event.position);
    progress.openedByScan(record, records.size);
    this.#state.openWaiting(record, now);
    return HELD;
  }

  #passDelivered(
    event: OfferedEvent,
    stream: StreamQueue | undefined,
    failure: FailureRecord | undefined,
    member: DeliveryMember,
    now: number,
  ): OfferResult {
    const { progress, records } = this.#state;
    const record = this.#state.open(event, progress.coversFrom, stream, failure);
    progress.passed(event.position);
    progress.openedByScan(record, records.size);
    return this.#state.deliver(record, member, now, true);
  }
}
