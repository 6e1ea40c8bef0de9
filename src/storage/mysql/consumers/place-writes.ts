// Writes moves of offsets and snapshots, as parts of transactions that others begin: with the row of the consumer, or not at all.

import type { SavedPlace } from '../../../domain/consumers/managed/consumer-snapshot.js';
import type { OffsetMove } from '../../../domain/consumers/managed/offset-move.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import type { ConsumerCreation } from '../../../domain/management/consumer-change.js';
import type { Queries } from '../sql/database.js';
import { encodeSettings } from './consumer-rows.js';
import { MOVE_KINDS } from './place-store.js';

const MOVE_COLUMNS = '(consumer_id, kind, moved_at, moved_by, reason, snapshot, former_offset, acked_to, generation)';
const INSERT_MOVE = `
  INSERT INTO offset_move ${MOVE_COLUMNS}
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const CREATED_BY = 'SELECT ? AS context, ? AS name, ? AS moved_by';
/** Reads one row of the index consumer_name for each of them. */
const INSERT_CREATIONS = (rows: number) => `
  INSERT INTO offset_move ${MOVE_COLUMNS}
  SELECT c.id, ${MOVE_KINDS.CREATED}, c.created_at, made.moved_by, '', '', NULL, c.acked_to, c.generation
  FROM (${Array.from({ length: rows }, () => CREATED_BY).join(' UNION ALL ')}) made
  JOIN consumer c FORCE INDEX (consumer_name) ON c.context = made.context AND c.name = made.name`;
const INSERT_RECREATION = `
  INSERT INTO offset_move ${MOVE_COLUMNS}
  SELECT id, ${MOVE_KINDS.CREATED}, ?, ?, '', '', acked_to, ?, generation + 1
  FROM consumer FORCE INDEX (PRIMARY) WHERE id = ? AND deleted_at IS NOT NULL`;
const SAVE = `
  INSERT INTO consumer_snapshot
    (consumer_id, name, acked_to, acked_last, acked_above, settings, generation, saved_at, saved_by)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE acked_to = VALUES(acked_to), acked_last = VALUES(acked_last),
    acked_above = VALUES(acked_above), settings = VALUES(settings), generation = VALUES(generation),
    saved_at = VALUES(saved_at), saved_by = VALUES(saved_by)`;
const DELETE = 'DELETE FROM consumer_snapshot WHERE consumer_id = ? AND name = ?';
const DELETE_ALL = 'DELETE FROM consumer_snapshot WHERE consumer_id = ?';

export async function insertMove(queries: Queries, consumerId: number, move: OffsetMove): Promise<void> {
  const { kind, movedAt, by, reason, snapshot, formerOffset, offset, generation } = move;
  await queries.write(INSERT_MOVE, [
    ...[consumerId, MOVE_KINDS[kind], movedAt, by, reason, Buffer.from(snapshot)],
    ...[formerOffset ?? null, offset, generation],
  ]);
}

/** Takes note of consumers that were inserted just now. */
export async function insertCreations(queries: Queries, creations: readonly ConsumerCreation[]): Promise<void> {
  if (creations.length === 0) return;
  const values = creations.flatMap(({ key, by }) => [Buffer.from(key.context), Buffer.from(key.name), by]);
  await queries.query(INSERT_CREATIONS(creations.length), values);
}

/** Takes note that the deleted consumer with the id is about to begin anew. */
export async function insertRecreation(
  queries: Queries,
  id: number,
  { createdAt, by, offset }: ConsumerCreation,
): Promise<void> {
  await queries.write(INSERT_RECREATION, [createdAt, by, offset, id]);
}

/** Saves a snapshot, in the place of one of its name. */
export async function saveSnapshot(queries: Queries, consumerId: number, place: SavedPlace): Promise<void> {
  const { name, offset, doneTo, acked, settings, generation, savedAt, by } = place;
  await queries.write(SAVE, [
    ...[consumerId, Buffer.from(name), offset, doneTo, asBuffer(acked), encodeSettings(settings)],
    ...[generation, savedAt, by],
  ]);
}

/** False: there is none of the name. */
export async function deleteSnapshot(queries: Queries, consumerId: number, name: string): Promise<boolean> {
  return (await queries.write(DELETE, [consumerId, Buffer.from(name)])).affectedRows === 1;
}

/** Deletes what goes with the consumer; its moves stay, for who creates it again. */
export async function deleteSnapshots(queries: Queries, consumerId: number): Promise<void> {
  await queries.write(DELETE_ALL, [consumerId]);
}
