// Shapes as rows: what groups read and write of them under the head row.

import { encodeShape } from '../../../domain/descriptions/shape.js';
import type { ShapeLife } from '../../../domain/descriptions/shape-life.js';
import { EntryKind } from '../../../domain/events/event.js';
import type { CatalogChange } from '../../../domain/group/shape-catalog.js';
import type { Micros } from '../../../units.js';
import type { NameMinter } from '../names/name-minter.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { fixedInSubquery } from '../sql/dialect.js';
import { placeholders } from '../sql/placeholders.js';
import type { Statements } from '../sql/statements.js';

/** When the shape `s` was needed last. A server of before says nothing of its own: they may be needed right now. */
export const NEEDED_AT = `COALESCE(NULLIF(s.needed_at, 0), ${NOW_MICROS}) AS needed_at`;

/** What keeps the shape `s`: reads one row of the index wait_shape. */
export const LIFE_COLUMNS = `s.id, ${NEEDED_AT},
  (SELECT w.expires_at FROM wait w FORCE INDEX (wait_shape) WHERE w.shape_id = s.id AND w.state = ${EntryKind.AWAITED}
   ORDER BY ${fixedInSubquery('w.shape_id DESC, w.state DESC')} w.expires_at DESC LIMIT 1) AS awaited_until`;

export interface ShapeLifeRow {
  id: number;
  needed_at: Micros;
  awaited_until: Micros | null;
}

export function lifeFromRow(row: ShapeLifeRow): ShapeLife {
  return { neededAt: row.needed_at, awaitedUntil: row.awaited_until ?? undefined };
}

/** Adds what a group does to shapes. */
export function addShapeWrites(statements: Statements, change: CatalogChange, minter: NameMinter): void {
  if (change.kind === 'watched') {
    const { context, topic, shape } = change;
    const topicId = minter.topicId(context, topic);
    statements.addRows('INSERT INTO shape (id, topic_id, digest, paths, ready, watched_after, built_to, needed_at)', [
      [shape.id, topicId, shape.digest, encodeShape(shape), 0, shape.watchedAfter, shape.builtTo, shape.neededAt],
    ]);
  } else if (change.kind === 'ready') {
    // Of a topic without a past no page was ever indexed.
    statements.add(
      `UPDATE shape SET ready = 1, built_to = watched_after, indexed_from = COALESCE(indexed_from, watched_after) WHERE id = ?`,
      [change.shapeId],
    );
  } else if (change.kind === 'dropped') {
    const { shapeIds } = change;
    statements.add(`DELETE FROM shape WHERE id IN (${placeholders(shapeIds.length)})`, shapeIds);
    statements.addRows(
      'INSERT INTO freed_shape (id)',
      shapeIds.map((id) => [id]),
    );
  }
}
