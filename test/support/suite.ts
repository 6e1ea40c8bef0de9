// What nearly every integration test begins with: a database, a server on it, a client.

import { afterAll, beforeAll } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.js';
import { startServer, TestClient, type TestServer, type TestSettings } from './server.js';

export interface Suite {
  readonly database: TestDatabase;
  readonly server: TestServer;
  readonly client: TestClient;
}

/** Sets the suite up before all tests of the file and takes it down after them. Its members are there inside the tests. */
export function useServer(settings: TestSettings = {}): Suite {
  const suite: { database?: TestDatabase; server?: TestServer; client?: TestClient } = {};
  beforeAll(async () => {
    suite.database = await createTestDatabase();
    suite.server = await startServer({ databaseUrl: suite.database.url, ...settings });
    suite.client = new TestClient(suite.server.address);
  });
  afterAll(async () => {
    suite.client?.close();
    await suite.server?.stop();
    await suite.database?.drop();
  });
  return suite as Suite;
}
