// The client of the README with more than one event before it, and on a connection that is lost.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { freePort } from '../support/database/private-database.js';
import { newEvent } from '../support/events/builders.js';
import { metric } from '../support/server/metrics.js';
import { Pipe } from '../support/server/pipe.js';
import { startServer, TestClient, type TestServer } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/client.ts', import.meta.url));

describe('the client of the README', () => {
  let database: TestDatabase;
  let server: TestServer;
  let client: TestClient;
  let example: ChildProcessByStdio<null, Readable, Readable> | undefined;
  let output = '';

  beforeEach(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
    client = new TestClient(server.address);
    output = '';
  });

  afterEach(async () => {
    example?.kill('SIGKILL');
    client.close();
    await server.stop();
    await database.drop();
  });

  function run(address: string): Promise<unknown[]> {
    const env = { ...process.env, MADELEINE_SERVER: address };
    const child = spawn(process.execPath, ['--import', 'tsx', EXAMPLE], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    example = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    return once(child, 'close');
  }

  async function greet(count: number): Promise<void> {
    const events = Array.from({ length: count }, () => ({ event: newEvent({ topic: 'greetings' }) }));
    await client.events.pushEvents({ events });
  }

  const delivered = () => [...output.matchAll(/^delivered (\d+)n/gm)].map(([, position]) => Number(position));
  const acknowledgements = () =>
    metric(server.httpAddress, /^grpc_server_handled_total\{.*grpc_method="Acknowledge".*\} (\d+)$/);

  it('acknowledges a frame at a time', async () => {
    await greet(600);
    const [code] = await run(server.address);
    expect(code, output).toBe(0);
    expect(delivered()).toEqual(Array.from({ length: 601 }, (_, index) => index + 1));
    expect(await acknowledgements()).toBeLessThan(60);
    const { consumer } = await client.consumers.getConsumer({ name: 'greeter' });
    // The last position is that of the entry that tells of the consumer's creation.
    expect(consumer).toMatchObject({ offset: 602n, lag: 0n });
  });

  it('goes on after a lost connection', async () => {
    const pipe = await Pipe.to(server.address);
    for (let batch = 0; batch < 5; batch += 1) await greet(1_000);
    const ended = run(pipe.address);
    await waitUntil(() => delivered().length > 0, { what: 'the first delivery', timeoutMs: 30_000, intervalMs: 1 });
    pipe.reset();
    const [code] = await ended;
    expect(code, output).toBe(0);
    expect(output).toContain('again in a second');
    expect(new Set(delivered()).size).toBe(5_001);
    pipe.cut();
  });

  it('waits for a server that is not there yet', async () => {
    const port = await freePort();
    const ended = run(`127.0.0.1:${port}`);
    await waitUntil(() => output.includes('again in a second'), { what: 'it tries again', timeoutMs: 30_000 });
    const late = await startServer({ databaseUrl: database.url, listen: `127.0.0.1:${port}` });
    const [code] = await ended;
    expect(code, output).toBe(0);
    await late.stop();
  });

  it('ends with what no repetition mends', async () => {
    await client.consumers.createConsumer({ name: 'greeter' });
    const [code] = await run(server.address);
    expect(code).not.toBe(0);
    expect(output).toContain('FAILED_PRECONDITION');
  });
});
