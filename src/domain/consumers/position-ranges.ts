// A set of positions kept as ranges, with how many events each range stands for, and its stored form.

import type { Position } from '../../units.js';

/**
 * Disjoint, ascending ranges. A range may cover positions that hold no event of the set's owner: its `events` says how many
 * it does. Look-ups are O(log n); adding moves the ranges behind, which is a copy of some kilobytes at ten thousand ranges.
 */
export class PositionRanges {
  // Parallel arrays: three times less memory and garbage than objects. Entries before #head are dead.
  #firsts: number[] = [];
  #lasts: number[] = [];
  #events: number[] = [];
  #head = 0;
  #eventCount = 0;

  /** Number of ranges. */
  get size(): number {
    return this.#firsts.length - this.#head;
  }

  /** Events of all ranges. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** The greatest position, or 0 when empty. */
  get last(): Position {
    return this.size === 0 ? 0 : (this.#lasts[this.#lasts.length - 1] as number);
  }

  has(position: Position): boolean {
    const at = this.#firstEndingAtOrAfter(position);
    return at < this.#firsts.length && (this.#firsts[at] as number) <= position;
  }

  /** Adds first..last, which stands for `events` events more; merges with what it touches. */
  add(first: Position, last: Position, events = 1): void {
    this.#eventCount += events;
    const from = this.#firstEndingAtOrAfter(first - 1);
    let to = from;
    while (to < this.#firsts.length && (this.#firsts[to] as number) <= last + 1) to++;
    if (to === from) this.#insert(from, first, last, events);
    else this.#merge(from, to, first, last, events);
  }

  /** Counts one event more in the range that holds the position; nothing if none does. */
  count(position: Position): void {
    const at = this.#firstEndingAtOrAfter(position);
    if (at >= this.#firsts.length || (this.#firsts[at] as number) > position) return;
    this.#events[at] = (this.#events[at] as number) + 1;
    this.#eventCount++;
  }

  /** Forgets everything at or below the position. A range that goes on beyond it keeps its count. */
  dropUpTo(position: Position): void {
    let head = this.#head;
    while (head < this.#firsts.length && (this.#lasts[head] as number) <= position) {
      this.#eventCount -= this.#events[head] as number;
      head++;
    }
    this.#head = head;
    if (head < this.#firsts.length && (this.#firsts[head] as number) <= position) this.#firsts[head] = position + 1;
    this.#compact();
  }

  clear(): void {
    this.#firsts = [];
    this.#lasts = [];
    this.#events = [];
    this.#head = 0;
    this.#eventCount = 0;
  }

  /** The ranges as pairs of first and last. */
  *[Symbol.iterator](): IterableIterator<readonly [Position, Position]> {
    for (let at = this.#head; at < this.#firsts.length; at++) {
      yield [this.#firsts[at] as number, this.#lasts[at] as number];
    }
  }

  /** Index of the first range whose last position is at or after this one; the length if there is none. */
  #firstEndingAtOrAfter(position: Position): number {
    const lasts = this.#lasts;
    let low = this.#head;
    let high = lasts.length;
    // Most additions come at the end, a little behind the newest range.
    if (low === high || (lasts[high - 1] as number) < position) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((lasts[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(at: number, first: Position, last: Position, events: number): void {
    if (at === this.#firsts.length) {
      this.#firsts.push(first);
      this.#lasts.push(last);
      this.#events.push(events);
    } else if (at === this.#head && at > 0) {
      this.#head = at - 1;
      this.#set(at - 1, first, last, events);
    } else {
      this.#firsts.splice(at, 0, first);
      this.#lasts.splice(at, 0, last);
      this.#events.splice(at, 0, events);
    }
  }

  #merge(from: number, to: number, first: Position, last: Position, events: number): void {
    let sum = events;
    for (let at = from; at < to; at++) sum += this.#events[at] as number;
    const mergedFirst = Math.min(first, this.#firsts[from] as number);
    this.#set(from, mergedFirst, Math.max(last, this.#lasts[to - 1] as number), sum);
    if (to - from === 1) return;
    this.#firsts.splice(from + 1, to - from - 1);
    this.#lasts.splice(from + 1, to - from - 1);
    this.#events.splice(from + 1, to - from - 1);
  }

  #set(at: number, first: Position, last: Position, events: number): void {
    this.#firsts[at] = first;
    this.#lasts[at] = last;
    this.#events[at] = events;
  }

  #compact(): void {
    if (this.#head === this.#firsts.length) {
      if (this.#head > 0) this.clear();
    } else if (this.#head > 64 && this.#head * 2 > this.#firsts.length) {
      this.#firsts.splice(0, this.#head);
      this.#lasts.splice(0, this.#head);
      this.#events.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

const FORMAT = 1;

/**
 * The stored form: a format byte, then for each range its distance from the one before and its length, as LEB128. A few
 * bytes a range; empty for no ranges. Counts of events are not kept.
 */
export function encodeRanges(ranges: Iterable<readonly [Position, Position]>): Uint8Array {
  const bytes: number[] = [];
  let after = 0;
  for (const [first, last] of ranges) {
    if (bytes.length === 0) bytes.push(FORMAT);
    writeNumber(bytes, first - after);
    writeNumber(bytes, last - first);
    after = last;
  }
  return Uint8Array.from(bytes);
}

/** The ranges of a stored form. Throws on bytes that `encodeRanges` did not make. */
export function decodeRanges(bytes: Uint8Array): (readonly [Position, Position])[] {
  if (bytes.length === 0) return [];
  if (bytes[0] !== FORMAT) throw new Error(`stored ranges of unknown format ${bytes[0]}`);
  const ranges: (readonly [Position, Position])[] = [];
  const reader = { bytes, at: 1 };
  let after = 0;
  while (reader.at < bytes.length) {
    const first = after + readNumber(reader);
    const last = first + readNumber(reader);
    if (!Number.isSafeInteger(last) || first <= after) throw new Error('stored ranges are damaged');
    ranges.push([first, last]);
    after = last;
  }
  return ranges;
}

/** The set of a stored form; how many events each range stands for is not known, and counts as 0. Throws as `decodeRanges` does. */
export function storedRanges(bytes: Uint8Array): PositionRanges {
  const ranges = new PositionRanges();
  for (const [first, last] of decodeRanges(bytes)) ranges.add(first, last, 0);
  return ranges;
}

// Arithmetic instead of shifts: positions pass 32 bits.
function writeNumber(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function readNumber(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) throw new Error('stored ranges are damaged');
    value += (byte % 128) * scale;
    if (byte < 128) return value;
  }
}
