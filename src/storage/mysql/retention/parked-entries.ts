// Entries that a consumer has parked, which stay for those who look at them.

import type { Micros, Position } from '../../../units.js';
import type { DueEntry } from '../../ports/retention-storage.js';
import { FAILURE_STATES } from '../consumers/consumer-rows.js';
import type { Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';

/** Returns those of the entries that are parked, or being replayed, with when: along the index consumer_trouble_position. */
export async function parkedAt(queries: Queries, entries: readonly DueEntry[]): Promise<ReadonlyMap<Position, Micros>> {
  const found = new Map<Position, Micros>();
  const wanted = entries.map(({ position }) => position);
  await inChunks(wanted, async (chunk) => {
    const rows = await queries.execute<{ position: Position; parked_at: Micros }>(
      `SELECT position, MAX(parked_at) AS parked_at FROM consumer_trouble FORCE INDEX (consumer_trouble_position)
       WHERE position IN (${placeholders(chunk.length)}) AND state <> ${FAILURE_STATES.RETRY} GROUP BY position`,
      chunk,
    );
    for (const row of rows) found.set(row.position, row.parked_at);
  });
  return found;
}
