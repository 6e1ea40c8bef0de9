// How far a consumer is: the offset, what is done above it, and how far the scan has looked.

import type { Position } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { StreamQueue } from './open-events.js';
import { type DeliveryRecord, RecordState } from './open-events.js';
import { PositionRanges } from './position-ranges.js';

/**
 * The offset is one less than the oldest open event, or `scanned` when nothing is open. Open events come in three ways: from
 * the scan, in order; from re-reading a stream; and as the first passed over event of a stream, which stands for all
 * that were passed over after it.
 */
export class DeliveryProgress {
  offset: Position;
  scanned: Position;
  /** What is done above the offset. */
  readonly acked = new PositionRanges();
  /** The newest position that the scan offered; what lies between it and the next one does not match. */
  #lastOffered: Position;
  /** Rises with every change that has to be stored. */
  #version: number;
  // Opened by the scan: a queue from #first on, in which done ones stay until they come up.
  // What is passed is let go of at once: done records by the thousand, of many consumers, would be copied by each collection.
  #scanOrder: (DeliveryRecord | undefined)[] = [];
  #first = 0;
  readonly #reread = new KeyedHeap<DeliveryRecord>();
  readonly #held = new KeyedHeap<StreamQueue>();

  constructor(offset: Position, acked: Iterable<readonly [Position, Position]>, version: number) {
    this.offset = offset;
    this.scanned = offset;
    this.#lastOffered = offset;
    this.#version = version;
    // What they stand for is counted when the scan comes by.
    for (const [first, last] of acked) this.acked.add(first, last, 0);
    this.acked.dropUpTo(offset);
  }

  get version(): number {
    return this.#version;
  }

  /** First of the positions that hold nothing but the event that the scan offers now. */
  get coversFrom(): Position {
    return this.#lastOffered + 1;
  }

  isDone(position: Position): boolean {
    return position <= this.offset || (position <= this.acked.last && this.acked.has(position));
  }

  /** Takes note that the scan offered this position and goes on. */
  passed(position: Position): void {
    this.#lastOffered = position;
    this.scanned = position;
  }

  /**
   * Adds a record that the scan opened. `open` is the number of open ones: done ones that wait in the queue are bounded
   * by it.
   */
  openedByScan(record: DeliveryRecord, open: number): void {
    this.#scanOrder.push(record);
    if (this.#scanOrder.length - this.#first <= 2 * open + 1024) return;
    this.#scanOrder = this.#scanOrder.filter((r) => r !== undefined && r.state !== RecordState.DONE);
    this.#first = 0;
  }

  openedByReread(record: DeliveryRecord): void {
    this.#reread.add(record.position, record);
  }

  /** Takes note that events of the stream were passed over, none before its `heldFrom`. */
  held(stream: StreamQueue): void {
    this.#held.add(stream.heldFrom, stream);
  }

  /** The oldest open position, or undefined when nothing up to `scanned` is open. */
  oldestOpen(): Position | undefined {
    const oldest = Math.min(this.oldestRecord()?.position ?? Number.POSITIVE_INFINITY, this.#oldestHeld());
    return oldest === Number.POSITIVE_INFINITY ? undefined : oldest;
  }

  /** Takes note that this event is done. */
  finished(record: DeliveryRecord): void {
    this.#version++;
    this.advance();
    if (record.position > this.offset) this.acked.add(record.coversFrom, record.position);
  }

  /**
   * Takes note that an event above the offset without a record is done: acknowledged with a lease of a former owner.
   */
  finishedUnseen(position: Position): void {
    this.#version++;
    this.acked.add(position, position, 0);
  }

  /** Moves the offset as far as it may. */
  advance(): void {
    const oldest = Math.min(this.oldestRecord()?.position ?? Number.POSITIVE_INFINITY, this.#oldestHeld());
    const offset = Math.min(oldest - 1, this.scanned);
    if (offset <= this.offset) return;
    this.#version++;
    this.offset = offset;
    if (this.acked.size > 0) this.acked.dropUpTo(offset);
  }

  /** The oldest open event that is known as such, not merely passed over. */
  oldestRecord(): DeliveryRecord | undefined {
    const first = this.#oldestScanned();
    let again = this.#reread.min;
    while (again?.state === RecordState.DONE) {
      this.#reread.pop();
      again = this.#reread.min;
    }
    if (first === undefined || again === undefined) return first ?? again;
    return first.position < again.position ? first : again;
  }

  #oldestScanned(): DeliveryRecord | undefined {
    const queue = this.#scanOrder;
    while (this.#first < queue.length && queue[this.#first]?.state === RecordState.DONE) {
      queue[this.#first] = undefined;
      this.#first++;
    }
    if (this.#first === queue.length) {
      queue.length = 0;
      this.#first = 0;
    } else if (this.#first > 512 && this.#first * 2 > queue.length) {
      this.#scanOrder = queue.slice(this.#first);
      this.#first = 0;
    }
    return this.#scanOrder[this.#first];
  }

  #oldestHeld(): number {
    const held = this.#held;
    while (held.min !== undefined && held.min.heldFrom !== held.minKey) held.pop();
    return held.minKey ?? Number.POSITIVE_INFINITY;
  }
}
