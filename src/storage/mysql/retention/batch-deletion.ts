// The deletion of a batch of entries of one topic, with everything that goes with them, in the order of locks that log-storage.ts states:
// shape -> index rows, identities, waits, ledger, retention's own rows -> log_deletion -> consumers -> log, by position.

import { decodeShape } from '../../../domain/descriptions/shape.js';
import { ShapeMatcher } from '../../../domain/descriptions/shape-matcher.js';
import { EntryKind, isJsonContentType } from '../../../domain/events/event.js';
import type { Position } from '../../../units.js';
import type { Batch } from '../../ports/retention-storage.js';
import type { UnreadEvents } from '../consumers/unread-events.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { inChunks, placeholders } from '../sql/placeholders.js';

/** Payloads whose values are looked at in one go, between which others get their turn. */
const PAYLOADS = 64;

/** A consumer came, or was moved, since it was looked who holds entries of the batch: the transaction is to be taken back. */
export class MovedMeanwhile extends Error {
  override readonly name = 'MovedMeanwhile';
}

/** See RetentionStore.moves. */
export async function readMoves(queries: Queries): Promise<number> {
  const [row] = await queries.execute<{ moves: number }>('SELECT moves FROM log_deletion WHERE id = 1');
  if (row === undefined) throw new Error('log_deletion has no row');
  return row.moves;
}

/** The same, which stays as it is until the transaction ends. */
async function lockMoves(queries: Queries): Promise<number> {
  const [row] = await queries.execute<{ moves: number }>('SELECT moves FROM log_deletion WHERE id = 1 FOR UPDATE');
  if (row === undefined) throw new Error('log_deletion has no row');
  return row.moves;
}

/** Throws MovedMeanwhile. */
export async function deleteBatch(queries: Queries, batch: Batch, unread: UnreadEvents): Promise<void> {
  const positions = batch.entries.map(({ position }) => position);
  const eventIds = batch.entries.map(({ eventId }) => eventId);
  await unindex(queries, batch.topicId, positions);
  await deleteIn(queries, 'event_identity', 'event_identity_event', 'event_id', eventIds);
  await deleteIn(queries, 'wait', 'wait_entry', 'entry_event_id', eventIds);
  await deleteIn(queries, 'wait', 'PRIMARY', 'event_id', eventIds);
  await keepMessageIds(queries, batch);
  await deleteIn(queries, 'retention_kept', 'PRIMARY', 'position', positions, batch.topicId);
  await noteKept(queries, batch);
  await notePlace(queries, batch);
  await deleteIn(queries, 'log', 'PRIMARY', 'position', positions);
  // From here on whoever moves a consumer waits, with the head row.
  if (batch.moves !== undefined && (await lockMoves(queries)) !== batch.moves) throw new MovedMeanwhile();
  await unread.record(queries, { ...batch, reason: 'age' });
}

/** Written as if it were of several tables: a DELETE of one cannot be told its index. */
async function deleteIn(
  queries: Queries,
  table: string,
  index: string,
  column: string,
  values: readonly number[],
  topicId?: number,
): Promise<void> {
  const ofTopic = topicId === undefined ? '' : 't.topic_id = ? AND ';
  await inChunks(values, async (chunk) => {
    await queries.execute(
      `DELETE t FROM ${table} t FORCE INDEX (${index}) WHERE ${ofTopic}t.${column} IN (${placeholders(chunk.length)})`,
      topicId === undefined ? chunk : [topicId, ...chunk],
    );
  });
}

/**
 * Takes the entries out of the indexes of their topic's shapes. The rows of shapes are locked first: a build that read an entry before
 * finds out that it is gone.
 */
async function unindex(queries: Queries, topicId: number, positions: readonly Position[]): Promise<void> {
  const rows = await queries.execute<{ id: number; paths: Buffer }>(
    'SELECT id, paths FROM shape FORCE INDEX (shape_paths) WHERE topic_id = ? ORDER BY id FOR UPDATE',
    [topicId],
  );
  if (rows.length === 0) return;
  const matcher = new ShapeMatcher(rows.map(({ id, paths }) => ({ ...decodeShape(paths), id })));
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
  const keys: SqlValue[] = [];
  await inChunks(positions, async (chunk) => {
    const payloads = await queries.execute<PayloadRow>(
      `SELECT position, content_type, payload FROM log FORCE INDEX (PRIMARY)
       WHERE position IN (${placeholders(chunk.length)}) AND kind = ${EntryKind.OCCURRED} AND payload IS NOT NULL`,
      chunk,
    );
    for (const { position, content_type: contentType, payload } of payloads) {
      if (!isJsonContentType(contentType?.toString() ?? '')) continue;
      for (const { shape, hash } of matcher.match(payload)) keys.push(shape.id, hash, position);
    }
  });
  if (keys.length === 0) return;
  await queries.query(
    `DELETE t FROM shape_index t FORCE INDEX (PRIMARY)
     WHERE (t.shape_id, t.value_hash, t.position) IN (${placeholders(keys.length / 3, '(?, ?, ?)')})`,
    keys,
  );
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

async function notePlace(queries: Queries, { topicId, contextId, entries, lookedTo }: Batch): Promise<void> {
  const occurred = entries.filter(({ kind }) => kind === EntryKind.OCCURRED);
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const counts = [entries.length, occurred.length, bytes];
  const goneTo = entries.at(-1)?.position ?? 0;
  const at = entries.length === 0 ? '0' : NOW_MICROS;
  await queries.execute(
    `INSERT INTO retention_topic (topic_id, context_id, looked_to, gone_to, gone_entries, gone_events, gone_bytes, gone_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ${at}) ON DUPLICATE KEY UPDATE looked_to = GREATEST(looked_to, VALUES(looked_to)),
       gone_to = GREATEST(gone_to, VALUES(gone_to)), gone_entries = gone_entries + VALUES(gone_entries),
       gone_events = gone_events + VALUES(gone_events), gone_bytes = gone_bytes + VALUES(gone_bytes),
       gone_at = GREATEST(gone_at, VALUES(gone_at))`,
    [topicId, contextId, lookedTo ?? 0, goneTo, ...counts],
  );
}
