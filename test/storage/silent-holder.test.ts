// An instance that freezes in the middle of a transaction must not keep its locks: the server rolls it back, wherever it froze.

import { type Connection, createConnection } from 'mysql2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectionQueries, connectionOptions, Database } from '../../src/storage/mysql/sql/database.js';
import { ROW_HOLDER_SETTINGS } from '../../src/storage/mysql/sql/dialect.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

const LOCK = 'SELECT position FROM log_head WHERE id = 1 FOR UPDATE';
/** What a frozen instance may hold others up for; the server looks after 3 s. */
const FREE_WITHIN_MS = 8_000;
const SERVER_WIDE = ['idle_transaction_timeout', 'idle_write_transaction_timeout', 'wait_timeout'];
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

/** Waits for the head row, again and again if need be; how long, and what was found. */
async function takeHead(): Promise<{ waitedMs: number; position: number | undefined }> {
  const from = performance.now();
  const [row] = await other.transaction((queries) => queries.query<{ position: number }>(LOCK));
  return { waitedMs: performance.now() - from, position: row?.position };
}

/** Runs the work with a raw connection that holds the head row, as one of ours does. */
async function holdingHead(work: (connection: Connection, queries: ConnectionQueries) => Promise<void>): Promise<void> {
  const connection = createConnection(connectionOptions(test.url));
  connection.on('error', () => {});
  try {
    const queries = new ConnectionQueries(connection, 60_000);
    for (const sql of [ROW_HOLDER_SETTINGS, 'START TRANSACTION', 'UPDATE log_head SET position = 7 WHERE id = 1']) {
      await queries.query(sql);
    }
    await work(connection, queries);
  } finally {
    connection.destroy();
  }
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
    const { waitedMs, position } = await takeHead();
    expect(position).toBe(0);
    expect(waitedMs).toBeLessThan(FREE_WITHIN_MS);
    taken();
    await expect(silent).rejects.toThrow();
    expect(await other.query(LOCK)).toEqual([{ position: 0 }]);
  });

  it('loses its locks in the middle of a statement that it sends', async () => {
    await holdingHead(async (connection) => {
      const size = 8 * 1024 * 1024;
      const { stream } = connection as unknown as { stream: { write(bytes: Buffer): void } };
      // The header of a packet, and half of what it promises.
      stream.write(Buffer.concat([Buffer.from([0, 0, size >> 16, 0, 0x03]), Buffer.alloc(size / 2, 0x20)]));
      const { waitedMs, position } = await takeHead();
      expect(position).toBe(0);
      expect(waitedMs).toBeLessThan(FREE_WITHIN_MS);
    });
  });

  it('loses its locks in the middle of an answer that it does not read', async () => {
    await holdingHead(async (connection, queries) => {
      const { stream } = connection as unknown as { stream: { pause(): void } };
      const digits = '(SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)';
      queries
        .query(`SELECT REPEAT('x', 1000000) FROM ${digits} a JOIN ${digits} b JOIN ${digits} c`)
        .catch(() => undefined);
      stream.pause();
      const { waitedMs, position } = await takeHead();
      expect(position).toBe(0);
      expect(waitedMs).toBeLessThan(FREE_WITHIN_MS);
    });
  });

  it('is bounded whatever the server is set to', async () => {
    const admin = createConnection({ uri: test.adminUrl }).promise();
    try {
      const names = SERVER_WIDE.map((name) => `'${name}'`).join();
      const [rows] = await admin.query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`);
      const before = rows as { Variable_name: string; Value: string }[];
      expect(before.map(({ Variable_name: name }) => name)).toContain('wait_timeout');
      const set = (value: (name: { Variable_name: string; Value: string }) => string) =>
        admin.query(`SET ${before.map((row) => `GLOBAL ${row.Variable_name} = ${value(row)}`).join()}`);
      await set(() => '3600');
      const late = new Database({ url: test.url, poolSize: 1, random: Math.random });
      const [{ promise: isLocked, resolve: locked }, { promise: isTaken, resolve: taken }] = [deferred(), deferred()];
      const silent = late.transaction(async (queries) => {
        await queries.query('UPDATE log_head SET position = 7 WHERE id = 1');
        locked();
        await isTaken;
        await queries.query('SELECT 1');
      });
      silent.catch(() => {});
      await isLocked;
      await set(({ Value }) => Value);
      expect((await takeHead()).waitedMs).toBeLessThan(FREE_WITHIN_MS);
      taken();
      await expect(silent).rejects.toThrow();
      await late.close();
    } finally {
      await admin.end();
    }
  });
});

describe('a connection of the pool', () => {
  const idOf = async (database: Database) =>
    (await database.query<{ id: number }>('SELECT CONNECTION_ID() AS id'))[0]?.id;

  it('stays open while it is idle', async () => {
    const idle = new Database({ url: test.url, poolSize: 1, random: Math.random });
    const before = await idOf(idle);
    await other.query('DO SLEEP(4.5)');
    expect(await idOf(idle)).toBe(before);
    await idle.close();
  });

  it('is replaced, and nobody told, when the process had stopped for so long that the server closed it', async () => {
    const stopped = new Database({ url: test.url, poolSize: 1, random: Math.random });
    const before = await idOf(stopped);
    // The whole process, as far as it can tell.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_500);
    expect(await idOf(stopped)).not.toBe(before);
    await stopped.close();
  });

  it('that has a lock of the session keeps it however long the work takes', async () => {
    const migrating = new Database({ url: test.url, poolSize: 2, random: Math.random });
    const isFree = await migrating.withSession(async (session) => {
      await session.query("SELECT GET_LOCK('held', 0)");
      await other.query('DO SLEEP(4.5)');
      return other.query<{ free: number }>("SELECT IS_FREE_LOCK('held') AS free");
    }, 5_000);
    expect(isFree).toEqual([{ free: 0 }]);
    await migrating.close();
  });
});
