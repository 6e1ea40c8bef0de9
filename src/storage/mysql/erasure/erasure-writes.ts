// What a group writes of erasures, under the head row: the decision, and events that lose their content with all that finds them.

import type { BegunErasure } from '../../../domain/erasure/erasure.js';
import { EntryKind } from '../../../domain/events/event.js';
import type { Blanking, ErasureWrites } from '../../../domain/group/group-plan-types.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { EventId } from '../../../units.js';
import type { NameMinter } from '../names/name-minter.js';
import { addErasedBytes } from '../retention/stream-count-rows.js';
import type { Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { Statements } from '../sql/statements.js';

const BEGIN = `
  INSERT INTO erasure (position, context_id, subject_digest, stream_id, before_event_id, decided_at, done_to, events, moved_at)
  SELECT ?, ?, ?, (SELECT s.id FROM stream s FORCE INDEX (stream_name) WHERE s.context_id = ? AND s.name = ?), ?, ?, 0, 0, ${NOW_MICROS}`;
/** The columns with what an event says. The envelope keeps what is left of it. */
const BLANK = `
  UPDATE log FORCE INDEX (PRIMARY) SET envelope = ?, payload = NULL, payload_bytes = 0, content_type = NULL, tag = NULL, entity_type = NULL,
    organization = NULL, unit = NULL WHERE position = ?`;
const UNINDEX = 'DELETE FROM shape_index WHERE shape_id = ? AND value_hash = ? AND position = ?';
/** Written as if they were of several tables: a DELETE of one cannot be told its index. */
const FREE_IDENTITIES = 'DELETE i FROM event_identity i FORCE INDEX (event_identity_event) WHERE i.event_id IN';
const FORGET_AWAITED_SUBJECTS =
  'DELETE s FROM event_subject s FORCE INDEX (event_subject_event) WHERE s.position = 0 AND s.event_id IN';
const FORGET_SUBJECTS = 'DELETE s FROM event_subject s FORCE INDEX (event_subject_event) WHERE s.event_id IN';
/** Takes what was awaited, and not even its hash stays: where there are few values they can be tried out. */
const blankWaits = (index: string, column: string) => `
  UPDATE wait FORCE INDEX (${index}) SET description = '', envelope = NULL, value_hash = REPEAT(0x00, 17)
  WHERE state <> ${EntryKind.AWAITED} AND ${column} IN`;
const MOVE = `
  UPDATE erasure SET events = events + ?, done_to = GREATEST(done_to, ?), moved_at = ${NOW_MICROS} WHERE position = ?`;

/** Writes what a group does to erasures. `onTrip` is told of the statement. */
export async function writeErasures(
  queries: Queries,
  { begun, blanked }: ErasureWrites,
  { minter, onTrip }: { readonly minter: NameMinter; readonly onTrip: () => void },
): Promise<void> {
  const statements = new Statements();
  for (const erasure of begun) addBegun(statements, erasure, minter);
  if (blanked !== undefined) addBlanked(statements, blanked);
  onTrip();
  await statements.run(queries);
}

function addBegun(statements: Statements, erasure: BegunErasure, minter: NameMinter): void {
  const { target, position, decidedAt, beforeEventId } = erasure;
  const contextId = target.context === ALL_CONTEXTS ? 0 : minter.contextId(target.context);
  const digest = target.kind === 'subject' ? Buffer.from(target.digest, 'hex') : null;
  const stream = target.kind === 'stream' ? Buffer.from(target.stream) : null;
  statements.add(BEGIN, [position, contextId, digest, contextId, stream, beforeEventId, decidedAt]);
}

function addBlanked(statements: Statements, blanking: Blanking): void {
  const { erasure, upTo, eventIds, waitIds, events, entries, unindexed } = blanking;
  addErasedBytes(
    statements,
    entries.map(({ position }) => position),
  );
  for (const { rest, position } of entries) statements.add(BLANK, [JSON.stringify(rest), position]);
  for (const { key, position } of unindexed) statements.add(UNINDEX, [key.shapeId, asBuffer(key.hash), position]);
  addIn(statements, FREE_IDENTITIES, eventIds);
  addIn(statements, blankWaits('PRIMARY', 'event_id'), [...eventIds, ...waitIds]);
  addIn(statements, blankWaits('wait_entry', 'entry_event_id'), eventIds);
  addIn(statements, FORGET_SUBJECTS, eventIds);
  addIn(statements, FORGET_AWAITED_SUBJECTS, waitIds);
  statements.add(MOVE, [events, upTo, erasure]);
}

function addIn(statements: Statements, statement: string, ids: readonly EventId[]): void {
  if (ids.length > 0) statements.add(`${statement} (${placeholders(ids.length)})`, ids);
}
