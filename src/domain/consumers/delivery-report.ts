// What people see of a window: its numbers, and why it does or does not deliver.

import type { Millis, Position } from '../../units.js';
import { assertNever } from '../errors.js';
import type { DeliveryScan } from './delivery-scan.js';
import type { DeliveryState } from './delivery-state.js';
import type { WindowCondition, WindowStats } from './delivery-types.js';
import { RecordState } from './open-events.js';

const PAUSED = unblocked('PAUSED');
const NO_MEMBER = unblocked('NO_MEMBER');
const IDLE = unblocked('IDLE');
const WAITING_FOR_ACKS = unblocked('WAITING_FOR_ACKS');
const DELIVERING = unblocked('DELIVERING');

export class DeliveryReport {
  readonly #state: DeliveryState;
  readonly #scan: DeliveryScan;

  constructor(state: DeliveryState, scan: DeliveryScan) {
    this.#state = state;
    this.#scan = scan;
  }

  stats(): WindowStats {
    const { inFlight, waiting, queuedReplays, heldStreams, failures, progress } = this.#state;
    return {
      inFlight,
      waiting: waiting + queuedReplays,
      heldStreams,
      parked: failures.parked,
      ackedAhead: progress.acked.eventCount,
      oldestUnacknowledged: progress.oldestRecord()?.position ?? 0,
    };
  }

  /** Whether there is something to look at or to deliver again, for whoever can take it; `head` is the newest visible position. */
  hasBacklog(head: Position): boolean {
    const { waiting, heldStreams, queuedReplays, replayRoom, progress } = this.#state;
    return progress.scanned < head || waiting > 0 || heldStreams > 0 || (queuedReplays > 0 && replayRoom > 0);
  }

  /** Returns why it does or does not deliver; `head` is the newest visible position. */
  condition(head: Position, now: Millis): WindowCondition {
    const { pool } = this.#state;
    const at = this.#state.tick(now);
    if (this.#state.isPaused) return PAUSED;
    if (pool.size === 0) return NO_MEMBER;
    return (
      this.#blocked(head, at) ??
      (this.#isIdle(head) ? IDLE : undefined) ??
      (pool.hasCredit ? undefined : WAITING_FOR_ACKS) ??
      this.#delayed(head, at) ??
      DELIVERING
    );
  }

  /** Says in words why; `now` as it was told with the condition. */
  cause(condition: WindowCondition, now: Millis): string {
    const { failures, limits } = this.#state;
    const cause = this.#causeOf(condition, now);
    if (failures.parked < limits.maxParked) return cause;
    const full = `${failures.parked} events are parked, as many as may be: what uses up its attempts is delivered again`;
    return `${cause}; ${full}`;
  }

  #causeOf({ activity, blockedPosition, blockedUntilMs }: WindowCondition, now: Millis): string {
    const { inFlight, progress } = this.#state;
    switch (activity) {
      case 'PAUSED':
        return 'paused';
      case 'NO_MEMBER':
        return 'nobody is subscribed';
      case 'IDLE':
        return 'everything is acknowledged and there is nothing new';
      case 'WAITING_FOR_ACKS':
        return inFlight === 0
          ? 'no member asks for events'
          : `all credit is used by ${inFlight} ${inFlight === 1 ? 'event' : 'events'} in flight`;
      case 'BLOCKED_BY_RETRY':
        return this.#isAheadOf(blockedPosition)
          ? `too much is acknowledged after position ${blockedPosition}, which is not`
          : `position ${blockedPosition} is tried again in ${Math.ceil(((blockedUntilMs ?? now) - now) / 1000)} s`;
      case 'DELIVERING':
        return inFlight === 0
          ? `looks for events after position ${progress.scanned}`
          : `${inFlight} ${inFlight === 1 ? 'event is' : 'events are'} in flight`;
      default:
        return assertNever(activity);
    }
  }

  #isAheadOf(position: Position): boolean {
    return this.#scan.blockedBy(this.#state.progress.acked.last + 1) === position;
  }

  #blocked(head: Position, now: Millis): WindowCondition | undefined {
    const { progress, records } = this.#state;
    const blocker = this.#scan.blockedBy(Math.max(head, progress.acked.last + 1));
    if (blocker === undefined) return undefined;
    const record = records.get(blocker);
    const isDelayed = record?.state === RecordState.WAITING && record.notBeforeMs > now;
    const blockedUntilMs = isDelayed ? record.notBeforeMs : undefined;
    return { activity: 'BLOCKED_BY_RETRY', blockedPosition: blocker, blockedUntilMs };
  }

  #isIdle(head: Position): boolean {
    return this.#state.inFlight === 0 && !this.hasBacklog(head);
  }

  #delayed(head: Position, now: Millis): WindowCondition | undefined {
    const { pool, inFlight, waiting, freeHeld, progress, redelivery } = this.#state;
    if (waiting === 0 || inFlight > 0 || freeHeld.size > 0 || progress.scanned < head) return undefined;
    const delayed = redelivery.next(pool, now, 1).length === 0 ? redelivery.firstDelayed() : undefined;
    if (delayed === undefined) return undefined;
    const { position, notBeforeMs } = delayed;
    return { activity: 'BLOCKED_BY_RETRY', blockedPosition: position, blockedUntilMs: notBeforeMs };
  }
}

function unblocked(activity: Exclude<WindowCondition['activity'], 'BLOCKED_BY_RETRY'>): WindowCondition {
  return { activity, blockedPosition: 0, blockedUntilMs: undefined };
}
