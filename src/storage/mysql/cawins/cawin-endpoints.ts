// Endpoints: one row for each origin that is called. `ready_at` is the earliest time at which something may be due there, so that
// the firings of an endpoint that is not ready are never read. Whoever makes a firing due lowers it first, under the row's lock;
// whoever claims sets it anew under the same lock.

import { CircuitState } from '../../../domain/cawins/endpoint-circuit.js';
import type { Database, Queries } from '../sql/database.js';
import { NEVER, NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';

/** Id of the endpoint of an origin, made at first use. A transaction of its own: endpoints stay. */
export async function endpointId(database: Database, origin: string): Promise<number> {
  const name = Buffer.from(origin);
  for (;;) {
    const [row] = await database.execute<{ id: number }>('SELECT id FROM endpoint WHERE origin = ?', [name]);
    if (row !== undefined) return row.id;
    await database.write(
      `INSERT INTO endpoint (origin, state, failures, ready_at, next_probe_at, changed_at)
       VALUES (?, ${CircuitState.CLOSED}, 0, ${NEVER}, 0, ${NOW_MICROS}) ON DUPLICATE KEY UPDATE id = id`,
      [name],
    );
  }
}

/** Something is due there from now on, or when the probe of an open circuit is. Rows are locked by ascending id. */
export async function expectWork(queries: Queries, ids: readonly number[]): Promise<void> {
  const sorted = [...new Set(ids)].sort((a, b) => a - b);
  if (sorted.length === 0) return;
  await queries.query(
    `UPDATE endpoint SET ready_at = LEAST(ready_at, IF(state = ${CircuitState.OPEN}, GREATEST(next_probe_at, ${NOW_MICROS}), ${NOW_MICROS}))
     WHERE id IN (${placeholders(sorted.length)}) ORDER BY id`,
    sorted,
  );
}
