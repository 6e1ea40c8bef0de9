// How many matching events lie in a span of the log, for no more work than was agreed on.

import { MAX_EXACT_PENDING } from '../../../domain/consumers/consumer.js';
import { decodeRanges } from '../../../domain/consumers/position-ranges.js';
import type { Position } from '../../../units.js';
import type { LogSource, Selection } from '../../log/log-source.js';

/** A number of events, or at least so many. */
export interface EventCount {
  readonly count: number;
  readonly isMinimum: boolean;
}

/** How much a count may cost. */
export interface Effort {
  /** The number up to which it is exact. */
  readonly most: number;
  /** Pages that it looks at; each may pass over 20,000 rows that do not match. */
  readonly pages: number;
}

/** Counts of one consumer that somebody asks for. */
export const EXACT: Effort = { most: MAX_EXACT_PENDING, pages: 30 };
/** Counts of many consumers: in lists, and again and again for metrics. */
export const ROUGH: Effort = { most: 1_000, pages: 3 };

export interface CountSpan {
  /** Events after this position count. */
  readonly after: Position;
  /** The last position that counts. */
  readonly upTo: Position;
  /** Ranges that do not count, as the window stores them. */
  readonly without?: Uint8Array;
}

export interface CountOptions {
  readonly source: Pick<LogSource, 'readPositions'>;
  readonly selection: Selection;
  readonly span: CountSpan;
  readonly effort: Effort;
}

/** Counts matching events in a span of the log, as far as the effort reaches. */
export async function countEvents({ source, selection, span, effort }: CountOptions): Promise<EventCount> {
  const { after, upTo, without } = span;
  const { most, pages } = effort;
  const isDone = without === undefined || without.length === 0 ? () => false : rangeTest(without);
  let count = 0;
  let scanned = after;
  for (let page = 0; page < pages; page += 1) {
    if (scanned >= upTo) return { count, isMinimum: false };
    const { positions, scannedTo } = await source.readPositions(selection, { after: scanned, limit: most + 1 });
    count += positions.filter((position) => position <= upTo && !isDone(position)).length;
    if (count > most) return { count: most, isMinimum: true };
    scanned = scannedTo;
  }
  return { count, isMinimum: scanned < upTo };
}

/** Makes a test for positions that are asked in ascending order. */
function rangeTest(encoded: Uint8Array): (position: Position) => boolean {
  const ranges = decodeRanges(encoded);
  let at = 0;
  return (position) => {
    while (at < ranges.length && (ranges[at]?.[1] ?? 0) < position) at += 1;
    const range = ranges[at];
    return range !== undefined && range[0] <= position;
  };
}
