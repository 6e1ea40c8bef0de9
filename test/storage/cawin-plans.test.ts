// How the database runs the statements of callbacks: each by its index, reading no more than it returns, however many firings a dead
// endpoint holds.

import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FiringState } from '../../src/domain/cawins/cawin.js';
import { CircuitState } from '../../src/domain/cawins/endpoint-circuit.js';
import { MysqlCallbackStore } from '../../src/storage/mysql/cawins/callback-store.js';
import { SELECT_CAWINS } from '../../src/storage/mysql/cawins/firing-store.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { numbers } from '../support/database/numbers.js';

const HELD = 20_000;
const ENDPOINTS = 500;
/** Holds everything; the others have one firing each. */
const DEAD = 1;
const NOW = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
let test: TestDatabase;
let database: Database;
let store: MysqlCallbackStore;
let connection: Connection;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 4, random: Math.random });
  await migrate(database);
  store = new MysqlCallbackStore({ database });
  connection = await createConnection(test.adminUrl);
  await connection.query("INSERT INTO context (id, name) VALUES (1, 'default')");
  await connection.query(`INSERT INTO endpoint (id, origin, state, failures, ready_at, next_probe_at, changed_at)
    SELECT seq, CONCAT('http://', seq), IF(seq = ${DEAD}, ${CircuitState.OPEN}, ${CircuitState.CLOSED}), 0,
      ${NOW} + IF(seq = ${DEAD}, 60000000, seq) - ${ENDPOINTS + 1}, IF(seq = ${DEAD}, ${NOW} + 60000000, 0), 0 FROM ${numbers(1, ENDPOINTS)}`);
  await connection.query(`INSERT INTO cawin (id, event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names,
      timeout_ms, signed, created_at, deadline)
    SELECT seq, seq MOD 50, 1, 1, 0, 14, 1, 'http://1/', '[]', 1000, 0, 0, IF(seq MOD 100 = 0, seq, NULL)
    FROM ${numbers(1, HELD + ENDPOINTS)}`);
  await connection.query(`INSERT INTO firing (cawin_id, kind, position, endpoint_id, state, due_at, token, attempts, round_start, created_at)
    SELECT seq, 1, 1, IF(seq <= ${HELD}, ${DEAD}, seq - ${HELD}), ${FiringState.PENDING}, IF(seq MOD 10 = 0, NULL, seq), 0, 0, 0, 0
    FROM ${numbers(1, HELD + ENDPOINTS)}`);
  await connection.query('ANALYZE TABLE endpoint, cawin, firing');
}, 60_000);
afterAll(async () => {
  await connection.end();
  await database.close();
  await test.drop();
});

async function plan(sql: string): Promise<{ key: string | null; Extra: string | null; rows: number }> {
  const [rows] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${sql}`);
  return (rows as { key: string | null; Extra: string | null; rows: number }[])[0]!;
}

/** Rows that this session's statements read while the work ran. */
async function rowsRead(sql: string): Promise<number> {
  await connection.query('FLUSH STATUS');
  await connection.query(sql);
  const [rows] = await connection.query("SHOW SESSION STATUS LIKE 'Handler_read%'");
  return (rows as { Value: string }[]).reduce((sum, { Value }) => sum + Number(Value), 0);
}

describe('the statements of callbacks', () => {
  it.each([
    [
      'ready endpoints',
      `SELECT id, CAST(ready_at AS SIGNED) - CAST(${NOW} AS SIGNED) AS ready_in FROM endpoint
       WHERE ready_at < ${Number.MAX_SAFE_INTEGER} AND id NOT IN (3, 4) ORDER BY ready_at LIMIT 64`,
      'endpoint_ready',
      70,
    ],
    [
      'due firings of an endpoint',
      `SELECT cawin_id, kind FROM firing WHERE endpoint_id = ${DEAD} AND due_at <= ${NOW} ORDER BY due_at LIMIT 32`,
      'firing_due',
      40,
    ],
    [
      'what is due next',
      `SELECT due_at FROM firing WHERE endpoint_id = ${DEAD} AND due_at > 0 ORDER BY due_at LIMIT 1`,
      'firing_due',
      5,
    ],
    [
      'the next deadline',
      'SELECT deadline FROM cawin WHERE deadline > 0 ORDER BY deadline LIMIT 1',
      'cawin_deadline',
      2,
    ],
    ['deadlines', 'SELECT id FROM cawin WHERE deadline <= 500 ORDER BY deadline LIMIT 5', 'cawin_deadline', 10],
  ])('find %s by their index, without sorting', async (_, sql, key, mostRead) => {
    const { key: used, Extra } = await plan(sql);
    expect(used).toBe(key);
    expect(Extra ?? '').not.toMatch(/filesort|temporary/i);
    expect(await rowsRead(sql)).toBeLessThanOrEqual(mostRead);
  });

  it('read the cawins of an event from the place on that was come to, for one event of several too', async () => {
    const values = [0, 7, 7, 20_000, 50];
    for (const sql of [SELECT_CAWINS, `${SELECT_CAWINS} UNION ALL ${SELECT_CAWINS}`]) {
      const [rows] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, [...values, ...values]);
      // Both columns of the index, not only the event: what is before the place is not even passed over.
      const plan = { key: 'cawin_event', key_len: '16', type: 'range' };
      expect((rows as object[])[0]).toMatchObject(plan);
    }
    const [rows] = await connection.query(SELECT_CAWINS, values);
    const ids = (rows as { id: number }[]).map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: 10 }, (_, n) => 20_007 + n * 50));
  });

  it('do not see the endpoint that is held, and claim from one that is ready', async () => {
    const { ready } = await store.readyEndpoints([], 64);
    expect(ready).toHaveLength(64);
    expect(ready.map(({ id }) => id)).not.toContain(DEAD);
    expect(await store.claim(DEAD, { limit: 32, token: 1 })).toEqual([]);
    const [first] = await store.claim(2, { limit: 32, token: 2 });
    expect(first).toMatchObject({ endpointId: 2, cawinId: HELD + 2, attemptNumber: 1, isProbe: false });
    expect(await store.claim(2, { limit: 32, token: 3 })).toEqual([]);
  });

  it('give two that claim at once different firings', async () => {
    await connection.query(`UPDATE endpoint SET state = ${CircuitState.CLOSED}, ready_at = 0 WHERE id = ${DEAD}`);
    const claims = await Promise.all([1, 2, 3, 4].map((token) => store.claim(DEAD, { limit: 32, token })));
    const ids = claims.flat().map(({ cawinId }) => cawinId);
    expect(ids).toHaveLength(128);
    expect(new Set(ids).size).toBe(128);
  });
});
