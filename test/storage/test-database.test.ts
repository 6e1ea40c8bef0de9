import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

describe('test database', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('is durable, so that tests see the commits that users get', async () => {
    const connection = await createConnection(database.url);
    const [rows] = await connection.query(
      "SELECT @@innodb_flush_log_at_trx_commit AS flushed, @@innodb_doublewrite IN ('1', 'ON') AS doublewrite, DATABASE() AS name",
    );
    await connection.end();
    expect(rows).toEqual([{ flushed: 1, doublewrite: 1, name: database.name }]);
  });
});
