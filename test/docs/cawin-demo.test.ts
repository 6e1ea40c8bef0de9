// Runs the demo of waits and cawins as people do, against a server: twice, and where its receivers may not be called.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { startServer, type TestServer } from '../support/server/server.js';

const DEMO = fileURLToPath(new URL('../../examples/cawin-demo.ts', import.meta.url));

describe('the demo of cawins', () => {
  let databases: TestDatabase[];
  let server: TestServer;
  let strictServer: TestServer;

  beforeAll(async () => {
    // One each: instances of one database share their calls.
    databases = [await createTestDatabase(), await createTestDatabase()];
    const [open, strict] = databases.map(({ url }) => ({
      databaseUrl: url,
      secretKey: randomBytes(32).toString('hex'),
    }));
    server = await startServer({ ...open, callbackAllow: '127.0.0.1' });
    strictServer = await startServer({ ...strict });
  });

  afterAll(async () => {
    await server?.stop();
    await strictServer?.stop();
    for (const database of databases ?? []) await database.drop();
  });

  function runDemo({ address }: TestServer): Promise<{ code: number; output: string }> {
    const environment = { ...process.env, MADELEINE_SERVER: address };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, ['--import', 'tsx', DEMO], { env: environment }, (_, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
      });
    });
  }

  it.each(['once', 'again'])('keeps every promise, %s', async () => {
    const { code, output } = await runDemo(server);
    expect(output).not.toContain('BROKEN');
    expect(output.match(/^ {3}ok {6}/gm)).toHaveLength(14);
    expect(output).toMatch(
      /called: signature verified, answers 500\n +orders is called: signature verified, answers 200$/m,
    );
    expect(output).toMatch(
      /^orders +\d+ +\d+ +fired +1 +1 +failed \(500 Internal Server Error\), delivered \(200 OK\)$/m,
    );
    expect(output).toMatch(/^mailer +\d+ +\d+ +fired +1 +1 +delivered \(200 OK\)$/m);
    expect(output.trimEnd()).toMatch(/every promise was kept$/);
    expect(code).toBe(0);
  });

  it('fails, and says why, where the server may not call it', async () => {
    const { code, output } = await runDemo(strictServer);
    expect(output).toContain('demo-cawin: CALLBACK_NOT_ALLOWED');
    expect(code).toBe(1);
  });
});
