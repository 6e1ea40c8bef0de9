// What was read is durable before it is told, also when the database restarts between the two.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MysqlDurableReads } from '../../src/storage/mysql/log/durable-reads.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { waitUntil } from '../support/wait-until.js';

const always = () => true;
const never = () => false;

describe('durable reads', () => {
  const mariadb = new PrivateDatabase();
  const names = new Names();
  let place: TestDatabase;
  let reads: MysqlDurableReads;

  beforeAll(async () => {
    await mariadb.start();
    place = await createTestDatabase(mariadb.adminUrl);
    const database = new Database({ url: place.url, poolSize: 2, random: Math.random });
    await migrate(database);
    await database.close();
    reads = new MysqlDurableReads({ url: place.url, names, instance: { id: 'a test', address: '' } });
  });
  afterAll(async () => {
    await reads?.close();
    await mariadb.stop();
  });

  /** How many barriers were written. */
  async function barriers(): Promise<number> {
    const connection = await createConnection(place.adminUrl);
    try {
      const [rows] = await connection.query<RowDataPacket[]>('SELECT seq FROM instance WHERE id = ?', ['a test']);
      return (rows[0]?.seq as number | undefined) ?? 0;
    } finally {
      await connection.end();
    }
  }

  async function restart(): Promise<void> {
    await mariadb.kill();
    await mariadb.run();
  }

  it('write a barrier only for what needs one', async () => {
    const before = await barriers();
    expect(await reads.durable(async () => 'read', never)).toBe('read');
    expect(await barriers()).toBe(before);
    expect(
      await reads.durable(
        async () => 'read',
        (result) => result === 'read',
      ),
    ).toBe('read');
    expect(await barriers()).toBe(before + 1);
  });

  it('share barriers: one that is under way does not count for those who come later, the next does for all of them', async () => {
    const before = await barriers();
    await Promise.all(Array.from({ length: 100 }, () => reads.durable(async () => {}, always)));
    expect(await barriers()).toBe(before + 2);
  });

  it('do not vouch for what was read before the database restarted', async () => {
    const read = reads.durable(restart, always);
    await expect(read).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    // Nor for what needs no barrier: a part of it may have been read before.
    await expect(reads.durable(restart, never)).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    await expect(reads.durable(async () => 'read', always)).resolves.toBe('read');
  });

  it('end when the database does, also while they write a barrier', async () => {
    await reads.durable(async () => {}, always);
    const other = await createConnection(place.adminUrl);
    other.on('error', () => {});
    await other.query('START TRANSACTION');
    await other.query('SELECT * FROM instance FOR UPDATE');
    let ended = false;
    const read = reads
      .durable(async () => {}, always)
      .finally(() => {
        ended = true;
      });
    const refused = expect(read).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    const waits = async () => {
      const [rows] = await other.query<RowDataPacket[]>('SHOW PROCESSLIST');
      return rows.some(({ Info: statement }) => String(statement).startsWith('INSERT INTO instance'));
    };
    await waitUntil(waits, { what: 'the barrier waits for the row' });
    await mariadb.kill();
    // Sooner than a statement's time is over.
    await waitUntil(() => ended, { what: 'the read ends', timeoutMs: 3_000 });
    await refused;
    other.destroy();
    await mariadb.run();
  });

  it('begin the names anew when the database may be another one', async () => {
    await reads.durable(async () => {}, always);
    const before = names.current;
    before.addContext(1, 'shop');
    await reads.durable(async () => {}, always);
    expect(names.current.contextId('shop')).toBe(1);
    await restart();
    await reads.durable(async () => {}, always);
    expect(names.current.contextId('shop')).toBeUndefined();
    // Work that began before keeps to what it knew.
    expect(before.contextId('shop')).toBe(1);
  });

  it('end a read that fails with its own error, and need no barrier for it', async () => {
    const before = await barriers();
    const broken = reads.durable(() => Promise.reject(new Error('broken')), always);
    await expect(broken).rejects.toThrow('broken');
    expect(await barriers()).toBe(before);
  });

  it('are refused while the database is away', async () => {
    await mariadb.kill();
    const read = reads.durable(async () => 'read', always);
    await expect(read).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    await mariadb.run();
    await expect(reads.durable(async () => 'read', always)).resolves.toBe('read');
  });
});
