// What is due, by the database's clock and in parts that a packet takes; and the ledger of pushes, forgotten a little at a time.

import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { MysqlWaitStore } from '../../src/storage/mysql/waits/wait-store.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { numbers } from '../support/database/numbers.js';

const NOW = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
let test: TestDatabase;
let database: Database;
let store: MysqlWaitStore;
let connection: Connection;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 2, random: Math.random });
  await migrate(database);
  store = new MysqlWaitStore({ database, names: new Names() });
  connection = await createConnection(test.adminUrl);
});
afterAll(async () => {
  await connection.end();
  await database.close();
  await test.drop();
});
beforeEach(async () => {
  await connection.query('DELETE FROM wait');
  await connection.query('DELETE FROM push_ledger');
});

async function awaited(from: number, to: number, dueIn: string, descriptionBytes = 10): Promise<void> {
  await connection.query(
    `INSERT INTO wait (event_id, context_id, topic_id, version, shape_id, value_hash, state, created_at, expires_at, position, issuer,
       message_id, description) SELECT seq, 1, 1, 0, 1, seq, 0, 0, ${NOW} + ${dueIn}, 0, 'x', seq, REPEAT('x', ?) FROM ${numbers(from, to)}`,
    [descriptionBytes],
  );
}

describe('what is due', () => {
  it('is nothing while nothing is awaited, and is announced before it is due', async () => {
    expect(await store.due(10, 1_000)).toEqual({ eventIds: [], nextMs: undefined });
    await awaited(1, 3, `${HOUR}`);
    const { eventIds, nextMs } = await store.due(10, 1_000);
    expect(eventIds).toEqual([]);
    expect(nextMs).toBeGreaterThan(3_590_000);
    expect(nextMs).toBeLessThanOrEqual(3_600_000);
  });

  it('comes with the longest due first, as many as are wanted', async () => {
    await awaited(1, 5, '-1000000');
    await awaited(6, 7, '-2000000');
    await awaited(8, 9, `${HOUR}`);
    expect((await store.due(3, 1_000)).eventIds.slice(0, 2).sort()).toEqual([6, 7]);
    expect((await store.due(10, 1_000)).eventIds).toHaveLength(7);
  });

  it('comes in parts of so many bytes, one at least', async () => {
    await awaited(1, 500, '-1', 16 * 1024);
    const { eventIds } = await store.due(500, 1024 * 1024);
    expect(eventIds).toHaveLength(64);
    expect((await store.due(500, 1)).eventIds).toHaveLength(1);
  });
});

describe('the ledger', () => {
  it('forgets what is old, a part at a time, and nothing that may still be asked for', async () => {
    const insert = (count: number, age: number, first: number) =>
      connection.query(
        `INSERT INTO push_ledger (context_id, message_id, issuer, event_id, created_at)
         SELECT 1, seq + ${first}, 'x', 1, ${NOW} - ${age} FROM ${numbers(1, count)}`,
      );
    await insert(1_200, 3 * DAY, 0);
    await insert(10, 25 * HOUR, 5_000);
    await insert(10, 0, 9_000);
    // Apart from the head row: nobody who pushes waits for it, and it waits for nobody.
    await connection.query('START TRANSACTION');
    await connection.query('SELECT position FROM log_head FOR UPDATE');
    const forgotten: number[] = [];
    for (let n = 0; n < 4; n += 1) forgotten.push(await store.forgetPushes(2 * DAY, 500));
    await connection.query('ROLLBACK');
    expect(forgotten).toEqual([500, 500, 200, 0]);
    const [[row]] = await connection.query<RowDataPacket[]>('SELECT COUNT(*) AS left_there FROM push_ledger');
    expect(Number(row?.left_there)).toBe(20);
  });
});
