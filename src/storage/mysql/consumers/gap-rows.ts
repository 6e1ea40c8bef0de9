// Rows of gaps that consumers are still to be told of. Whoever writes them has the row of their consumer locked.

import type { UnreadSpan } from '../../../domain/consumers/unread/unread-spans.js';
import type { Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';

/** A gap as it is stored. */
export interface GapRow extends UnreadSpan {
  readonly id: number;
}

/** Nobody is about to tell it. */
export const UNTAKEN = 0;

/** A gap that is still to be stored. */
export interface NewGap extends UnreadSpan {
  readonly consumerId: number;
}

/** Rows of one INSERT. */
const ADDED_ROWS = 500;
const READ = (consumers: number) => `
  SELECT id, consumer_id, first_position, last_position, events FROM consumer_gap FORCE INDEX (consumer_gap_consumer)
  WHERE consumer_id IN (${placeholders(consumers)}) AND taken_epoch = ${UNTAKEN} ORDER BY consumer_id, first_position`;
const ADD = (rows: number) => `
  INSERT INTO consumer_gap (consumer_id, first_position, last_position, events, taken_epoch)
  VALUES ${placeholders(rows, `(?, ?, ?, ?, ${UNTAKEN})`)}`;
const DELETE = (rows: number) => `DELETE FROM consumer_gap WHERE id IN (${placeholders(rows)})`;
const DELETE_ALL = 'DELETE FROM consumer_gap WHERE consumer_id = ?';

interface Row {
  readonly id: number;
  readonly consumer_id: number;
  readonly first_position: Position;
  readonly last_position: Position;
  readonly events: number;
}

/** The gaps of consumers that nobody is about to tell, ascending, by the ids of those that have some. */
export async function readGaps(
  queries: Queries,
  consumerIds: readonly number[],
): Promise<ReadonlyMap<number, readonly GapRow[]>> {
  const gaps = new Map<number, GapRow[]>();
  await inChunks(consumerIds, async (chunk) => {
    for (const row of await queries.execute<Row>(READ(chunk.length), chunk)) {
      const { id, consumer_id: consumerId, first_position: first, last_position: last, events } = row;
      const gap = { id, first, last, events };
      const known = gaps.get(consumerId);
      if (known === undefined) gaps.set(consumerId, [gap]);
      else known.push(gap);
    }
  });
  return gaps;
}

export async function addGaps(queries: Queries, gaps: readonly NewGap[]): Promise<void> {
  for (let from = 0; from < gaps.length; from += ADDED_ROWS) {
    const some = gaps.slice(from, from + ADDED_ROWS);
    const values = some.flatMap(({ consumerId, first, last, events }) => [consumerId, first, last, events]);
    await queries.query(ADD(some.length), values);
  }
}

export async function deleteGaps(queries: Queries, ids: readonly number[]): Promise<void> {
  await inChunks(ids, async (chunk) => {
    await queries.write(DELETE(chunk.length), chunk);
  });
}

/** Deletes what goes with the consumer. */
export async function deleteAllGaps(queries: Queries, consumerId: number): Promise<void> {
  await queries.write(DELETE_ALL, [consumerId]);
}
