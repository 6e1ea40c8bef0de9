// How much of a range one look looks at, where its rows lie in ranges of an index.

import type { Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { uncovered } from '../sql/dialect.js';
import type { PageSource } from './event-query.js';

/** The index of each range of rows: it has the position behind the column. */
export const INDEXES = { stream_id: 'log_stream', topic_id: 'log_topic' } as const satisfies Record<
  PageSource['column'],
  string
>;

/** Positions after one, up to and including the other. */
export interface PositionRange {
  readonly after: Position;
  readonly upTo: Position;
}

export interface ScanRangeOptions extends PositionRange {
  /** Whether it is looked at from its end down. */
  readonly newestFirst: boolean;
  /** Rows that may be looked at, of all sources together. */
  readonly rows: number;
}

/** The part of the range that may be looked at without passing so many rows of the sources, of which there is at least one. */
export async function scanRange(
  queries: Queries,
  sources: readonly PageSource[],
  { after, upTo, newestFirst, rows }: ScanRangeOptions,
): Promise<PositionRange> {
  const last = Math.ceil(rows / sources.length) - 1;
  const bounds = sources.map(
    ({ column }) =>
      `(SELECT position ${uncovered('payload_bytes')} FROM log FORCE INDEX (${INDEXES[column]})
        WHERE ${column} = ? AND position > ? AND position <= ? ORDER BY position ${newestFirst ? 'DESC' : 'ASC'} LIMIT 1 OFFSET ${last})`,
  );
  const values = sources.flatMap(({ id }): SqlValue[] => [id, after, upTo]);
  const rowsFound = await queries.query<{ position: Position }>(bounds.join(' UNION ALL '), values);
  const found = rowsFound.map(({ position }) => position);
  if (newestFirst) return { after: Math.max(after, ...found.map((position) => position - 1)), upTo };
  return { after, upTo: Math.min(upTo, ...found) };
}
