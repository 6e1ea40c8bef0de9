// Whether the deletion stands by what all instances know of the database's clock: one row, for whoever asks beside a server.

import type { Micros } from '../../../units.js';
import type { RetentionClock } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';

interface StandingRow {
  readonly now_micros: Micros;
  readonly stopped_at: Micros | null;
  readonly leapt_by: Micros;
  readonly waits_until: Micros;
}

export async function readStandingClock(
  database: Pick<Queries, 'query'>,
): Promise<Pick<RetentionClock, 'now' | 'stopped' | 'waitsUntil'> | undefined> {
  const [row] = await database.query<StandingRow>(
    `SELECT ${NOW_MICROS} AS now_micros, stopped_at, leapt_by, waits_until FROM retention_cursor WHERE id = 1`,
  );
  if (row === undefined) return undefined;
  const { now_micros: now, stopped_at: at, leapt_by: leaptBy, waits_until: waitsUntil } = row;
  return { now: Number(now), stopped: at === null ? undefined : { at, leaptBy }, waitsUntil };
}
