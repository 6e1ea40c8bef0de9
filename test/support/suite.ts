// What nearly every integration test begins with: a database, a server on it, a client.

import { afterAll, beforeAll } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.js';
import { openCalls } from './metrics.js';
import { startServer, TestClient, type TestServer, type TestSettings } from './server.js';
import { waitUntil } from './wait-until.js';

export interface Suite {
  readonly database: TestDatabase;
  readonly server: TestServer;
  readonly client: TestClient;
}

/** Whose client is gone has no call left on the server, whatever it was in the middle of. */
async function expectNoOpenCalls({ httpAddress }: TestServer): Promise<void> {
  await waitUntil(async () => (await openCalls(httpAddress)) === 0, { what: 'every call has ended on the server' });
}

export type ServerBeside = Pick<Suite, 'server' | 'client'>;
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
    if (suite.server !== undefined) await expectNoOpenCalls(suite.server);
    await suite.server?.stop();
    await suite.database?.drop();
  });
  return suite as Suite;
}

/** One more server on the suite's database, with a client of its own. Its members are there inside the tests. */
export function useServerBeside(suite: Pick<Suite, 'database'>, settings: TestSettings = {}): ServerBeside {
  const beside: { server?: TestServer; client?: TestClient } = {};
  beforeAll(async () => {
    beside.server = await startServer({ databaseUrl: suite.database.url, ...settings });
    beside.client = new TestClient(beside.server.address);
  });
  afterAll(async () => {
    beside.client?.close();
    if (beside.server !== undefined) await expectNoOpenCalls(beside.server);
    await beside.server?.stop();
  });
  return beside as ServerBeside;
}
