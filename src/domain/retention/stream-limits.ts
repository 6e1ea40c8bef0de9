// How much a topic keeps in each stream: the newest events, by their number and by the bytes of their payloads. The newest one always
// stays, however large it is.

import { fieldInvalid } from '../errors.js';
import { EntryKind } from '../events/event.js';

/** The greatest limits that a topic can have. */
export const MAX_EVENTS_PER_STREAM = 1_000_000_000;
export const MAX_BYTES_PER_STREAM = 1_000_000_000_000_000;

/** What is kept of a topic in each stream, at most; Infinity: no matter. */
export interface StreamLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Events of a topic in one stream, and the bytes of their payloads. */
export interface StreamCount {
  readonly events: number;
  readonly bytes: number;
}

/** Returns the limit that a field gives; 0: none. FIELD_INVALID for what is too much. */
export function readLimit(value: bigint, max: number, field: string): number {
  if (value > BigInt(max)) throw fieldInvalid(field, `is more than ${max}: without a limit it is 0`);
  return Number(value);
}

/** Returns the limits of these settings; undefined: there are none. */
export function limitsOf(maxEvents: number, maxBytes: number): StreamLimits | undefined {
  if (maxEvents === 0 && maxBytes === 0) return undefined;
  return { maxEvents: maxEvents || Number.POSITIVE_INFINITY, maxBytes: maxBytes || Number.POSITIVE_INFINITY };
}

/** Whether the oldest of so many events has to go. */
export function isTooMuch({ events, bytes }: StreamCount, { maxEvents, maxBytes }: StreamLimits): boolean {
  return events > maxEvents || (events > 1 && bytes > maxBytes);
}

interface Entry {
  readonly kind: EntryKind;
  readonly bytes: number;
}

/**
 * Returns those of a stream's oldest entries that have to go, where it has so many events: up to the last event that is one too many,
 * with the withdrawals in between. They are all if the next one that follows them has to go, too.
 */
export function surplusOf<E extends Entry>(
  oldest: readonly E[],
  count: StreamCount,
  limits: StreamLimits,
): readonly E[] {
  let { events, bytes } = count;
  let end = 0;
  for (const [index, entry] of oldest.entries()) {
    if (!isTooMuch({ events, bytes }, limits)) return oldest.slice(0, end);
    if (entry.kind !== EntryKind.OCCURRED) continue;
    events -= 1;
    bytes -= entry.bytes;
    end = index + 1;
  }
  return isTooMuch({ events, bytes }, limits) ? oldest : oldest.slice(0, end);
}

/** Tells of entries that come newest first which are kept, stream by stream. */
export class NewestOfStreams {
  readonly #limits: StreamLimits;
  /** What is kept of each stream; undefined: there is more, and what is older goes. */
  readonly #kept = new Map<number, StreamCount | undefined>();

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  /** Whether the entry goes. What is in no stream is not counted. */
  goes({ streamId, kind, bytes }: Entry & { readonly streamId: number | undefined }): boolean {
    if (streamId === undefined) return false;
    const kept = this.#kept.has(streamId) ? this.#kept.get(streamId) : { events: 0, bytes: 0 };
    if (kept === undefined) return true;
    if (kind !== EntryKind.OCCURRED) return false;
    const next = { events: kept.events + 1, bytes: kept.bytes + bytes };
    const isSurplus = isTooMuch(next, this.#limits);
    this.#kept.set(streamId, isSurplus ? undefined : next);
    return isSurplus;
  }
}
