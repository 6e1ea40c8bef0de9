// Rows of instances: each start leaves one, and they do not add up.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { startServer } from '../support/server/server.js';

const FORMER_RUNS = 1_500;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function instances(): Promise<string[]> {
  const connection = await createConnection(database.adminUrl);
  const [rows] = await connection.query<RowDataPacket[]>('SELECT CAST(id AS CHAR) AS id FROM instance');
  await connection.end();
  return rows.map(({ id }) => String(id));
}

it('go once their run has ended, a thousand with each start, but not those of runs that may live', async () => {
  const start = async () => (await startServer({ databaseUrl: database.url })).stop();
  await start();
  const connection = await createConnection(database.adminUrl);
  const row = (id: string, seconds: number) => `('${id}', '', 1, SYSDATE(6), SYSDATE(6) - INTERVAL ${seconds} SECOND)`;
  const ended = Array.from({ length: FORMER_RUNS }, (_, n) => row(`ended ${n}`, 700));
  await connection.query(
    `INSERT INTO instance (id, address, seq, started_at, seen_at) VALUES ${[...ended, row('quiet', 500)].join(', ')}`,
  );
  await connection.end();
  await start();
  expect((await instances()).filter((id) => id.startsWith('ended'))).toHaveLength(FORMER_RUNS - 1_000);
  await start();
  const left = await instances();
  expect(left.filter((id) => id.startsWith('ended'))).toEqual([]);
  expect(left).toContain('quiet');
  // The three runs that have just ended are younger than that.
  expect(left).toHaveLength(4);
});
