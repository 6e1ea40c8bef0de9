// Writes the places of many consumers at once, each guarded by its owner's epoch, and their failure records.

import type { FailureRecord } from '../../../domain/consumers/delivery-types.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import { type Hold, MAX_FLUSHED, type OffsetWrite } from '../../ports/consumer-storage.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { FAILURE_STATES } from './consumer-rows.js';

/** Statements are prepared in these sizes only; the rest is filled up with a consumer that does not exist. */
const SIZES = [1, 4, 16, MAX_FLUSHED];
const NOBODY = 0;

// By primary key, so that rows are locked by ascending id. Each value is looked up by CASE: an UPDATE that joins a derived
// table makes two temporary tables, one of them on disk because of the BLOB (MariaDB 10.11).
const FLUSH = new Map(SIZES.map((size) => [size, flushStatement(size)]));

function flushStatement(size: number): string {
  const choose = `CASE id ${'WHEN ? THEN ? '.repeat(size)}END`;
  const columns = ['generation', 'generation_lease', 'acked_to', 'moved_at', 'acked_above'];
  return `UPDATE consumer FORCE INDEX (PRIMARY) SET ${columns.map((column) => `${column} = ${choose}`).join()}
    WHERE id IN (${Array.from({ length: size }, () => '?').join()}) AND owner_epoch = ${choose}`;
}

/** Characters that the columns hold. */
const MAX_REASON = 1024;
const MAX_CODE = 64;
/** Rows of failure records in one statement at most. */
const MAX_FAILURE_ROWS = 500;

/** See ConsumerStore.flush. */
export async function flushOffsets(database: Database, writes: readonly OffsetWrite[]): Promise<ReadonlySet<number>> {
  if (writes.every(isPlaceOnly)) return writePlaces(database, writes);
  return database.transaction(async (transaction) => {
    const lost = await writePlaces(transaction, writes);
    const held = writes.filter((write) => !lost.has(write.hold.id));
    await beginGenerations(transaction, held);
    await storeFailures(transaction, held);
    await deleteFailures(transaction, held);
    return lost;
  });
}

function isPlaceOnly({ generationOffset, failures, failuresOver }: OffsetWrite): boolean {
  return generationOffset === undefined && failures.length === 0 && failuresOver.length === 0;
}

async function writePlaces(queries: Queries, writes: readonly OffsetWrite[]): Promise<ReadonlySet<number>> {
  const size = SIZES.find((candidate) => candidate >= writes.length) ?? MAX_FLUSHED;
  const { affectedRows } = await queries.write(FLUSH.get(size) as string, flushValues(writes, size));
  if (affectedRows === writes.length) return new Set();
  const holds = writes.map((write) => write.hold);
  return findLost(queries, holds);
}

/** Values in the order of flushStatement's columns. */
function flushValues(writes: readonly OffsetWrite[], size: number): SqlValue[] {
  const ids = Array.from({ length: size }, (_, index) => writes[index]?.hold.id ?? NOBODY);
  const choose = (value: (write: OffsetWrite) => SqlValue) =>
    ids.flatMap((id, index) => {
      const write = writes[index];
      return [id, write === undefined ? null : value(write)];
    });
  return [
    ...choose((write) => write.generation),
    ...choose((write) => write.generationLease),
    ...choose((write) => write.offset),
    ...choose((write) => write.movedAt ?? null),
    ...choose(({ acked }) => asBuffer(acked)),
    ...ids,
    ...choose((write) => write.hold.epoch),
  ];
}

async function findLost(queries: Queries, holds: readonly Hold[]): Promise<ReadonlySet<number>> {
  const rows = await queries.query<{ id: number; owner_epoch: number }>(
    `SELECT id, owner_epoch FROM consumer FORCE INDEX (PRIMARY) WHERE id IN (${holds.map(() => '?').join()})`,
    holds.map((hold) => hold.id),
  );
  const epochs = new Map(rows.map((row) => [row.id, row.owner_epoch]));
  return new Set(holds.filter((hold) => epochs.get(hold.id) !== hold.epoch).map((hold) => hold.id));
}

/** Apart from the places: a generation begins once in a while. */
async function beginGenerations(queries: Queries, writes: readonly OffsetWrite[]): Promise<void> {
  for (const { hold, generationOffset } of writes) {
    if (generationOffset === undefined) continue;
    await queries.write('UPDATE consumer SET generation_offset = ? WHERE id = ?', [generationOffset, hold.id]);
  }
}

/** What a failure record replaces of its row; where it has no cause, the texts stay as they are stored. */
const NUMBERS = ['attempts', 'losses', 'not_before_ms', 'failed_lease', 'parked_at', 'state'];
const TEXTS = ['code', 'reason'];

async function storeFailures(queries: Queries, writes: readonly OffsetWrite[]): Promise<void> {
  for (const withTexts of [true, false]) {
    const rows = writes.flatMap(({ hold, failures }) =>
      failures
        .filter(({ cause }) => (cause !== undefined) === withTexts)
        .map((failure) => failureValues(hold, failure)),
    );
    const replaced = withTexts ? [...NUMBERS, ...TEXTS] : NUMBERS;
    for (const chunk of chunks(rows)) {
      await queries.query(
        `INSERT INTO consumer_trouble (consumer_id, position, ${[...NUMBERS, ...TEXTS].join()})
         VALUES ${chunk.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join()}
         ON DUPLICATE KEY UPDATE ${replaced.map((column) => `${column} = VALUES(${column})`).join()}`,
        chunk.flat(),
      );
    }
  }
}

/** Values in the order of the columns. */
function failureValues(hold: Hold, failure: FailureRecord): SqlValue[] {
  const { position, attempts, losses, notBeforeMs, failedLease, cause, parkedAtMs, state } = failure;
  const { code, reason } = cause ?? { code: '', reason: '' };
  return [
    ...[hold.id, position, attempts, losses, notBeforeMs, failedLease, parkedAtMs * 1000, FAILURE_STATES[state]],
    ...[code.slice(0, MAX_CODE), reason.slice(0, MAX_REASON)],
  ];
}

async function deleteFailures(queries: Queries, writes: readonly OffsetWrite[]): Promise<void> {
  for (const { hold, failuresOver } of writes) {
    for (const chunk of chunks(failuresOver)) {
      await queries.query(
        `DELETE FROM consumer_trouble WHERE consumer_id = ? AND position IN (${chunk.map(() => '?').join()})`,
        [hold.id, ...chunk],
      );
    }
  }
}

function* chunks<T>(items: readonly T[]): Generator<T[]> {
  for (let from = 0; from < items.length; from += MAX_FAILURE_ROWS) yield items.slice(from, from + MAX_FAILURE_ROWS);
}
