// A database of its own for a test file, on the run's private server.

import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { inject } from 'vitest';
import type {} from './global-database.js';

export interface TestDatabase {
  /** URL of a user who has every right in this database and none outside, as in production. */
  readonly url: string;
  /** URL of a user with every right on the server, in this database: for KILL, SET GLOBAL and the like. */
  readonly adminUrl: string;
  readonly name: string;
  /** Removes the database and its user; connections to it fail afterwards. */
  drop(): Promise<void>;
}

/**
 * Creates an empty database: no table, no migration. Call it in `beforeAll`, and `drop` in `afterAll`. `server`: URL of a user
 * with every right on another server than the run's.
 */
export async function createTestDatabase(server = inject('databaseAdminUrl')): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await execute(server, [
    `CREATE DATABASE ${name} CHARACTER SET utf8mb4`,
    `CREATE USER ${name}@'127.0.0.1' IDENTIFIED BY '${name}'`,
    `GRANT ALL ON ${name}.* TO ${name}@'127.0.0.1'`,
  ]);
  const { host } = new URL(server);
  return {
    name,
    url: `mysql://${name}:${name}@${host}/${name}`,
    adminUrl: `${server}${name}`,
    drop: () => execute(server, [`DROP USER ${name}@'127.0.0.1'`, `DROP DATABASE ${name}`]),
  };
}

async function execute(url: string, statements: readonly string[]): Promise<void> {
  const connection = await createConnection(url);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}
