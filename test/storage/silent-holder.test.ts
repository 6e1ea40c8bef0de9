// An instance that freezes in the middle of a transaction must not keep its locks: the server rolls it back.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

const LOCK = 'SELECT position FROM log_head WHERE id = 1 FOR UPDATE';
let test: TestDatabase;
let frozen: Database;
let other: Database;

beforeAll(async () => {
  test = await createTestDatabase();
  frozen = new Database({ url: test.url, poolSize: 3, random: Math.random });
  other = new Database({ url: test.url, poolSize: 3, random: Math.random });
  await migrate(other);
});
afterAll(async () => {
  await frozen.close();
  await other.close();
  await test.drop();
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe('a transaction that falls silent', () => {
  it('loses its locks, and does not commit afterwards', async () => {
    const { promise: isLocked, resolve: locked } = deferred();
    const { promise: isTaken, resolve: taken } = deferred();
    const silent = frozen.transaction(async (queries) => {
      await queries.query('UPDATE log_head SET position = 7 WHERE id = 1');
      locked();
      await isTaken;
      await queries.query('SELECT 1');
    });
    silent.catch(() => {});
    await isLocked;
    // Waits for the lock, again and again if need be.
    const found = await other.transaction((queries) => queries.query<{ position: number }>(LOCK));
    expect(found).toEqual([{ position: 0 }]);
    taken();
    await expect(silent).rejects.toThrow();
    expect(await other.query(LOCK)).toEqual([{ position: 0 }]);
  }, 30_000);
});
