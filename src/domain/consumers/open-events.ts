// What the delivery window remembers of one open event, and the lists it is linked into.

import type { KeyedHeap } from '../collections/keyed-heap.js';
import type { Position } from '../events/event.js';
import type { Trouble } from './delivery-types.js';
import type { DeliveryMember } from './member-pool.js';
import type { StreamQueue } from './stream-queue.js';

/** A place in one linked list; a record has one for each list that it may be in. */
export class Link<T> {
  readonly value: T;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;
  list: LinkedList<T> | undefined;

  constructor(value: T) {
    this.value = value;
  }
}

/** Doubly linked, so that an answer in the middle costs as little as one at the front. */
export class LinkedList<T> {
  #head: Link<T> | undefined;
  #tail: Link<T> | undefined;

  get first(): T | undefined {
    return this.#head?.value;
  }

  get last(): T | undefined {
    return this.#tail?.value;
  }

  append(link: Link<T>): void {
    link.list = this;
    link.previous = this.#tail;
    if (this.#tail === undefined) this.#head = link;
    else this.#tail.next = link;
    this.#tail = link;
  }

  /** Takes a link of this list out. */
  remove(link: Link<T>): void {
    const { previous, next } = link;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    link.previous = undefined;
    link.next = undefined;
    link.list = undefined;
  }
}

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
  /** Undefined: it has no order, or is a replay. */
  readonly stream: StreamQueue | undefined;
  readonly replay: boolean;
  bytes: number;
  state: RecordState = RecordState.WAITING;
  trouble: Trouble | undefined;
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
  /** It was asked to leave it more time than its clock; 0: not. */
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
  /** Its key there; an entry with another one is void. */
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
    return this.trouble === undefined ? 0 : this.trouble.attempts;
  }

  get notBeforeMs(): number {
    return this.trouble === undefined ? 0 : this.trouble.notBeforeMs;
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
