// The rows of instances, one a run: each is there for its run's barriers and means nothing afterwards.

import type { Queries } from '../sql/database.js';

// At most so many at once: every start takes its part.
const MAX_FORGOTTEN = 1_000;
// An instance that lives writes its row again within seconds, or anew.
const FORGET = `DELETE FROM instance WHERE seen_at < SYSDATE(6) - INTERVAL 10 MINUTE LIMIT ${MAX_FORGOTTEN}`;

/** Forgets runs that wrote nothing for ten minutes. */
export async function forgetEndedRuns(queries: Queries): Promise<void> {
  await queries.write(FORGET);
}
