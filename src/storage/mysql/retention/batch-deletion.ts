// The deletion of a batch of entries of one topic, with everything that goes with them but for what consumers lose (see UnreadEvents), in
// the order of locks that log-storage.ts states: shape -> log, by position -> index rows, identities, waits, ledger, retention's own rows.

import { decodeShape } from '../../../domain/descriptions/shape.js';
import { ShapeMatcher } from '../../../domain/descriptions/shape-matcher.js';
import { EntryKind, isJsonContentType } from '../../../domain/events/event.js';
import type { Position } from '../../../units.js';
import type { Batch } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { inChunks, inRowLists, placeholders } from '../sql/placeholders.js';
import { noteArchived } from './archive-mark.js';
import { uncount } from './stream-count-rows.js';

// Written as if they were of several tables: a DELETE of one cannot be told its index.
const IDENTITIES = 'DELETE t FROM event_identity t FORCE INDEX (event_identity_event) WHERE t.event_id IN';
const SUBJECTS = 'DELETE t FROM event_subject t FORCE INDEX (event_subject_event) WHERE t.event_id IN';
const ENDED_WAITS = 'DELETE t FROM wait t FORCE INDEX (wait_entry) WHERE t.entry_event_id IN';
const WAITS = 'DELETE t FROM wait t FORCE INDEX (PRIMARY) WHERE t.event_id IN';
const KEPT = 'DELETE t FROM retention_kept t FORCE INDEX (PRIMARY) WHERE t.topic_id = ? AND t.position IN';
const ENTRIES = 'DELETE t FROM log t FORCE INDEX (PRIMARY) WHERE t.position IN';
/** Payloads whose values are looked at in one go, between which others get their turn. */
const PAYLOADS = 64;

/** A stream has not so much as was counted of it: the transaction is to be taken back. */
export class CountedOtherwise extends Error {
  override readonly name = 'CountedOtherwise';
}

/** Throws CountedOtherwise. */
export async function deleteBatch(queries: Queries, batch: Batch): Promise<void> {
  const positions = batch.entries.map(({ position }) => position);
  const eventIds = batch.entries.map(({ eventId }) => eventId);
  const shapes = await lockShapes(queries, batch.topicId);
  // Whoever builds an index or identities from an entry that he has read looks again whether it is there.
  await lockEntries(queries, positions);
  await unindex(queries, shapes, positions);
  await deleteIn(queries, IDENTITIES, eventIds);
  await deleteIn(queries, SUBJECTS, eventIds);
  await deleteIn(queries, ENDED_WAITS, eventIds);
  await deleteIn(queries, WAITS, eventIds);
  await keepMessageIds(queries, batch);
  if (!(await uncount(queries, batch))) throw new CountedOtherwise();
  await deleteIn(queries, KEPT, positions, [batch.topicId]);
  await noteKept(queries, batch);
  await notePlace(queries, batch);
  if (batch.archived !== undefined) await noteArchived(queries, batch.archived);
  await deleteIn(queries, ENTRIES, positions);
}

/** `first`: values of the statement before the list. */
async function deleteIn(
  queries: Queries,
  statement: string,
  values: readonly number[],
  first: readonly number[] = [],
): Promise<void> {
  await inChunks(values, async (chunk) => {
    await queries.execute(`${statement} (${placeholders(chunk.length)})`, [...first, ...chunk]);
  });
}

interface ShapeRow {
  readonly id: number;
  readonly paths: Buffer;
}

function lockShapes(queries: Queries, topicId: number): Promise<ShapeRow[]> {
  return queries.execute<ShapeRow>(
    'SELECT id, paths FROM shape FORCE INDEX (shape_paths) WHERE topic_id = ? ORDER BY id FOR UPDATE',
    [topicId],
  );
}

async function lockEntries(queries: Queries, positions: readonly Position[]): Promise<void> {
  await inChunks(positions, async (chunk) => {
    await queries.execute(
      `SELECT position FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(chunk.length)}) ORDER BY position FOR UPDATE`,
      chunk,
    );
  });
}

