// Transactions of cawins that lock the head row: while they run, no event ends and no group commits.

import type { Micros, Position } from '../../../units.js';
import type { Database, Queries } from '../sql/database.js';

/** What a unit under the head row knows about time and place. */
export interface HeadView {
  readonly position: Position;
  /** The database's time, but not before the newest entry. */
  readonly now: Micros;
}

const LOCK_HEAD = `
  SELECT position, created_at, CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) AS now_micros
  FROM log_head WHERE id = 1 FOR UPDATE`;

/** Runs the work in one transaction that holds the head row, so that no event ends meanwhile. */
export function underHead<T>(database: Database, work: (queries: Queries, head: HeadView) => Promise<T>): Promise<T> {
  return database.transaction(async (queries) => {
    const [row] = await queries.execute<{ position: Position; created_at: Micros; now_micros: Micros }>(LOCK_HEAD);
    if (row === undefined) throw new Error('log_head has no row');
    return work(queries, { position: row.position, now: Math.max(row.created_at, row.now_micros) });
  });
}
