// Runs the demo as people do, against a server: twice, and with an event that it did not push.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { startServer, TestClient, type TestServer } from '../support/server/server.js';

const DEMO = fileURLToPath(new URL('../../examples/webhooks-demo.ts', import.meta.url));

describe('the demo', () => {
  let database: TestDatabase;
  let server: TestServer;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  function runDemo(): Promise<{ code: number; output: string }> {
    const environment = { ...process.env, MADELEINE_SERVER: server.address };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, ['--import', 'tsx', DEMO], { env: environment }, (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
      });
    });
  }

  it('pushes, consumes and stores every webhook, and says how to count them in SQL', async () => {
    const { code, output } = await runDemo();
    expect(output).toMatch(/^total +329 +329 +329$/m);
    expect(output.match(/^[a-z0-9_]+( +\d+){3}$/gm)).toHaveLength(59);
    expect(output).toContain("FROM events WHERE context = 'github'");
    expect(output).toContain('pushed = consumed = stored');
    expect(code).toBe(0);
  });

  it('may be run again: the events are duplicates, and are read once more', async () => {
    const { code, output } = await runDemo();
    expect(output).toContain('329 of them were stored before');
    expect(output).toMatch(/^total +329 +329 +329$/m);
    expect(code).toBe(0);
  });

  it('fails when the counts differ', async () => {
    const client = new TestClient(server.address);
    const payload = { body: { $case: 'json', value: 1 } } as const;
    await client.events.pushEvent({ event: { context: 'github', topic: 'star', issuer: 'somebody', payload } });
    client.close();
    const { code, output } = await runDemo();
    expect(output).toContain('the counts DIFFER');
    expect(code).toBe(1);
  });
});
