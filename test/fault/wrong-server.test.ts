// A fail-over by hand, as with any pair of servers behind a name: the old primary turns read-only, the replica becomes the primary, the name
// leads to it. Connections to the old one are of no use any more, though they live and answer reads.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { LeadingProxy } from '../support/database/leading-proxy.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { newEvent } from '../support/events/builders.js';
import { startServer, TestClient, type TestServer } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

/** Within which pushes are taken again, the machine being busy. */
const RECOVERY_MS = 8_000;

describe('a name that leads to another server', () => {
  let old: PrivateDatabase;
  let next: PrivateDatabase;
  let database: TestDatabase;
  let proxy: LeadingProxy;
  let server: TestServer;
  let client: TestClient;

  beforeEach(async () => {
    const durable = ['--log-bin=binlog', '--sync-binlog=1', '--log-slave-updates'];
    old = new PrivateDatabase({ arguments: [...durable, '--server-id=1'] });
    next = new PrivateDatabase({ arguments: [...durable, '--server-id=2', '--replicate-wild-do-table=test\\_%.%'] });
    await Promise.all([old.start(), next.start()]);
    database = await createTestDatabase(old.adminUrl);
    await replicate();
    proxy = new LeadingProxy(old.port);
    await proxy.start();
    server = await startServer({ databaseUrl: proxy.through(database.url) });
    client = new TestClient(server.address);
  });

  afterEach(async () => {
    client?.close();
    await server?.stop();
    await proxy?.stop();
    await Promise.all([old?.stop(), next?.stop()]);
  });

  /** Accounts are not replicated: each server has an administrator with a password of its own. */
  async function replicate(): Promise<void> {
    const { username, password } = new URL(old.adminUrl);
    await admin(
      next,
      `CREATE USER ${database.name}@'127.0.0.1' IDENTIFIED BY '${database.name}'`,
      `GRANT ALL ON ${database.name}.* TO ${database.name}@'127.0.0.1'`,
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${old.port}, MASTER_USER = '${username}',
        MASTER_PASSWORD = '${password}', MASTER_USE_GTID = slave_pos`,
      'START SLAVE',
    );
  }

  async function admin(mariadb: PrivateDatabase, ...statements: string[]): Promise<RowDataPacket[]> {
    const connection = await createConnection(mariadb.adminUrl);
    try {
      let rows: RowDataPacket[] = [];
      for (const statement of statements) [rows] = await connection.query<RowDataPacket[]>(statement);
      return rows;
    } finally {
      await connection.end();
    }
  }

  /** The old primary takes no writes any more, and the new one has all that it took. */
  async function failOver(): Promise<void> {
    const [at] = await admin(old, 'SET GLOBAL read_only = 1', 'SELECT @@GLOBAL.gtid_binlog_pos AS position');
    const [caughtUp] = await admin(next, `SELECT MASTER_GTID_WAIT('${at?.['position']}', 20) AS failed`);
    expect(caughtUp).toEqual({ failed: 0 });
    await admin(next, 'STOP SLAVE');
    proxy.lead(next.port);
  }

  const push = async () => (await client.events.pushEvent({ event: newEvent() })).event?.position;

  it('is followed within seconds, by pool, committers and barrier, and nothing is lost', async () => {
    const before = await Promise.all(Array.from({ length: 50 }, push));
    const consumer = { name: 'reader', context: 'default' };
    await client.consumers.createConsumer(consumer);
    expect(proxy.openTo(old.port)).toBeGreaterThan(3);

    await failOver();
    const sinceMs = performance.now();
    const position = await waitUntil(() => push().catch(() => undefined), {
      what: 'a push is taken again',
      timeoutMs: 60_000,
    });
    expect(performance.now() - sinceMs).toBeLessThan(RECOVERY_MS);
    expect(Number(position)).toBe(before.length + 1);

    // Readers too: nobody is left at the old one, which would answer them for ever.
    const { events } = await client.events.listEvents({ filter: { topics: ['orders'] }, pageSize: 100 });
    expect(events).toHaveLength(before.length + 1);
    await Promise.all(Array.from({ length: 50 }, push));
    await waitUntil(() => proxy.openTo(old.port) === 0, { what: 'the old server is left', timeoutMs: RECOVERY_MS });
    expect(proxy.openTo(next.port)).toBeGreaterThan(3);
  });

  it('is waited for where it still leads to the old one', async () => {
    await push();
    await admin(old, 'SET GLOBAL read_only = 1');
    await expect(push()).rejects.toThrow(/UNAVAILABLE/);
    await admin(old, 'SET GLOBAL read_only = 0');
    const sinceMs = performance.now();
    await waitUntil(() => push().catch(() => undefined), { what: 'a push is taken again', timeoutMs: 60_000 });
    expect(performance.now() - sinceMs).toBeLessThan(RECOVERY_MS);
  });
});
