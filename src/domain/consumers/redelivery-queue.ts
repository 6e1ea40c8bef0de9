// What waits to be delivered again, and which of it could go to a member now. Each unit (a stream, or an event without
// one) stands here with its first waiting event.

import type { Position } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { MemberPool } from './member-pool.js';
import type { DeliveryMember } from './open-events.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

/** Units that are looked at in vain before the rest has to wait for room too. */
const MAX_MISSES = 16;

/** What one look for deliverable positions found. */
interface Taken {
  readonly now: number;
  readonly limit: number;
  /** Bytes that the members could take besides: whoever reads the events reads no more than can go. */
  bytesLeft: number;
  readonly positions: Position[];
  /** First waiting events of units for which no member has the bytes now. */
  readonly tooLarge: DeliveryRecord[];
}

export class RedeliveryQueue {
  /** Units that any member may take, by position; those of a member's own streams are in `member.ready`. */
  readonly #free = new KeyedHeap<DeliveryRecord>();
  /** The members that have some in `ready`, and perhaps others; made for the first one. */
  #holders: Set<DeliveryMember> | undefined;
  /** Units whose first event is not due, by the time when it is. */
  readonly #delayed = new KeyedHeap<DeliveryRecord>();

  /** Puts the first waiting event of a unit where it belongs now; again whenever its stream's member or its delay changed. */
  schedule(record: DeliveryRecord, now: number): void {
    const holder = record.stream?.holder;
    if (record.notBeforeMs > now) this.#put(this.#delayed, record.notBeforeMs, record);
    else if (holder === undefined) this.#put(this.#free, record.position, record);
    else {
      this.#put(holder.ready, record.position, record);
      this.#holders ??= new Set();
      this.#holders.add(holder);
    }
  }

  /** Moves what has become due to the others. */
  promote(now: number): void {
    while ((this.#delayed.minKey ?? Number.POSITIVE_INFINITY) <= now) {
      const record = this.#popHead(this.#delayed);
      if (record !== undefined) this.schedule(record, now);
    }
  }

  /** When the next unit becomes due; early if one was answered. */
  nextDue(): number | undefined {
    return this.#delayed.minKey;
  }

  /** The unit that becomes due next; undefined if none is delayed. */
  firstDelayed(): DeliveryRecord | undefined {
    const delayed = this.#delayed;
    while (delayed.min !== undefined && (delayed.min.queuedIn !== delayed || delayed.min.queueKey !== delayed.minKey)) {
      delayed.pop();
    }
    return delayed.min;
  }

  /** Positions that could be delivered now, ascending. */
  next(pool: MemberPool, now: number, limit: number): Position[] {
    this.promote(now);
    const taken: Taken = { now, limit, bytesLeft: pool.totalFreeBytes, positions: [], tooLarge: [] };
    for (const member of this.#holders ?? []) {
      if (member.ready.size === 0) this.#holders?.delete(member);
      else if (member.free > 0) this.#takeOwn(member, taken);
    }
    if (this.#free.size > 0 && pool.hasCredit) this.#takeFree(pool, taken);
    // Only if nothing fits: a reservation would take the room from under what was named.
    if (taken.positions.length === 0) {
      for (const record of taken.tooLarge) pool.reserve(record.stream ?? record, record.stream?.holder);
    }
    return taken.positions.sort((a, b) => a - b);
  }

  /** Takes from the units of a member's own streams. */
  #takeOwn(member: DeliveryMember, taken: Taken): void {
    const seen: DeliveryRecord[] = [];
    let credit = member.free;
    while (credit > 0 && hasRoom(taken) && member.ready.size > 0) {
      const record = this.#popHead(member.ready);
      if (record === undefined) continue;
      seen.push(record);
      if (member.canTake(record.bytes)) {
        credit -= addRun(record, { events: credit, bytes: member.freeBytes }, taken);
      } else {
        taken.tooLarge.push(record);
        break;
      }
    }
    for (const record of seen) this.schedule(record, taken.now);
  }

  /** Takes from the units that any member may have. */
  #takeFree(pool: MemberPool, taken: Taken): void {
    const seen: DeliveryRecord[] = [];
    let credit = pool.totalFree;
    let misses = 0;
    while (credit > 0 && misses < MAX_MISSES && hasRoom(taken) && this.#free.size > 0) {
      const record = this.#popHead(this.#free);
      if (record === undefined) continue;
      seen.push(record);
      const member = pool.choose(record.bytes, record.failedWith);
      if (member !== undefined) {
        credit -= addRun(record, { events: Math.min(credit, member.free), bytes: member.freeBytes }, taken);
      } else {
        taken.tooLarge.push(record);
        misses++;
      }
    }
    for (const record of seen) this.schedule(record, taken.now);
  }

  /** Takes the top out; undefined if it was void, or no longer stands for its unit. */
  #popHead(heap: KeyedHeap<DeliveryRecord>): DeliveryRecord | undefined {
    const key = heap.minKey;
    const record = heap.pop() as DeliveryRecord;
    if (record.queuedIn !== heap || record.queueKey !== key) return undefined;
    record.queuedIn = undefined;
    const isHead = record.stream === undefined || record.stream.firstWaiting === record;
    return isHead && record.state === RecordState.WAITING ? record : undefined;
  }

  #put(heap: KeyedHeap<DeliveryRecord>, key: number, record: DeliveryRecord): void {
    if (record.queuedIn === heap && record.queueKey === key) return;
    record.queuedIn = heap;
    record.queueKey = key;
    heap.add(key, record);
  }
}

/** Whether one more may be named; the first one always, as a larger event is delivered alone. */
function hasRoom({ positions, limit, bytesLeft }: Taken): boolean {
  return positions.length < limit && (positions.length === 0 || bytesLeft > 0);
}

/** Adds a unit's first waiting event and those after it that are due, as far as the member has room; returns how many. */
function addRun(
  first: DeliveryRecord,
  room: { readonly events: number; readonly bytes: number },
  taken: Taken,
): number {
  let { bytes } = room;
  let events = 0;
  let record: DeliveryRecord | undefined = first;
  while (record !== undefined && record.notBeforeMs <= taken.now && events < room.events && hasRoom(taken)) {
    if (events > 0 && record.bytes > bytes) break;
    taken.positions.push(record.position);
    taken.bytesLeft -= record.bytes;
    bytes -= record.bytes;
    events += 1;
    record = record.streamLink?.next?.value;
  }
  return events;
}
