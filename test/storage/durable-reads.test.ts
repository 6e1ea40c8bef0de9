// What was read is durable before it is told, also when the database restarts between the two.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/mysql/database.js';
import { MysqlDurableReads } from '../../src/storage/mysql/durable-reads.js';
import { Names } from '../../src/storage/mysql/name-cache.js';
import { migrate } from '../../src/storage/mysql/schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { PrivateMariadb } from '../support/private-mariadb.js';

const always = () => true;
const never = () => false;

describe('durable reads', () => {
  const mariadb = new PrivateMariadb();
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

  it('write a barrier only for what is fresh', async () => {
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
    // And what is not fresh was durable before.
    await expect(reads.durable(restart, never)).resolves.toBeUndefined();
    await expect(reads.durable(async () => 'read', always)).resolves.toBe('read');
  });

  it('begin the names anew when the database may be another one', async () => {
    await reads.durable(async () => {}, always);
    const before = names.current;
    await reads.durable(async () => {}, always);
    expect(names.current).toBe(before);
    await restart();
    await reads.durable(async () => {}, always);
    expect(names.current).not.toBe(before);
  });

  it('end a read that fails with its own error, and need no barrier for it', async () => {
    const before = await barriers();
    const broken = reads.durable(() => Promise.reject(new Error('broken')), always);
    await expect(broken).rejects.toThrow('broken');
    expect(await barriers()).toBe(before);
  });

  it('are refused while the database is away', async () => {
    await mariadb.kill();
    const read = reads.durable(async () => 'read', never);
    await expect(read).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
    await mariadb.run();
    await expect(reads.durable(async () => 'read', always)).resolves.toBe('read');
  });
});
