// How a consumer comes into being and goes: the statements of those that come and go by themselves, and of groups.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import type { ConsumerDraft, Hold } from '../../ports/consumer-storage.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';
import { encodeSettings } from './consumer-rows.js';
import { deleteAllGaps } from './gap-rows.js';
import { deleteSnapshots } from './place-writes.js';

const ROW = "(?, ?, ?, ?, 1, 1, ?, 1, ?, '', NULL, ?, NULL, '', '', 0, NOW(6))";
const INSERT = (rows: number) => `
  INSERT INTO consumer (context, name, settings, ephemeral, generation, generation_lease, generation_offset, next_lease,
    acked_to, acked_above, moved_at, created_at, deleted_at, owner, owner_address, owner_epoch, lease_until)
  VALUES ${placeholders(rows, ROW)}`;
const RECREATE = `
  UPDATE consumer SET settings = ?, ephemeral = ?, generation = generation + 1, generation_lease = next_lease,
    generation_offset = ?, acked_to = ?, acked_above = '', moved_at = NULL, created_at = ?, deleted_at = NULL, lease_until = NOW(6),
    paused_at = NULL, paused_by = '', pause_reason = '', expired_unread = 0
  WHERE id = ? AND deleted_at IS NOT NULL`;
const DELETE = `
  UPDATE consumer SET deleted_at = NOW(6), owner = '', owner_address = '', owner_epoch = owner_epoch + 1, paused_at = NULL
  WHERE id = ? AND owner_epoch = ? AND deleted_at IS NULL`;

/** Values of a consumer's name, in the order of the index. */
export function nameValues(key: ConsumerKey): [Buffer, Buffer] {
  return [Buffer.from(key.context), Buffer.from(key.name)];
}

/** Inserts consumers that never were; fails as a duplicate where one is. */
export async function insertConsumers(queries: Queries, drafts: readonly ConsumerDraft[]): Promise<void> {
  const values = drafts.flatMap((draft): SqlValue[] => [...nameValues(draft), ...draftValues(draft)]);
  await queries.query(INSERT(drafts.length), values);
}

/** Has a deleted consumer begin anew; false: it is not deleted. */
export async function recreateConsumer(queries: Queries, id: number, draft: ConsumerDraft): Promise<boolean> {
  return (await queries.write(RECREATE, [...draftValues(draft), id])).affectedRows === 1;
}

function draftValues({ settings, offset, createdAt }: ConsumerDraft): SqlValue[] {
  return [encodeSettings(settings), settings.ephemeral ? 1 : 0, offset, offset, createdAt];
}

/** Deletes a held consumer, its failure records, gaps and snapshots; who moved it is kept. False: the hold is lost. */
export async function deleteConsumer(queries: Queries, hold: Hold): Promise<boolean> {
  if ((await queries.write(DELETE, [hold.id, hold.epoch])).affectedRows === 0) return false;
  await queries.write('DELETE FROM consumer_trouble WHERE consumer_id = ?', [hold.id]);
  await deleteSnapshots(queries, hold.id);
  await deleteAllGaps(queries, hold.id);
  return true;
}
