// Lines of the gRPC library do not reach the standard error, and what a caller sent is not in them.

import { type ClientHttp2Session, connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

const logged: string[] = [];
let database: TestDatabase;
let server: TestServer;
const printed: string[] = [];
const spy = vi.spyOn(console, 'error').mockImplementation((...parts) => void printed.push(parts.join(' ')));

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startServer({ databaseUrl: database.url }, { logged });
}, 60_000);
afterAll(async () => {
  spy.mockRestore();
  await server.stop();
  await database.drop();
});

async function call(session: ClientHttp2Session, headers: Record<string, string>): Promise<void> {
  const stream = session.request({
    ...{ ':method': 'POST', ':path': '/madeleine.v1.EventService/GetEvent', 'content-type': 'application/grpc' },
    ...{ te: 'trailers', ...headers },
  });
  stream.on('error', () => {});
  stream.resume().end(Buffer.alloc(5));
  await new Promise((resolve) => stream.once('close', resolve));
}

describe('metadata that the gRPC library refuses', () => {
  it('is told in the log, by its key and not by its value, and seldom', async () => {
    const session = connect(`http://${server.address}`);
    for (let count = 0; count < 20; count += 1) {
      await call(session, { 'x-token': 'geheim\u00fc', authorization: 'Bearer t0p\u00e9' });
    }
    const lines = await waitUntil(
      () => {
        const found = logged.filter((line) => line.includes('left out'));
        return found.length > 0 && found;
      },
      { what: 'a line in the log' },
    );
    session.close();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ key: expect.stringMatching(/^(x-token|authorization)$/) });
    for (const text of [...logged, ...printed]) expect(text).not.toMatch(/geheim|t0p/);
    expect(printed).toEqual([]);
  });

  it('does not end what it comes with', async () => {
    const client = new TestClient(server.address);
    await expect(client.events.getEvent({ key: { $case: 'id', value: 1n } })).rejects.toThrow('there is no event 1');
    client.close();
  });
});
