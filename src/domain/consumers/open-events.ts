// The open events of a consumer, the members that have them and the streams that they belong to: three classes that know each
// other by nature. They keep what is linked to what; the parts of the window decide.

import type { Millis, Position } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import { Link, LinkedList } from '../collections/linked-list.js';
import type { FailureRecord, MemberCredit, MemberUse } from './delivery-types.js';

/** Waiting: not with a member now. Done: no longer of interest; left in queues until it comes up there. */
export const RecordState = { WAITING: 0, IN_FLIGHT: 1, DONE: 2 } as const;
export type RecordState = (typeof RecordState)[keyof typeof RecordState];

/** Deliveries of one event in a row to members of one name. */
interface LeaseRun {
  readonly member: string;
  readonly first: number;
  readonly last: number;
}

/** Runs kept besides the present one: an event that went round more members than that forgets the oldest. */
const MAX_FORMER_RUNS = 8;

/** An event that is in flight or waits to be delivered again. */
export class DeliveryRecord {
  readonly position: Position;
  /** The positions from here to `position` hold no other event of the consumer: done when this is done. */
  readonly coversFrom: Position;
  /** The stream in which it has its order; undefined: it has none, or is a replay. */
  readonly stream: StreamQueue | undefined;
  readonly replay: boolean;
  bytes: number;
  state: RecordState = RecordState.WAITING;
  failure: FailureRecord | undefined;
  /** The member that has it, or had it last. */
  member: DeliveryMember | undefined;
  /** Lease of the newest delivery by this owner; 0: none as yet. */
  lease = 0;
  firstLease = 0;
  /** The present run: the member's name, and its first lease; the last one is `lease`. */
  #runMember: string | undefined;
  #runFirst = 0;
  #formerRuns: LeaseRun[] | undefined;

  /** When its clock started in this delivery; meaningless while it does not run. */
  clockStartMs = 0;
  /** The time that its member asked for beyond its clock; 0: none. */
  extendedUntilMs = 0;
  /** Key of its entry among the extended ones; 0: not there. */
  extendedKey = 0;

  readonly streamLink: Link<DeliveryRecord> | undefined;
  readonly memberLink: Link<DeliveryRecord>;
  readonly clockLink: Link<DeliveryRecord>;
  /** The member that takes nothing else until this fits. */
  reservedOn: DeliveryMember | undefined;
  /** The queue in which it stands for its unit; undefined: none. */
  queuedIn: KeyedHeap<DeliveryRecord> | undefined;
  /** Its key in that queue; an entry with another one is void. */
  queueKey = 0;

  constructor(
    position: Position,
    coversFrom: Position,
    bytes: number,
    stream: StreamQueue | undefined,
    replay: boolean,
  ) {
    this.position = position;
    this.coversFrom = coversFrom;
    this.bytes = bytes;
    this.stream = stream;
    this.replay = replay;
    this.streamLink = stream === undefined ? undefined : new Link<DeliveryRecord>(this);
    this.memberLink = new Link<DeliveryRecord>(this);
    this.clockLink = new Link<DeliveryRecord>(this);
  }

  get nextBytes(): number {
    return this.bytes;
  }

  get attempts(): number {
    return this.failure === undefined ? 0 : this.failure.attempts;
  }

  get notBeforeMs(): Millis {
    return this.failure === undefined ? 0 : this.failure.notBeforeMs;
  }

  /** The member that it failed with last, to be avoided at the next delivery. */
  get failedWith(): DeliveryMember | undefined {
    return this.attempts > 0 ? this.member : undefined;
  }

  get clockRuns(): boolean {
    return this.clockLink.list !== undefined || this.extendedKey !== 0;
  }

