// Attempts on events that were erased while their calls were under way: receivers may have answered with what they got.

import type { AttemptReport } from '../../ports/cawin-storage.js';
import { IS_ERASED } from '../erasure/erased-content.js';
import type { Queries } from '../sql/database.js';

/**
 * The reports, of erased events without what their receivers answered. The rows of the firings have to be locked: an erasure takes what was
 * answered before once it has locked them, too.
 */
export async function withoutErased(
  queries: Queries,
  reports: readonly AttemptReport[],
): Promise<readonly AttemptReport[]> {
  const keys = reports.map(() => '(f.cawin_id = ? AND f.kind = ?)').join(' OR ');
  const rows = await queries.query<{ cawin_id: number; kind: number }>(
    `SELECT STRAIGHT_JOIN f.cawin_id, f.kind FROM firing f FORCE INDEX (PRIMARY) JOIN cawin c FORCE INDEX (PRIMARY) ON c.id = f.cawin_id
     LEFT JOIN log l FORCE INDEX (PRIMARY) ON l.position = f.position LEFT JOIN wait w FORCE INDEX (PRIMARY) ON w.event_id = c.event_id
     WHERE (${keys}) AND (l.envelope ${IS_ERASED} OR w.description = '')`,
    reports.flatMap(({ firing }) => [firing.cawinId, firing.kind]),
  );
  if (rows.length === 0) return reports;
  const erased = new Set(rows.map((row) => `${row.cawin_id}:${row.kind}`));
  return reports.map((report) =>
    erased.has(`${report.firing.cawinId}:${report.firing.kind}`) ? withoutAnswer(report) : report,
  );
}

/** Leaves that there was an attempt, when and how it ended. */
function withoutAnswer({ attempt, ...report }: AttemptReport): AttemptReport {
  return { ...report, attempt: { ...attempt, status: '', firstBytes: '', error: '' } };
}
