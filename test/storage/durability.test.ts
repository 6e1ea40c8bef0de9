// The check of durability against a server whose settings really change.

import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectDatabase, lossyFindings } from '../../src/storage/mysql/sql/durability.js';
import { testEngineName } from '../support/database/engines.js';
import { PrivateDatabase } from '../support/database/private-database.js';

describe('database settings of a real server', () => {
  const server = new PrivateDatabase({
    arguments: ['--innodb-doublewrite=OFF', '--log-bin=binlog', '--sync-binlog=0'],
  });
  const isMysql = testEngineName() === 'mysql';
  /** MySQL's alone. */
  const redoLog = isMysql ? ['innodb_redo_log_enabled'] : [];
  let connection: Connection;
  const query = async (sql: string) => (await connection.query<RowDataPacket[]>(sql))[0];

  beforeAll(async () => {
    await server.start();
    connection = await createConnection(server.adminUrl);
  });
  afterAll(async () => {
    await connection?.end();
    await server.stop();
  });

  it('finds what loses commits, and no longer what was mended as it says', async () => {
    await query('SET GLOBAL innodb_flush_log_at_trx_commit = 2');
    if (isMysql) await query('ALTER INSTANCE DISABLE INNODB REDO_LOG');
    const before = lossyFindings(await inspectDatabase(query)).map(({ name }) => name);
    expect(before).toEqual(['innodb_flush_log_at_trx_commit', 'innodb_doublewrite', 'sync_binlog', ...redoLog]);

    await query('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
    await query('SET GLOBAL sync_binlog = 1');
    if (isMysql) await query('ALTER INSTANCE ENABLE INNODB REDO_LOG');
    const after = lossyFindings(await inspectDatabase(query)).map(({ name }) => name);
    expect(after).toEqual(['innodb_doublewrite']);
  });

  it('names the engine, which the tests run on', async () => {
    const [engine] = await inspectDatabase(query);
    const value = expect.stringMatching(isMysql ? /^MySQL 9\.7\.\d+: / : /^MariaDB 10\.11\.\d+: /);
    expect(engine).toMatchObject({ name: 'engine', state: 'ok', value });
  });

  it('notices a server that takes no writes', async () => {
    const readOnly = async () => (await inspectDatabase(query)).find(({ name }) => name === 'read_only');
    expect(await readOnly()).toMatchObject({ value: 'OFF', state: 'ok' });
    await query('SET GLOBAL read_only = ON');
    expect(await readOnly()).toMatchObject({ value: 'ON', state: 'problem' });
  });
});
