// The limit that pushes are held against: prepared inserts of the same rows into the same tables, in transactions that lock and
// move the head row, over two connections in turn, with no server in between.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { EntryKind, type LogEntry } from '../../src/domain/event.js';
import { Uuid7Source } from '../../src/lib/uuid7.js';
import { connectionOptions, type SqlValue } from '../../src/storage/mysql/database.js';
import { COLUMN_COUNT, COLUMNS_WRITTEN, pushRowValues } from '../../src/storage/mysql/entry-rows.js';
import { PAYLOAD } from './load.js';

const LOCK = `START TRANSACTION; SELECT position, next_event_id FROM log_head WHERE id = 1 FOR UPDATE`;
const uuids = new Uuid7Source(() => Date.now());

function rowValues(values: SqlValue[], position: number): void {
  const entry: LogEntry = {
    position,
    kind: EntryKind.OCCURRED,
    eventId: position,
    context: 'default',
    topic: 'orders',
    version: 0,
    stream: '',
    sequence: 0,
    issuer: 'shop',
    messageId: uuids.next(),
    createdAt: 1_763_000_000_000_000 + position,
    sessionId: '',
    correlationId: '',
    to: '',
    replyTo: '',
    subject: 0,
    tag: '',
    entityType: '',
    organization: '',
    unit: '',
    rest: undefined,
    payload: { contentType: '', bytes: PAYLOAD },
  };
  pushRowValues(values, { entry, digest: undefined }, { contextId: 1, topicId: 1, streamId: null });
}

/** Rows a second. The database has to be migrated. */
export async function rawInserts(
  url: string,
  options: { rows: number; groupSize: number; lanes: number },
): Promise<number> {
  const mark = `(${Array.from({ length: COLUMN_COUNT }, () => '?').join(', ')})`;
  const insert = `INSERT INTO log (${COLUMNS_WRITTEN}) VALUES ${Array.from({ length: options.groupSize }, () => mark).join(', ')}`;
  let left = Math.ceil(options.rows / options.groupSize);
  const groups = left;
  const lane = async () => {
    const connection = await createConnection({ ...connectionOptions(url), multipleStatements: true });
    while (left > 0) {
      left -= 1;
      const [results] = await connection.query<RowDataPacket[][]>(LOCK);
      const head = results[1]?.[0] as { position: number; next_event_id: number };
      const values: SqlValue[] = [];
      for (let n = 1; n <= options.groupSize; n += 1) rowValues(values, head.position + n);
      await connection.execute(insert, values as string[]);
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
