// Writes the places of many consumers at once, each guarded by its owner's epoch, and their trouble.

import type { Trouble } from '../../domain/delivery-types.js';
import type { Hold, OffsetWrite } from '../consumer-storage.js';
import { TROUBLE_STATES } from './consumer-rows.js';
import type { Database, Queries, SqlValue } from './database.js';

/** Consumers in one flush at most. */
const MAX_WRITES = 256;
/** Statements are prepared in these sizes only; the rest is filled up with rows that match nothing. */
const SIZES = [1, 4, 16, 64, MAX_WRITES];
const VALUES = `SELECT ${['id', 'epoch', 'generation', 'generation_lease', 'acked_to', 'moved_at']
  .map((name) => `CAST(? AS UNSIGNED) AS ${name}`)
  .join()}, ? AS acked_above`;
const MATCHES_NOTHING: readonly SqlValue[] = [0, 0, 0, 0, 0, null, Buffer.alloc(0)];
/** Characters that the column holds. */
const MAX_REASON = 1024;
/** Rows of trouble in one statement at most. */
const MAX_TROUBLE_ROWS = 500;

// By primary key. The derived table is read first and each of its rows looked up: rows are locked in its order, by id.
const FLUSH = new Map(
  SIZES.map((size) => [
    size,
    `UPDATE (${Array.from({ length: size }, () => VALUES).join(' UNION ALL ')}) v
       STRAIGHT_JOIN consumer c ON c.id = v.id AND c.owner_epoch = v.epoch
     SET c.generation = v.generation, c.generation_lease = v.generation_lease, c.acked_to = v.acked_to,
       c.acked_above = v.acked_above, c.moved_at = v.moved_at`,
  ]),
);

/** See ConsumerStore.flush. */
export async function flushOffsets(database: Database, writes: readonly OffsetWrite[]): Promise<ReadonlySet<number>> {
  const sorted = [...writes].sort((a, b) => a.hold.id - b.hold.id);
  if (sorted.every((write) => write.troubles.length === 0 && write.troublesOver.length === 0)) {
    return writePlaces(database, sorted);
  }
  return database.transaction(async (transaction) => {
    const lost = await writePlaces(transaction, sorted);
    const held = sorted.filter((write) => !lost.has(write.hold.id));
    await storeTroubles(transaction, held);
    await deleteTroubles(transaction, held);
    return lost;
  });
}

async function writePlaces(queries: Queries, writes: readonly OffsetWrite[]): Promise<ReadonlySet<number>> {
  const size = SIZES.find((candidate) => candidate >= writes.length) ?? MAX_WRITES;
  const values = writes.flatMap(placeValues);
  for (let filled = writes.length; filled < size; filled += 1) values.push(...MATCHES_NOTHING);
  const { affectedRows } = await queries.write(FLUSH.get(size) as string, values);
  return affectedRows === writes.length
    ? new Set()
    : findLost(
        queries,
        writes.map((write) => write.hold),
      );
}

function placeValues({ hold, generation, generationLease, offset, acked, movedAt }: OffsetWrite): SqlValue[] {
  const above = Buffer.from(acked.buffer, acked.byteOffset, acked.byteLength);
  return [hold.id, hold.epoch, generation, generationLease, offset, movedAt ?? null, above];
}

async function findLost(queries: Queries, holds: readonly Hold[]): Promise<ReadonlySet<number>> {
  const rows = await queries.query<{ id: number; owner_epoch: number }>(
    `SELECT id, owner_epoch FROM consumer WHERE id IN (${holds.map(() => '?').join()})`,
    holds.map((hold) => hold.id),
  );
  const epochs = new Map(rows.map((row) => [row.id, row.owner_epoch]));
  return new Set(holds.filter((hold) => epochs.get(hold.id) !== hold.epoch).map((hold) => hold.id));
}

async function storeTroubles(queries: Queries, writes: readonly OffsetWrite[]): Promise<void> {
  const rows = writes.flatMap(({ hold, troubles }) => troubles.map((trouble) => troubleValues(hold, trouble)));
  for (const chunk of chunks(rows)) {
    await queries.query(
      `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
       VALUES ${chunk.map(() => '(?, ?, ?, ?, ?, ?, ?)').join()}
       ON DUPLICATE KEY UPDATE attempts = VALUES(attempts), losses = VALUES(losses), not_before_ms = VALUES(not_before_ms),
         reason = VALUES(reason), state = VALUES(state)`,
      chunk.flat(),
    );
  }
}

function troubleValues(hold: Hold, trouble: Trouble): SqlValue[] {
  const { position, attempts, losses, notBeforeMs, reason, state } = trouble;
  return [hold.id, position, attempts, losses, notBeforeMs, reason.slice(0, MAX_REASON), TROUBLE_STATES[state]];
}

async function deleteTroubles(queries: Queries, writes: readonly OffsetWrite[]): Promise<void> {
  for (const { hold, troublesOver } of writes) {
    for (const chunk of chunks(troublesOver)) {
      await queries.query(
        `DELETE FROM consumer_trouble WHERE consumer_id = ? AND position IN (${chunk.map(() => '?').join()})`,
        [hold.id, ...chunk],
      );
    }
  }
}

function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let from = 0; from < items.length; from += MAX_TROUBLE_ROWS) yield items.slice(from, from + MAX_TROUBLE_ROWS);
}
