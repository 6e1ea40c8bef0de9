// Look-ups of many pairs of a number and a text, such as names in their contexts: by the index, however many they are.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formerIds } from '../../src/storage/mysql/cawins/cawin-writes.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database, type Queries } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { numbers } from '../support/database/numbers.js';

const STORED = 20_000;
let test: TestDatabase;
let database: Database;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 2, random: Math.random });
  await migrate(database);
  await database.query("INSERT INTO context (id, name) VALUES (1, 'default')");
  await database.query(`INSERT INTO cawin (id, event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms,
      signed, created_at, request_id, digest)
    SELECT seq, seq, 1, 1, 0, 14, 1, 'http://1/', '[]', 1000, 0, 0, CONCAT('request ', seq), REPEAT('d', 32) FROM ${numbers(1, STORED)}`);
  await database.query(
    `INSERT INTO topic (id, context_id, name) SELECT seq + 100, 1, CONCAT('topic ', seq) FROM ${numbers(1, STORED)}`,
  );
  await database.query('ANALYZE TABLE cawin, topic');
}, 60_000);
afterAll(async () => {
  await database.close();
  await test.drop();
});

async function handled(queries: Queries): Promise<number> {
  const rows = await queries.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Handler_read%'");
  return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
}

/** Rows that the work reads, and what it returns. */
function reading<T>(work: (queries: Queries) => Promise<T>): Promise<{ read: number; found: T }> {
  return database.transaction(async (queries) => {
    const first = await handled(queries);
    const look = (await handled(queries)) - first;
    const found = await work(queries);
    return { read: (await handled(queries)) - first - 2 * look, found };
  });
}

describe.each([1, 63, 250, 251, 499, 500, 501, 1_000, 3_000])('%i pairs', (count) => {
  const wanted = Array.from({ length: count }, (_, n) => n + 1);

  it('of request ids read their rows, and not those of others', async () => {
    const requests = wanted.map((n) => ({ contextId: 1, requestId: `request ${n}` }));
    const { read, found } = await reading((queries) => formerIds(queries, requests));
    expect(found.size).toBe(count);
    expect(found.get('1:request 1')).toBe(1);
    expect(read).toBeLessThanOrEqual(4 * count + 100);
  });

  it('of names read their rows, and not those of others', async () => {
    const names = new Names().current;
    const topics = wanted.map((n) => ({ context: 'default', name: `topic ${n}` }));
    const { read } = await reading((queries) => names.load(queries, { contexts: ['default'], topics }));
    expect(topics.every(({ context, name }) => names.topicId(context, name) !== undefined)).toBe(true);
    expect(read).toBeLessThanOrEqual(4 * count + 1_000);
  });
});
