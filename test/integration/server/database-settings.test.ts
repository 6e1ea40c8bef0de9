// A start on a server whose settings do not suit: refused before anything is changed, with the setting's name and how to mend it; and
// what a session can be told is told to it.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { PrivateDatabase } from '../../support/database/private-database.js';
import { newEvent } from '../../support/events/builders.js';
import { startServer, TestClient } from '../../support/server/server.js';

const PLAIN = 'SET SESSION max_statement_time = 0, SESSION sql_select_limit = 1000, SESSION tx_read_only = 0';

describe('a server on a database with settings of its own', { timeout: 60_000 }, () => {
  const mariadb = new PrivateDatabase({ arguments: ['--log-bin=binlog', '--sync-binlog=1'] });
  let database: TestDatabase;
  const undo: string[] = [];

  beforeAll(async () => {
    await mariadb.start();
    database = await createTestDatabase(mariadb.adminUrl);
  });

  afterEach(() => admin(...undo.splice(0)));
  afterAll(() => mariadb.stop());

  async function admin(...statements: string[]): Promise<RowDataPacket[]> {
    const connection = await createConnection(database.adminUrl);
    try {
      let rows: RowDataPacket[] = [];
      // What is set here for others is not to hold here.
      for (const statement of [PLAIN, ...statements]) [rows] = await connection.query<RowDataPacket[]>(statement);
      return rows;
    } finally {
      await connection.end();
    }
  }

  /** Sets a global variable until the end of the test. */
  async function set(name: string, value: string): Promise<void> {
    const [row] = await admin(`SELECT @@GLOBAL.${name} AS value`);
    undo.push(`SET GLOBAL ${name} = ${typeof row?.['value'] === 'string' ? `'${row['value']}'` : row?.['value']}`);
    await admin(`SET GLOBAL ${name} = ${value}`);
  }

  const refusal = () =>
    startServer({ databaseUrl: database.url }).then(
      async (server) => {
        await server.stop();
        return 'started';
      },
      (error: Error) => error.message,
    );

  it.each([
    ['binlog_format', "'STATEMENT'"],
    ['read_only', '1'],
    ['max_prepared_stmt_count', '100'],
    ['max_allowed_packet', '1048576'],
    ['enforce_storage_engine', "'MyISAM'"],
    ['sync_binlog', '0'],
  ])('refuses %s = %s before anything is changed', async (name, value) => {
    await set(name, value);
    const message = await refusal();
    expect(message).toMatch(new RegExp(`^the database (cannot be used|may lose commits in a crash): .*${name} is `));
    expect(message).toContain(`SET GLOBAL ${name} =`);
    expect(await admin('SHOW TABLES')).toEqual([]);
  });

  it('does not speak of its pool where nobody answers', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const message = await startServer({ databaseUrl: `mysql://u:p@127.0.0.1:${port}/d` }).catch(
      (error) => error.message,
    );
    silent.close();
    expect(message).toMatch(
      /^the database at 127\.0\.0\.1:\d+ cannot be used: (it did not answer in time|.*ETIMEDOUT)$/,
    );
  });

  it('says what a server refuses in a migration, without the statement', async () => {
    await admin(`REVOKE CREATE VIEW ON ${database.name}.* FROM ${database.name}@'127.0.0.1'`);
    const message = await refusal();
    expect(message).toMatch(/^the schema could not be migrated: (CREATE|ANY) [^\n]*denied/);
    expect(message).not.toMatch(/OR REPLACE|SELECT/);
    await admin(`GRANT ALL ON ${database.name}.* TO ${database.name}@'127.0.0.1'`);
    expect(await refusal()).toBe('started');
  });

  it('tells its sessions what others are told otherwise', async () => {
    await set('autocommit', '0');
    await set('completion_type', "'CHAIN'");
    await set('sql_safe_updates', '1');
    await set('sql_select_limit', '1');
    await set('tx_read_only', '1');
    await set('max_statement_time', '0.001');
    await set('sql_mode', "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'");
    await set('tx_isolation', "'SERIALIZABLE'");
    await set('init_connect', "'SET NAMES latin1'");
    await set('time_zone', "'+05:00'");
    const server = await startServer({ databaseUrl: database.url });
    const client = new TestClient(server.address);
    try {
      const text = 'Größe 数据 🗄 \\ "quoted"';
      await client.events.pushEvents({ events: [1, 2, 3].map(() => ({ event: newEvent({ topic: text }) })) });
      const { events } = await client.events.listEvents({ filter: { topics: [text] } });
      expect(events).toHaveLength(3);
      const stored = await admin('SELECT topic FROM events');
      expect(stored.length).toBeGreaterThan(0);
    } finally {
      client.close();
      await server.stop();
    }
  });
});