  /** Leased to a member under a new lease. */
  leasedTo(member: DeliveryMember, lease: number): void {
    if (this.lease === 0) this.firstLease = lease;
    if (this.#runMember !== member.name) this.#beginRun(member.name, lease);
    this.member = member;
    this.lease = lease;
    this.state = RecordState.IN_FLIGHT;
    this.extendedUntilMs = 0;
  }

  /** Whether the lease is one that its present, or last, member got for it, now or before. */
  leaseIsOfMember(lease: number): boolean {
    const member = this.#runMember;
    if (member === undefined) return false;
    if (lease >= this.#runFirst && lease <= this.lease) return true;
    return this.#formerRuns?.some((r) => r.member === member && lease >= r.first && lease <= r.last) ?? false;
  }

  #beginRun(member: string, lease: number): void {
    if (this.#runMember !== undefined) {
      this.#formerRuns ??= [];
      this.#formerRuns.push({ member: this.#runMember, first: this.#runFirst, last: this.lease });
      if (this.#formerRuns.length > MAX_FORMER_RUNS) this.#formerRuns.shift();
    }
    this.#runMember = member;
    this.#runFirst = lease;
  }
}

/** One stream with open events. */
export class StreamQueue {
  readonly key: string;
  /** The stream's records by position: in flight ones, then waiting ones. */
  readonly records = new LinkedList<DeliveryRecord>();
  firstWaiting: DeliveryRecord | undefined;
  inFlight = 0;
  /** The member that has what is in flight; undefined: nothing is, any member may take the stream. */
  holder: DeliveryMember | undefined;
  /** No event that was passed over lies before this position; 0: none was passed over. */
  heldFrom: Position = 0;
  /** Size of the event at `heldFrom`, as far as known. */
  heldBytes = 0;
  /** A re-read had to stop at `heldFrom`: it is to be named again before it may go on. */
  rereadStopped = false;
  /** The set in which it waits to be re-read. */
  heldIn: Set<StreamQueue> | undefined;
  /** The member that takes nothing else until what comes next here fits. */
  reservedOn: DeliveryMember | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether a new event has to queue behind older ones that are not in flight. */
  get waits(): boolean {
    return this.firstWaiting !== undefined || this.heldFrom !== 0;
  }

  /** Size of what comes next of it to a member, as far as known. */
  get nextBytes(): number {
    return this.firstWaiting === undefined ? this.heldBytes : this.firstWaiting.bytes;
  }

  get isEmpty(): boolean {
    return this.records.first === undefined && this.heldFrom === 0;
  }
}

/** What waits as one: a stream, or an event without one. */
export type DeliveryUnit = DeliveryRecord | StreamQueue;

export class DeliveryMember {
  readonly name: string;
  maxInFlight: number;
  maxInFlightBytes: number;
  inFlight = 0;
  inFlightBytes = 0;
  /** When it last answered, which restarts its clocks; 0: not yet. */
  answeredMs = 0;
  /** What is in flight by ascending position, as nearly everything is delivered. */
  readonly ascending = new LinkedList<DeliveryRecord>();
  /** What is in flight and was delivered after something newer. */
  readonly others = new Set<DeliveryRecord>();
  /** What is in flight with a running clock, by the start of that clock. */
  readonly clocks = new LinkedList<DeliveryRecord>();
  /** Whether it stands among the members whose clocks run. */
  clocksQueued = false;
  /** Waiting records that only this member may take, as it has their stream. */
  readonly ready = new KeyedHeap<DeliveryRecord>();
  /** Streams with passed over events that only this member may take. */
  readonly held = new Set<StreamQueue>();
  /** What it has to take next, once that fits; undefined: whatever comes. */
  reservedFor: DeliveryUnit | undefined;
  /** Free credit in events as the pool sorts it, in bytes, and where the pool has it. */
  free = 0;
  freeBytes = 0;
  index = 0;

  constructor(name: string, credit: MemberCredit) {
    this.name = name;
    this.maxInFlight = credit.maxInFlight;
    this.maxInFlightBytes = credit.maxInFlightBytes;
  }

  get use(): MemberUse {
    const { name, inFlight, inFlightBytes, maxInFlight, maxInFlightBytes, answeredMs } = this;
    const answered = answeredMs === 0 ? undefined : answeredMs;
    return { name, inFlight, inFlightBytes, maxInFlight, maxInFlightBytes, answeredMs: answered };
  }

  /** Returns the member with its credit and with nothing in flight. */
  anew(): DeliveryMember {
    const member = new DeliveryMember(this.name, this);
    member.answeredMs = this.answeredMs;
    return member;
  }

  /** Whether its credit has room for an event of so many bytes; of the unit for which it is reserved, or any. */
  canTake(bytes: number, unit?: DeliveryUnit): boolean {
    if (this.reservedFor !== undefined && this.reservedFor !== unit) return false;
    if (this.inFlight >= this.maxInFlight) return false;
    return this.inFlight === 0 || this.inFlightBytes + bytes <= this.maxInFlightBytes;
  }

  take(record: DeliveryRecord): void {
    this.inFlight++;
    this.inFlightBytes += record.bytes;
    const last = this.ascending.last;
    if (last === undefined || last.position < record.position) this.ascending.append(record.memberLink);
    else this.others.add(record);
  }

  giveBack(record: DeliveryRecord): void {
    this.inFlight--;
    this.inFlightBytes -= record.bytes;
    if (record.memberLink.list === this.ascending) this.ascending.remove(record.memberLink);
    else this.others.delete(record);
  }

  /** Returns everything that it has in flight, by position. */
  records(): DeliveryRecord[] {
    const records = this.recordsUpTo(Number.POSITIVE_INFINITY);
    return records.sort((a, b) => a.position - b.position);
  }

  /** What it has in flight at or below a position, in no order. Costs what it returns, and the out of order ones. */
  recordsUpTo(position: Position): DeliveryRecord[] {
    const records: DeliveryRecord[] = [];
    let link = this.ascending.first?.memberLink;
    for (; link !== undefined && link.value.position <= position; link = link.next) records.push(link.value);
    for (const record of this.others) {
      if (record.position <= position) records.push(record);
    }
    return records;
  }
}