/** Takes the entries out of the indexes of their topic's shapes. */
async function unindex(queries: Queries, shapes: readonly ShapeRow[], positions: readonly Position[]): Promise<void> {
  if (shapes.length === 0) return;
  const matcher = new ShapeMatcher(shapes.map(({ id, paths }) => ({ ...decodeShape(paths), id })));
  for (let from = 0; from < positions.length; from += PAYLOADS) {
    await unindexSome(queries, matcher, positions.slice(from, from + PAYLOADS));
  }
}

interface PayloadRow {
  readonly position: Position;
  readonly content_type: Buffer | null;
  readonly payload: Buffer;
}

async function unindexSome(
  queries: Queries,
  matcher: ShapeMatcher<ReturnType<typeof decodeShape> & { readonly id: number }>,
  positions: readonly Position[],
): Promise<void> {
  const keys: (readonly [number, Buffer, Position])[] = [];
  await inChunks(positions, async (chunk) => {
    const payloads = await queries.execute<PayloadRow>(
      `SELECT position, content_type, payload FROM log FORCE INDEX (PRIMARY)
       WHERE position IN (${placeholders(chunk.length)}) AND kind = ${EntryKind.OCCURRED} AND payload IS NOT NULL`,
      chunk,
    );
    for (const { position, content_type: contentType, payload } of payloads) {
      if (!isJsonContentType(contentType?.toString() ?? '')) continue;
      for (const { shape, hash } of matcher.match(payload)) keys.push([shape.id, hash, position]);
    }
  });
  await inRowLists(keys, async (rows) => {
    await queries.query(
      `DELETE t FROM shape_index t FORCE INDEX (PRIMARY)
       WHERE (t.shape_id, t.value_hash, t.position) IN (${placeholders(rows.length, '(?, ?, ?)')})`,
      rows.flat(),
    );
  });
}

/** A push that is repeated within a day of its event finds its message id in the ledger. Minted ids nobody else can know. */
async function keepMessageIds(queries: Queries, { entries, ledgerAfter }: Batch): Promise<void> {
  const young = entries.filter(({ createdAt, kind }) => createdAt > ledgerAfter && kind === EntryKind.OCCURRED);
  await inChunks(
    young.map(({ position }) => position),
    async (chunk) => {
      await queries.execute(
        `INSERT IGNORE INTO push_ledger (context_id, message_id, issuer, digest, event_id, created_at)
         SELECT context_id, message_id, issuer, digest, event_id, created_at FROM log FORCE INDEX (PRIMARY)
         WHERE position IN (${placeholders(chunk.length)}) AND message_id IS NOT NULL AND digest IS NOT NULL`,
        chunk,
      );
    },
  );
}

async function noteKept(queries: Queries, { topicId, keeps }: Batch): Promise<void> {
  if (keeps.length === 0) return;
  await queries.query(
    `INSERT INTO retention_kept (topic_id, position, reason, kept_at)
     VALUES ${placeholders(keeps.length, `(?, ?, ?, ${NOW_MICROS})`)} ON DUPLICATE KEY UPDATE reason = VALUES(reason)`,
    keeps.flatMap(({ position, reason }) => [topicId, position, reason]),
  );
}

async function notePlace(queries: Queries, { topicId, entries, lookedTo = 0 }: Batch): Promise<void> {
  const occurred = entries.filter(({ kind }) => kind === EntryKind.OCCURRED);
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const at = entries.length === 0 ? '0' : NOW_MICROS;
  await queries.execute(
    `INSERT INTO retention_topic (topic_id, looked_to, gone_events, gone_bytes, gone_at)
     VALUES (?, ?, ?, ?, ${at}) ON DUPLICATE KEY UPDATE looked_to = GREATEST(looked_to, VALUES(looked_to)),
       gone_events = gone_events + VALUES(gone_events), gone_bytes = gone_bytes + VALUES(gone_bytes),
       gone_at = GREATEST(gone_at, VALUES(gone_at))`,
    [topicId, lookedTo, occurred.length, bytes],
  );
}
