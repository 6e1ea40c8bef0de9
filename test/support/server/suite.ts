// What nearly every integration test begins with: a database, a server on it, a client.

import { afterAll, beforeAll, expect } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../database/database.js';
import { waitUntil } from '../wait-until.js';
import { consumerStalls, openCalls } from './metrics.js';
import { startServer, TestClient, type TestServer, type TestSettings } from './server.js';

export interface Suite {
  readonly database: TestDatabase;
  readonly server: TestServer;
  readonly client: TestClient;
}

/** Whose client is gone has no call left on the server, whatever it was in the middle of. */
async function expectNoOpenCalls({ httpAddress }: TestServer): Promise<void> {
  await waitUntil(async () => (await openCalls(httpAddress)) === 0, { what: 'every call has ended on the server' });
}

/** Whatever a file does to its server, none of its consumers stands still. */
async function expectNoStalls({ httpAddress }: TestServer): Promise<void> {
  expect(await consumerStalls(httpAddress), 'consumers that stood still').toBe(0);
}

export type ServerBeside = Pick<Suite, 'server' | 'client'>;

/** Sets the suite up before all tests of the file and takes it down after them. Its members are there inside the tests. */
export function useServer(settings: TestSettings = {}): Suite {
  const suite: Partial<{ -readonly [Member in keyof Suite]: Suite[Member] }> = {};
  beforeAll(async () => {
    suite.database = await createTestDatabase();
  });
  // After the server has stopped: hooks of the end run in the reverse order.
  afterAll(() => suite.database?.drop());
  serve(suite, suite as Suite, settings);
  return suite as Suite;
}

/** One more server on the suite's database, with a client of its own. Its members are there inside the tests. */
export function useServerBeside(suite: Pick<Suite, 'database'>, settings: TestSettings = {}): ServerBeside {
  const beside: { server?: TestServer; client?: TestClient } = {};
  serve(beside, suite, settings);
  return beside as ServerBeside;
}

/** Keeps a server and a client in the members for as long as the tests run. */
function serve(
  members: { server?: TestServer; client?: TestClient },
  suite: Pick<Suite, 'database'>,
  settings: TestSettings,
): void {
  beforeAll(async () => {
    members.server = await startServer({ databaseUrl: suite.database.url, ...settings });
    members.client = new TestClient(members.server.address);
  });
  afterAll(async () => {
    members.client?.close();
    if (members.server !== undefined) {
      await expectNoOpenCalls(members.server);
      await expectNoStalls(members.server);
    }
    await members.server?.stop();
  });
}
