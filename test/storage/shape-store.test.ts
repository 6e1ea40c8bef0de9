// When shapes were needed last, as rows tell it; rows of servers that know nothing of it do not.

import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { MysqlShapeStore } from '../../src/storage/mysql/waits/shape-store.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

const FAR = 4_000_000_000_000_000;
let test: TestDatabase;
let database: Database;
let connection: Connection;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 2, random: Math.random });
  await migrate(database);
  connection = await createConnection(test.adminUrl);
});
afterAll(async () => {
  await connection.end();
  await database.close();
  await test.drop();
});

it('are idle by the time when they were needed; one that a server of before made is not', async () => {
  const store = new MysqlShapeStore({ database, names: new Names() });
  await connection.query("INSERT INTO context (id, name) VALUES (1, 'default')");
  await connection.query("INSERT INTO topic (id, context_id, name) VALUES (1, 1, 'orders')");
  const paths = '\'[["a"]]\'';
  await connection.query(`INSERT INTO shape (id, topic_id, digest, paths, ready, watched_after, built_to, needed_at)
    VALUES (1, 1, 'old', ${paths}, 1, 0, 0, 0), (2, 1, 'new', ${paths}, 1, 0, 0, 1000)`);
  expect(await store.idle(FAR, 0, 10)).toEqual([2]);
  await store.touch(1, 2000);
  expect(await store.idle(FAR, 0, 10)).toEqual([1, 2]);
  expect(await store.idle(1500, 0, 10)).toEqual([2]);
});
