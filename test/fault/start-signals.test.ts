// Signals while a server starts: the start is given up and undone, whatever it was doing; a second signal ends it at once; and a server
// that is killed leaves no database for long.

import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrationLock } from '../../src/storage/mysql/sql/dialect.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { FaultyProxy } from '../support/database/faulty-proxy.js';
import { TestProcess } from '../support/server/process.js';
import { waitUntil } from '../support/wait-until.js';

/** After the signal; the machine may be busy, and ten seconds are promised. */
const PROMISED_MS = 10_000;

describe('a signal during the start', () => {
  let root: string;
  const processes: TestProcess[] = [];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'madeleine-signals-'));
  });

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((one) => one.end('SIGKILL')));
    for (const pid of await runningIn(root)) process.kill(pid, 'SIGKILL');
    await waitUntil(async () => (await runningIn(root)).length === 0, { what: 'the databases are gone' });
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  });

  /** The built program: what it does in its first second is not compiling its sources. */
  function serve(settings: Record<string, string> = {}): TestProcess {
    const environment = {
      ...{ MADELEINE_LISTEN: '127.0.0.1:0', MADELEINE_HTTP_LISTEN: '127.0.0.1:0', MADELEINE_DATABASE_URL: undefined },
      ...{ MADELEINE_DATA_DIR: join(root, 'data'), ...settings },
    };
    const server = new TestProcess({ file: 'dist/src/main.js', arguments: ['serve'], environment });
    processes.push(server);
    return server;
  }

  async function expectEnd(server: TestProcess, codes: readonly (number | string)[], sinceMs: number): Promise<void> {
    expect(codes).toContain(await server.ended());
    expect(performance.now() - sinceMs).toBeLessThan(PROMISED_MS);
    expect(await runningIn(root)).toEqual([]);
    expect(server.output).not.toMatch(/\n\s+at |Unhandled/);
  }

  const STEPS = Array.from({ length: 21 }, (_, n) => n * 50);

  it.each(STEPS)('gives the first start up after %i ms and leaves nothing running', async (ms) => {
    const server = serve();
    await elapsed(ms);
    const sinceMs = performance.now();
    process.kill(server.pid, 'SIGTERM');
    await expectEnd(server, [0, 'SIGTERM'], sinceMs);
    expect(server.output.split('\n').filter((line) => line.includes('"msg":"listening"')).length).toBeLessThan(2);
    const left = await readdir(join(root, 'data')).catch((): string[] => []);
    expect(left.filter((name) => name.startsWith('mariadb.new-'))).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'gives up a start on a directory that is filled already by %s',
    async (signal) => {
      const first = serve();
      await first.printed(/"msg":"listening"/, 60_000);
      await first.end('SIGTERM');
      for (const sign of ['embedded database starting', 'listening']) {
        const server = serve();
        await server.printed(new RegExp(`"msg":"${sign}"`), 60_000);
        const sinceMs = performance.now();
        process.kill(server.pid, signal);
        await expectEnd(server, [0], sinceMs);
        expect(server.output.trimEnd().split('\n').at(-1)).toContain('"msg":"stopped"');
      }
    },
  );

  it('hears a second signal, at any time', async () => {
    const server = serve();
    await server.printed(/"msg":"embedded database starting"/, 60_000);
    const [pid = 0] = await runningIn(root);
    // It neither starts nor stops any more.
    process.kill(pid, 'SIGSTOP');
    process.kill(server.pid, 'SIGTERM');
    await server.printed(/"msg":"stopping"/);
    await elapsed(300);
    const sinceMs = performance.now();
    process.kill(server.pid, 'SIGTERM');
    await expectEnd(server, [1], sinceMs);
    expect(performance.now() - sinceMs).toBeLessThan(2_000);
  });

  it('leaves no database for long where the server is killed for good', async () => {
    const server = serve();
    await server.printed(/"msg":"listening"/, 60_000);
    await server.end('SIGKILL');
    expect(await runningIn(root)).toHaveLength(1);
    await waitUntil(async () => (await runningIn(root)).length === 0, {
      what: 'the database has ended',
      timeoutMs: 30_000,
    });
  });

  it('lets a database live that the next server took over', async () => {
    const first = serve();
    await first.printed(/"msg":"listening"/, 60_000);
    await first.end('SIGKILL');
    const [pid] = await runningIn(root);
    const second = serve();
    await second.printed(/"msg":"listening"/, 60_000);
    expect(await keepersOf(pid ?? 0)).toHaveLength(1);
    await elapsed(17_000);
    expect(await runningIn(root)).toEqual([pid]);
    const sinceMs = performance.now();
    process.kill(second.pid, 'SIGTERM');
    await expectEnd(second, [0], sinceMs);
    await waitUntil(async () => (await keepersOf(pid ?? 0)).length === 0, { what: 'nobody keeps it' });
  });

  describe('on a database of another server', () => {
    let database: TestDatabase;
    let proxy: FaultyProxy;

    beforeAll(async () => {
      database = await createTestDatabase();
      proxy = new FaultyProxy(database.url);
      await proxy.start();
    });

    afterEach(() => proxy.forget());

    afterAll(async () => {
      await proxy?.stop();
      await database?.drop();
    });

    it.each([
      ['does not answer', /^SELECT 1$/],
      ['does not say how it is set', /^SHOW GLOBAL VARIABLES/],
      ['hangs in a migration', /CREATE TABLE/],
      ['does not tell its head', /log_head/],
    ])('gives the start up where it %s', async (_, statement) => {
      const fault = proxy.inject({ harm: { kind: 'hang' }, when: ({ text }) => statement.test(text), times: 100 });
      const server = serve({ MADELEINE_DATABASE_URL: proxy.url });
      await waitUntil(() => fault.hits > 0, { what: 'the database hangs', timeoutMs: 30_000 });
      const sinceMs = performance.now();
      process.kill(server.pid, 'SIGTERM');
      await expectEnd(server, [0], sinceMs);
    });

    it('ends within its time, and says so, where the database falls silent for good', async () => {
      const server = serve({ MADELEINE_DATABASE_URL: proxy.url });
      await server.printed(/"msg":"listening"/, 60_000);
      proxy.inject({ harm: { kind: 'hang' }, when: () => true, times: 10_000 });
      const sinceMs = performance.now();
      process.kill(server.pid, 'SIGTERM');
      await expectEnd(server, [0, 1], sinceMs);
      expect(server.output.trimEnd().split('\n').at(-1)).toMatch(/"msg":"(stopped|ended at once)"/);
    });

    it('gives the start up where another one migrates', async () => {
      const holder = await createConnection(database.adminUrl);
      await holder.query('SELECT GET_LOCK(?, 0)', [migrationLock(database.name)]);
      const server = serve({ MADELEINE_DATABASE_URL: proxy.url });
      await waitUntil(() => proxy.statements.some(({ text }) => text.includes('GET_LOCK')), {
        what: 'it waits for its turn',
        timeoutMs: 30_000,
      });
      const sinceMs = performance.now();
      process.kill(server.pid, 'SIGTERM');
      await expectEnd(server, [0], sinceMs);
      await holder.end();
    });
  });
});

/** Time as such is what these tests are about. */
async function elapsed(ms: number): Promise<void> {
  const endMs = performance.now() + ms;
  await waitUntil(() => performance.now() >= endMs, {
    what: `${ms} ms are over`,
    intervalMs: 5,
    timeoutMs: ms + 5_000,
  });
}

/** Process ids of whatever works below a directory: MariaDB's programs do, the script that fills it too. */
async function runningIn(directory: string): Promise<number[]> {
  return processesWhere(async (pid) => (await readlink(`/proc/${pid}/cwd`).catch(() => '')).startsWith(directory));
}

async function keepersOf(pid: number): Promise<number[]> {
  return processesWhere(async (one) => {
    const line = (await readFile(`/proc/${one}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return line[3] === 'madeleine-keeper' && line[4] === String(pid);
  });
}

async function processesWhere(fits: (pid: number) => Promise<boolean>): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map(async (pid) => ((await fits(pid)) ? [pid] : [])));
  return found.flat();
}
