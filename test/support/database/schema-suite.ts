// A database with today's schema and a pool to it, for the tests of a file or a `describe`.

import { afterAll, beforeAll } from 'vitest';
import { Database } from '../../../src/storage/mysql/sql/database.js';
import { migrate } from '../../../src/storage/mysql/sql/schema.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface SchemaSuite {
  readonly database: Database;
  readonly url: string;
}

/** Has the database made before the tests and removed after them; what it returns is there from the first test on. */
export function useSchema({ poolSize }: { readonly poolSize: number }): SchemaSuite {
  const suite = {} as { database: Database; url: string };
  let testDatabase: TestDatabase;
  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    suite.url = testDatabase.url;
    suite.database = new Database({ url: suite.url, poolSize, random: Math.random });
    await migrate(suite.database);
  });
  afterAll(async () => {
    await suite.database.close();
    await testDatabase.drop();
  });
  return suite;
}
