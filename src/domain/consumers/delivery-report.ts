// What people see of a window: its numbers, and why it does or does not deliver.

import type { Millis, Position } from '../../units.js';
import type { DeliveryScan } from './delivery-scan.js';
import type { DeliveryState } from './delivery-state.js';
import type { WindowActivity, WindowStats } from './delivery-types.js';

export interface ActivityReport {
  readonly activity: WindowActivity;
  readonly cause: string;
}

export class DeliveryReport {
  readonly #state: DeliveryState;
  readonly #scan: DeliveryScan;

  constructor(state: DeliveryState, scan: DeliveryScan) {
    this.#state = state;
    this.#scan = scan;
  }

  stats(): WindowStats {
    const { inFlight, waiting, heldStreams, failures, progress } = this.#state;
    return {
      inFlight,
      waiting,
      heldStreams,
      parked: failures.parked,
      ackedAhead: progress.acked.eventCount,
      oldestUnacknowledged: progress.oldestRecord()?.position ?? 0,
    };
  }

  /** Says why it does or does not deliver; `head` is the newest visible position. */
  activity(head: Position, now: Millis): ActivityReport {
    const { pool, inFlight } = this.#state;
    const at = this.#state.tick(now);
    if (pool.size === 0) return this.#withParked({ activity: 'NO_MEMBER', cause: 'nobody is subscribed' });
    return this.#withParked(
      this.#blocked(head) ??
        this.#idle(head) ??
        this.#withoutCredit() ??
        this.#delayed(head, at) ?? { activity: 'DELIVERING', cause: `${inFlight} events are in flight` },
    );
  }

  /** Adds to the cause that nothing more can be parked, where that is so. */
  #withParked(report: ActivityReport): ActivityReport {
    const { failures, limits } = this.#state;
    if (failures.parked < limits.maxParked) return report;
    const full = `${failures.parked} events are parked, as many as may be: what uses up its attempts is delivered again`;
    return { ...report, cause: `${report.cause}; ${full}` };
  }

  #blocked(head: Position): ActivityReport | undefined {
    const blocker = this.#scan.blockedBy(Math.max(head, this.#state.progress.acked.last + 1));
    if (blocker === undefined) return undefined;
    const cause = `too much is acknowledged after position ${blocker}, which is not`;
    return { activity: 'BLOCKED_BY_RETRY', cause };
  }

  #idle(head: Position): ActivityReport | undefined {
    const { inFlight, waiting, heldStreams, progress } = this.#state;
    if (inFlight > 0 || waiting > 0 || heldStreams > 0 || progress.scanned < head) return undefined;
    return { activity: 'IDLE', cause: 'everything is acknowledged and there is nothing new' };
  }

  #withoutCredit(): ActivityReport | undefined {
    const { pool, inFlight } = this.#state;
    if (pool.hasCredit) return undefined;
    const cause = inFlight === 0 ? 'no member asks for events' : `all credit is used by ${inFlight} events in flight`;
    return { activity: 'WAITING_FOR_ACKS', cause };
  }

  #delayed(head: Position, now: Millis): ActivityReport | undefined {
    const { pool, inFlight, freeHeld, progress, redelivery } = this.#state;
    const nothingElse = inFlight === 0 && freeHeld.size === 0 && progress.scanned >= head;
    const delayed = nothingElse && redelivery.next(pool, now, 1).length === 0 ? redelivery.firstDelayed() : undefined;
    if (delayed === undefined) return undefined;
    const wait = Math.ceil((delayed.notBeforeMs - now) / 1000);
    return { activity: 'BLOCKED_BY_RETRY', cause: `position ${delayed.position} is tried again in ${wait} s` };
  }
}
