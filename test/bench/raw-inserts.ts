// The limit that pushes are held against: prepared inserts of the same rows into the same tables, in transactions that lock and
// move the head row, over two connections in turn, with no server in between.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { EMPTY_ENVELOPE } from '../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../src/domain/events/event.js';
import { Uuid7Source } from '../../src/lib/uuid7.js';
import { EntryInsert } from '../../src/storage/mysql/log/entry-rows.js';
import { connectionOptions } from '../../src/storage/mysql/sql/database.js';
import { PAYLOAD } from './load.js';

const LOCK = `START TRANSACTION; SELECT position, next_event_id FROM log_head WHERE id = 1 FOR UPDATE`;
const IDS = { contextId: 1, topicId: 1, streamId: null };
const uuids = new Uuid7Source(() => Date.now());

function entryAt(position: number): LogEntry {
  return {
    ...EMPTY_ENVELOPE,
    position,
    kind: EntryKind.OCCURRED,
    eventId: position,
    context: 'default',
    topic: 'orders',
    sequence: 0,
    issuer: 'shop',
    messageId: uuids.next(),
    createdAt: 1_763_000_000_000_000 + position,
    payload: { contentType: '', bytes: PAYLOAD },
  };
}

/** Rows a second, each an insert that commits for itself, one after the other. The database has to be migrated. */
export async function loneInserts(url: string, rows: number): Promise<number> {
  const connection = await createConnection(connectionOptions(url));
  const [[last]] = await connection.query<RowDataPacket[]>('SELECT COALESCE(MAX(position), 0) AS position FROM log');
  const first = Number(last?.['position']) + 1;
  const startedAt = performance.now();
  for (let position = first; position < first + rows; position += 1) {
    const insert = new EntryInsert([{ entry: entryAt(position), digest: undefined }], () => IDS);
    await connection.execute(insert.sql, insert.values as string[]);
  }
  const rate = (rows / (performance.now() - startedAt)) * 1000;
  await connection.end();
  return rate;
}

/** Rows a second. The database has to be migrated. */
export async function rawInserts(
  url: string,
  options: { rows: number; groupSize: number; lanes: number },
): Promise<number> {
  let left = Math.ceil(options.rows / options.groupSize);
  const groups = left;
  const lane = async () => {
    const connection = await createConnection({ ...connectionOptions(url), multipleStatements: true });
    while (left > 0) {
      left -= 1;
      const [results] = await connection.query<RowDataPacket[][]>(LOCK);
      const head = results[1]?.[0] as { position: number; next_event_id: number };
      const entries = Array.from({ length: options.groupSize }, (_, n) => {
        return { entry: entryAt(head.position + n + 1), digest: undefined };
      });
      const insert = new EntryInsert(entries, () => IDS);
      await connection.execute(insert.sql, insert.values as string[]);
      const position = head.position + options.groupSize;
      await connection.query(
        `UPDATE log_head SET position = ${position}, next_event_id = ${position + 1}, created_at = ${1_763_000_000_000_000 + position} WHERE id = 1; COMMIT`,
      );
    }
    await connection.end();
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: options.lanes }, lane));
  return ((groups * options.groupSize) / (performance.now() - startedAt)) * 1000;
}
