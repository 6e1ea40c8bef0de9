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

const READ = `
  SELECT id, first_position, last_position, events FROM consumer_gap FORCE INDEX (consumer_gap_consumer)
  WHERE consumer_id = ? AND taken_epoch = ${UNTAKEN} ORDER BY first_position`;
const ADD = `
  INSERT INTO consumer_gap (consumer_id, first_position, last_position, events, taken_epoch) VALUES (?, ?, ?, ?, ${UNTAKEN})`;
const DELETE = (rows: number) => `DELETE FROM consumer_gap WHERE id IN (${placeholders(rows)})`;
const DELETE_ALL = 'DELETE FROM consumer_gap WHERE consumer_id = ?';

/** The gaps of a consumer that nobody is about to tell. */
export async function readGaps(queries: Queries, consumerId: number): Promise<readonly GapRow[]> {
  const rows = await queries.execute<{
    id: number;
    first_position: Position;
    last_position: Position;
    events: number;
  }>(READ, [consumerId]);
  return rows.map(({ id, first_position: first, last_position: last, events }) => ({ id, first, last, events }));
}

export async function addGap(queries: Queries, consumerId: number, { first, last, events }: UnreadSpan): Promise<void> {
  await queries.write(ADD, [consumerId, first, last, events]);
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
