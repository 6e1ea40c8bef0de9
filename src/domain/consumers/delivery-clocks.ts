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
 * too: an answer restarts any number of clocks in O(1). Extended events leave the list for a heap. The members whose clocks run
 * stand in another one, each once, by a time at or before that of its first clock: members without any cost nothing.
 *
 * A clock starts with the delivery, or under BY_STREAM when its event becomes the oldest of its stream: what waited in a
 * member's hands behind others gets its ten time-outs from there.
 */
export class AckClocks {
  #ackTimeoutMs: Millis;
  readonly #extended = new KeyedHeap<DeliveryRecord>();
  /** Made for the first clock. */
  #running: KeyedHeap<DeliveryMember> | undefined;

  constructor(ackTimeoutMs: Millis) {
    this.#ackTimeoutMs = ackTimeoutMs;
  }

  /** Takes another time-out, also for clocks that run. */
  setAckTimeout(ackTimeoutMs: Millis): void {
    this.#ackTimeoutMs = ackTimeoutMs;
    const members = this.#running;
    this.#running = undefined;
    for (let member = members?.pop(); member !== undefined; member = members?.pop()) {
      member.clocksQueued = false;
      this.#enqueue(member);
    }
  }

  start(record: DeliveryRecord, member: DeliveryMember, now: number): void {
    record.clockStartMs = now;
    member.clocks.append(record.clockLink);
    if (!member.clocksQueued) this.#enqueue(member);
  }

  stop(record: DeliveryRecord): void {
    record.clockLink.list?.remove(record.clockLink);
    record.extendedKey = 0;
  }

  deadline(record: DeliveryRecord, member: DeliveryMember): number {
    return Math.max(this.#unextended(record, member), record.extendedUntilMs);
  }

  /** Takes out and returns what ran out by now, in no order. */
  takeDue(now: number): DeliveryRecord[] {
    const due: DeliveryRecord[] = [];
    while ((this.#running?.minKey ?? Number.POSITIVE_INFINITY) <= now) {
      const member = this.#running?.pop() as DeliveryMember;
      member.clocksQueued = false;
      this.#takeDueOf(member, now, due);
      this.#enqueue(member);
    }
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

  /** Returns when the next clock may run out; early if it was extended or started anew. */
  nextDue(): number | undefined {
    this.#dropStopped();
    const running = this.#running?.minKey;
    const extended = this.#extended.minKey;
    return running === undefined || extended === undefined ? (running ?? extended) : Math.min(running, extended);
  }

  /** Takes members without a running clock from the top. */
  #dropStopped(): void {
    for (let min = this.#running?.min; min !== undefined && min.clocks.first === undefined; min = this.#running?.min) {
      min.clocksQueued = false;
      this.#running?.pop();
    }
  }

  /** Puts a member where its first clock stands, if one runs. */
  #enqueue(member: DeliveryMember): void {
    const { first } = member.clocks;
    if (first === undefined) return;
    member.clocksQueued = true;
    this.#running ??= new KeyedHeap();
    this.#running.add(this.#unextended(first, member), member);
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
    const restarted = Math.max(start, member.answeredMs) + this.#ackTimeoutMs;
    return Math.min(restarted, start + MAX_RESTARTS_SPAN * this.#ackTimeoutMs);
  }

  #addExtended(record: DeliveryRecord, deadline: number): void {
    record.extendedKey = deadline;
    this.#extended.add(deadline, record);
  }
}
