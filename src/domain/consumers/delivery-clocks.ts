// The ack clocks: when an event that was delivered and not answered has had its time.

import type { Millis } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { DeliveryMember } from './open-events.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

/** Neither an answer of its member nor an extension has an event's clock run longer than so many ack time-outs. */
const MAX_CLOCK_SPAN = 10;

/**
 * A clock runs `ackTimeoutMs` from its start or from its member's last answer, whichever is later, and at most ten times
 * that from its start. Both terms rise with the start, so each member's list, in order of start, is in order of deadline
 * too: an answer restarts any number of clocks in O(1). Extended events leave the list for a heap once that time is over; the ten-fold
 * bound holds for them too. The members whose clocks run
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
    this.#requeueExtended();
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
    const unextended = this.#unextended(record, member);
    // Asked for each delivery: most are never extended.
    if (record.extendedUntilMs <= unextended) return unextended;
    return Math.min(record.extendedUntilMs, this.#latest(record));
  }

  /**
   * Gives an event in flight time until then, as far as the ten-fold bound allows; returns until when that is. The span of an event
   * whose clock does not run yet begins no sooner than now.
   */
  extend(record: DeliveryRecord, untilMs: Millis, now: Millis): Millis {
    const latest = record.clockRuns ? this.#latest(record) : now + MAX_CLOCK_SPAN * this.#ackTimeoutMs;
    record.extendedUntilMs = Math.max(record.extendedUntilMs, Math.min(untilMs, latest));
    return record.extendedUntilMs;
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
      const deadline = this.deadline(record, member);
      if (deadline > now) this.#addExtended(record, deadline);
      else due.push(record);
    }
  }

  #unextended(record: DeliveryRecord, member: DeliveryMember): number {
    const start = record.clockStartMs;
    const restarted = Math.max(start, member.answeredMs) + this.#ackTimeoutMs;
    return Math.min(restarted, start + MAX_CLOCK_SPAN * this.#ackTimeoutMs);
  }

  /** The time at which a clock that runs has run out, whatever was answered and asked for. */
  #latest(record: DeliveryRecord): number {
    return record.clockStartMs + MAX_CLOCK_SPAN * this.#ackTimeoutMs;
  }

  /** Puts extended events where they stand by another time-out: their bound may lie before their key. */
  #requeueExtended(): void {
    const extended: DeliveryRecord[] = [];
    while (this.#extended.size > 0) {
      const key = this.#extended.minKey;
      const record = this.#extended.pop() as DeliveryRecord;
      if (record.extendedKey !== key || record.state !== RecordState.IN_FLIGHT) continue;
      record.extendedKey = 0;
      extended.push(record);
    }
    for (const record of extended) this.#addExtended(record, this.deadline(record, record.member as DeliveryMember));
  }

  #addExtended(record: DeliveryRecord, deadline: number): void {
    record.extendedKey = deadline;
    this.#extended.add(deadline, record);
  }
}
