// The members of a consumer by their free credit: which of them takes an event that is free to go to any.

import type { MemberCredit } from './delivery-types.js';
import { type DeliveryMember, type DeliveryUnit, RecordState } from './open-events.js';

/** Members sorted by free credit in a heap, the greatest on top. */
export class MemberPool {
  readonly #byName = new Map<string, DeliveryMember>();
  readonly #heap: DeliveryMember[] = [];
  /** Made for the first delivery: most of many thousand consumers are idle. */
  #busy: Set<DeliveryMember> | undefined;
  #maxInFlight = 0;
  #maxInFlightBytes = 0;
  #totalFree = 0;
  #totalFreeBytes = 0;

  get size(): number {
    return this.#heap.length;
  }

  get(name: string): DeliveryMember | undefined {
    return this.#byName.get(name);
  }

  /** The credit of all members together. */
  get credit(): MemberCredit {
    return { maxInFlight: this.#maxInFlight, maxInFlightBytes: this.#maxInFlightBytes };
  }

  /** All members, in the order they came. */
  all(): IterableIterator<DeliveryMember> {
    return this.#byName.values();
  }

  add(member: DeliveryMember): void {
    this.#byName.set(member.name, member);
    member.index = this.#heap.length;
    this.#heap.push(member);
    this.#maxInFlight += member.maxInFlight;
    this.#maxInFlightBytes += member.maxInFlightBytes;
    this.#totalFree += member.free;
    this.#totalFreeBytes += member.freeBytes;
    this.changed(member);
  }

  /** Members with something in flight. */
  get busy(): Iterable<DeliveryMember> {
    return this.#busy ?? [];
  }

  /** Takes note that a member has something in flight now, or nothing. */
  noteBusy(member: DeliveryMember): void {
    if (member.inFlight === 0) this.#busy?.delete(member);
    else {
      this.#busy ??= new Set();
      this.#busy.add(member);
    }
  }

  /** Gives a member other credit; what is in flight stays. */
  setCredit(member: DeliveryMember, { maxInFlight, maxInFlightBytes }: MemberCredit): void {
    this.#maxInFlight += maxInFlight - member.maxInFlight;
    this.#maxInFlightBytes += maxInFlightBytes - member.maxInFlightBytes;
    member.maxInFlight = maxInFlight;
    member.maxInFlightBytes = maxInFlightBytes;
    this.changed(member);
  }

  /** Takes a member out that has nothing in flight, and so no reservation. */
  remove(member: DeliveryMember): void {
    this.#byName.delete(member.name);
    this.#maxInFlight -= member.maxInFlight;
    this.#maxInFlightBytes -= member.maxInFlightBytes;
    this.#totalFree -= member.free;
    this.#totalFreeBytes -= member.freeBytes;
    const last = this.#heap.pop() as DeliveryMember;
    if (last === member) return;
    last.index = member.index;
    this.#heap[last.index] = last;
    this.#sift(last);
  }

  get hasCredit(): boolean {
    const top = this.#heap[0];
    return top !== undefined && top.free > 0;
  }

  /** Free credit of all members in events. */
  get totalFree(): number {
    return this.#totalFree;
  }

  /** Free credit of all members in bytes. */
  get totalFreeBytes(): number {
    return this.#totalFreeBytes;
  }

  /** Whether a member besides this one has credit. */
  hasCreditBesides(member: DeliveryMember): boolean {
    const top = this.#heap[0];
    return top === member ? this.#second() !== undefined : top !== undefined && top.free > 0;
  }

  /** The member that takes an event of so many bytes: the one that has its stream, or if none has, the chosen one. */
  taker(holder: DeliveryMember | undefined, bytes: number, avoid?: DeliveryMember): DeliveryMember | undefined {
    if (holder === undefined) return this.choose(bytes, avoid);
    return holder.canTake(bytes) ? holder : undefined;
  }

  /**
   * The member with the most free credit that can take an event of so many bytes. `avoid` is taken only if there is no
   * other: it failed on this event before.
   */
  choose(bytes: number, avoid?: DeliveryMember): DeliveryMember | undefined {
    const top = this.#heap[0];
    const first = top === avoid ? (this.#second() ?? top) : top;
    if (first === undefined || first.free <= 0) return undefined;
    if (first.canTake(bytes)) return first;
    // Rare: the bytes do not fit where the most events would.
    let best: DeliveryMember | undefined;
    for (const member of this.#heap) {
      if (member.free > (best?.free ?? 0) && member.canTake(bytes)) best = member;
    }
    return best;
  }

  /**
   * Keeps a member from taking anything until the next event of the unit fits: else smaller ones would use the room as it
   * comes, for ever. The session asks for what waits before it scans, so that what fits then goes first.
   */
  reserve(unit: DeliveryUnit, holder: DeliveryMember | undefined): void {
    if (unit.reservedOn?.reservedFor === unit) return;
    const member = holder ?? this.#leastUsed();
    if (member === undefined || member.reservedFor !== undefined || member.inFlight === 0) return;
    member.reservedFor = unit;
    unit.reservedOn = member;
    this.changed(member);
  }

  /** The unit needs no reservation any more. */
  release(unit: DeliveryUnit): void {
    const member = unit.reservedOn;
    if (member === undefined) return;
    unit.reservedOn = undefined;
    if (member.reservedFor !== unit) return;
    member.reservedFor = undefined;
    this.changed(member);
  }

  /** The member's credit or use changed. */
  changed(member: DeliveryMember): void {
    if (member.reservedFor !== undefined && !this.#stillReserved(member, member.reservedFor)) {
      member.reservedFor.reservedOn = undefined;
      member.reservedFor = undefined;
    }
    const full =
      member.reservedFor !== undefined || (member.inFlight > 0 && member.inFlightBytes >= member.maxInFlightBytes);
    const free = full ? 0 : Math.max(0, member.maxInFlight - member.inFlight);
    const freeBytes = free === 0 ? 0 : Math.max(0, member.maxInFlightBytes - member.inFlightBytes);
    this.#totalFreeBytes += freeBytes - member.freeBytes;
    member.freeBytes = freeBytes;
    if (free === member.free) return;
    this.#totalFree += free - member.free;
    member.free = free;
    if (this.#heap.length > 1) this.#sift(member);
  }

  /** Whether the member is still reserved: until the unit fits, or no longer waits for it. */
  #stillReserved(member: DeliveryMember, unit: DeliveryUnit): boolean {
    if (member.maxInFlight === 0 || member.canTake(unit.nextBytes, unit)) return false;
    if ('records' in unit) return unit.waits && (unit.holder === undefined || unit.holder === member);
    return unit.state === RecordState.WAITING;
  }

  #leastUsed(): DeliveryMember | undefined {
    let least: DeliveryMember | undefined;
    for (const member of this.#heap) {
      if (member.maxInFlight === 0 || member.reservedFor !== undefined) continue;
      if (least === undefined || member.inFlight < least.inFlight) least = member;
    }
    return least;
  }

  /** The member with the most credit after the top one; undefined if none of them has any. */
  #second(): DeliveryMember | undefined {
    const left = this.#heap[1];
    const right = this.#heap[2];
    const best = right !== undefined && left !== undefined && right.free > left.free ? right : left;
    return best !== undefined && best.free > 0 ? best : undefined;
  }

  #sift(member: DeliveryMember): void {
    const heap = this.#heap;
    let at = member.index;
    while (at > 0) {
      const parent = heap[(at - 1) >> 1] as DeliveryMember;
      if (parent.free >= member.free) break;
      heap[at] = parent;
      parent.index = at;
      at = (at - 1) >> 1;
    }
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && right.free > (heap[child] as DeliveryMember).free) child++;
      const best = heap[child] as DeliveryMember;
      if (best.free <= member.free) break;
      heap[at] = best;
      best.index = at;
      at = child;
    }
    heap[at] = member;
    member.index = at;
  }
}
