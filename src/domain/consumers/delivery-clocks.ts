// The ack clocks: when an event that was delivered and not answered has had its time.

import type { Millis } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { DeliveryMember } from './open-events.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

/** An answer of its member restarts an event's clock until so many ack time-outs after that clock began. */
const MAX_RESTARTS_SPAN = 10;

/**
 * A clock runs `ackTimeoutMs` from its start or from its member's last answer, whichever is later, and at most ten times
 * that from its start. Both terms rise with the start, so each member's list, in order of start, is in order of deadline
 * too: an answer restarts any number of clocks in O(1). Extended events leave the list for a heap.
 *
 * A clock starts with the delivery, or under BY_STREAM when its event becomes the oldest of its stream: what waited in a
 * member's hands behind others gets its ten time-outs from there.
 */
export class AckClocks {
  ackTimeoutMs: Millis;
  readonly #extended = new KeyedHeap<DeliveryRecord>();

  constructor(ackTimeoutMs: Millis) {
    this.ackTimeoutMs = ackTimeoutMs;
  }

  start(record: DeliveryRecord, member: DeliveryMember, now: number): void {
    record.clockStartMs = now;
    member.clocks.append(record.clockLink);
  }

  stop(record: DeliveryRecord): void {
    record.clockLink.list?.remove(record.clockLink);
    record.extendedKey = 0;
  }

  deadline(record: DeliveryRecord, member: DeliveryMember): number {
    return Math.max(this.#unextended(record, member), record.extendedUntilMs);
  }

  /** Takes out and returns what ran out by now, in no order. */
  takeDue(members: Iterable<DeliveryMember>, now: number): DeliveryRecord[] {
    const due: DeliveryRecord[] = [];
    for (const member of members) this.#takeDueOf(member, now, due);
    while ((this.#extended.minKey ?? Number.POSITIVE_INFINITY) <= now) {
      const key = this.#extended.minKey as number;
      const record = this.#extended.pop() as DeliveryRecord;
      if (record.extendedKey !== key || record.state !== RecordState.IN_FLIGHT) continue;
      record.extendedKey = 0;
      const deadline = this.deadline(record, record.member as DeliveryMember);
      if (deadline <= now) due.push(record);
      else this.#addExtended(record, deadline);
    }
    return due;
  }

  /** Returns when the next clock may run out; early if it was extended. */
  nextDue(members: Iterable<DeliveryMember>): number | undefined {
    let next = this.#extended.minKey ?? Number.POSITIVE_INFINITY;
    for (const member of members) {
      const first = member.clocks.first;
      if (first !== undefined) next = Math.min(next, this.#unextended(first, member));
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  clear(): void {
    this.#extended.clear();
  }

  #takeDueOf(member: DeliveryMember, now: number, due: DeliveryRecord[]): void {
    for (let record = member.clocks.first; record !== undefined; record = member.clocks.first) {
      if (this.#unextended(record, member) > now) return;
      member.clocks.remove(record.clockLink);
      if (record.extendedUntilMs > now) this.#addExtended(record, record.extendedUntilMs);
      else due.push(record);
    }
  }

  #unextended(record: DeliveryRecord, member: DeliveryMember): number {
    const start = record.clockStartMs;
    const restarted = Math.max(start, member.answeredMs) + this.ackTimeoutMs;
    return Math.min(restarted, start + MAX_RESTARTS_SPAN * this.ackTimeoutMs);
  }

  #addExtended(record: DeliveryRecord, deadline: number): void {
    record.extendedKey = deadline;
    this.#extended.add(deadline, record);
  }
}
