// `madeleine doctor` and `madeleine migrate`: what they find, how they say it, and their exit codes.

import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectServerSide } from '../../../src/app/migrate-and-doctor.js';
import type { DoctorFinding } from '../../../src/cli/commands/program.js';
import { readConfig } from '../../../src/config.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { testEngineName } from '../../support/database/engines.js';
import { FaultyProxy } from '../../support/database/faulty-proxy.js';
import { TestProcess } from '../../support/server/process.js';
import { startServer, type TestServer, type TestSettings } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli } from './cli-run.js';

const FREE = ['--listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0'];

describe('madeleine doctor', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let server: TestServer;
  const stranger: Server = createServer((socket) => socket.end('hello\n'));

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
  });

  afterAll(async () => {
    stranger.close();
    await server?.stop();
    await database?.drop();
  });

  /** Only what the command itself finds, and what is given as found in the database. */
  const doctor = (argv: readonly string[], found: readonly DoctorFinding[] = []) =>
    new RunningCli(['doctor', ...argv], { server: '' }, { doctor: async () => found }).ended();

  it('takes free ports as good, and those that a madeleine server answers at', async () => {
    const free = await doctor([...FREE, '--json']);
    expect(free.code).toBe(0);
    expect(ndjson(free.stdout)).toMatchObject([
      { check: 'gRPC port', state: 'ok' },
      { check: 'HTTP port', state: 'ok' },
    ]);
    const ours = await doctor(['--listen', server.address, '--http-listen', server.httpAddress]);
    expect(ours.code).toBe(0);
    expect(ours.stdout.match(/a madeleine server answers at/g)).toHaveLength(2);
  });

  it('finds a port that another program has, and says how to mend it', async () => {
    const taken = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const { code, stdout, stderr } = await doctor(['--listen', taken, '--http-listen', '192.0.2.1:80']);
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`gRPC port +problem +${taken} is taken by another program`));
    expect(stdout).toMatch(/HTTP port +problem +cannot listen at 192\.0\.2\.1:80 \(EADDRNOTAVAIL\)/);
    expect(stdout).toContain('--listen');
    expect(stderr).toBe('madeleine: there are 2 problems\n');
  });

  it('fails for a problem and not for a warning', async () => {
    const found = (state: DoctorFinding['state']) => [{ check: 'clock', state, detail: 'differs', mend: 'run NTP' }];
    expect(await doctor(FREE, found('warning'))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('clock: run NTP'),
    });
    expect(await doctor(FREE, found('problem'))).toMatchObject({ code: 1, stderr: 'madeleine: there is 1 problem\n' });
  });

  it('looks at the database, its durability, the clock and the schema', async () => {
    const process = new TestProcess({
      file: 'src/main.ts',
      arguments: ['doctor', '--json', ...FREE],
      environment: { MADELEINE_DATABASE_URL: database.url },
    });
    await process.ended();
    const findings = ndjson(process.output) as unknown as DoctorFinding[];
    const checks = findings.map(({ check }) => check);
    expect(checks).toEqual(expect.arrayContaining(['database', 'clock', 'schema', 'gRPC port', 'HTTP port']));
    expect(checks.join(' ')).toContain('innodb_flush_log_at_trx_commit');
    const detail = expect.stringMatching(testEngineName() === 'mysql' ? /^MySQL 9\.7/ : /^MariaDB 10\.11/);
    expect(findings).toContainEqual({ check: 'engine', state: 'ok', detail });
    expect(findings.filter(({ state }) => state === 'problem')).toEqual([]);
  });
});

describe('the database that madeleine doctor looks at', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let other: TestDatabase;
  let server: TestServer;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'madeleine-doctor-'));
    [database, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    server = await startServer({ databaseUrl: database.url });
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
    await other?.drop();
    await rm(directory, { recursive: true });
  });

  const look = (settings: TestSettings) =>
    inspectServerSide({
      config: readConfig({ listen: '127.0.0.1:0', httpListen: '127.0.0.1:9', dataDir: directory, ...settings }, {}),
      logger: pino({ level: 'silent' }),
      nowMs: Date.now,
    });

  const finding = (findings: readonly DoctorFinding[], check: string) => findings.find((one) => one.check === check);

  it.each([
    ['that is not there', 'none/yet'],
    ['that is empty', ''],
  ])('is none of its own making: a directory %s stays as it is', async (_, name) => {
    const dataDir = join(directory, name);
    const findings = await look({ dataDir });
    expect(findings).toEqual([
      { check: 'database', state: 'ok', detail: `none yet in ${dataDir}: madeleine serve makes it` },
    ]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('is not started to be looked at', async () => {
    const dataDir = join(directory, 'filled');
    await mkdir(join(dataDir, 'mariadb', 'mysql'), { recursive: true });
    expect(await look({ dataDir })).toMatchObject([{ check: 'database', state: 'warning', mend: expect.any(String) }]);
    expect((await readdir(dataDir, { recursive: true })).sort()).toEqual(['mariadb', 'mariadb/mysql']);
    await rm(dataDir, { recursive: true });
  });

  it('would have to be made where nothing can be', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    const [found] = await look({ dataDir: join(file, 'data') });
    expect(found).toMatchObject({ check: 'database', state: 'problem', mend: expect.stringContaining('--data-dir') });
    await rm(file);
  });

  it('is that of the running server, whatever directory the command is run in', async () => {
    const findings = await look({ httpListen: server.httpAddress });
    expect(finding(findings, 'readiness')).toMatchObject({ state: 'ok' });
    expect(finding(findings, 'database')?.detail).toContain(`/${database.name} answers`);
    expect(finding(findings, 'schema')).toMatchObject({ state: 'ok', detail: expect.stringMatching(/^version \d+$/) });
    expect(await readdir(directory)).toEqual([]);
  });

  it('is the one that the settings name, with a word of a server that has another', async () => {
    const findings = await look({ httpListen: server.httpAddress, databaseUrl: other.url });
    expect(finding(findings, 'running server')).toMatchObject({ state: 'warning' });
    expect(finding(findings, 'database')?.detail).toContain(`/${other.name} answers`);
    expect(finding(findings, 'schema')).toMatchObject({ state: 'warning', detail: 'none yet' });
    const same = await look({ httpListen: server.httpAddress, databaseUrl: database.url });
    expect(finding(same, 'running server')).toBeUndefined();
  });

  it('is the one of the directory that is named, beside a server that has another', async () => {
    const argv = ['doctor', '--json', '--listen', '127.0.0.1:0', '--http-listen', server.httpAddress];
    const dataDir = join(directory, 'named');
    const doctor = async (more: readonly string[], environment: Record<string, string> = {}) => {
      const own = { MADELEINE_DATABASE_URL: undefined, MADELEINE_DATA_DIR: undefined, ...environment };
      const process = new TestProcess({ file: 'src/main.ts', arguments: [...argv, ...more], environment: own });
      await process.ended();
      return ndjson(process.output) as unknown as DoctorFinding[];
    };
    const named = { check: 'database', state: 'ok', detail: `none yet in ${dataDir}: madeleine serve makes it` };
    for (const findings of [await doctor(['--data-dir', dataDir]), await doctor([], { MADELEINE_DATA_DIR: dataDir })]) {
      expect(findings).toContainEqual(named);
      expect(finding(findings, 'running server')).toMatchObject({ state: 'warning' });
    }
    expect(finding(await doctor([]), 'database')?.detail).toContain(`/${database.name} answers`);
    expect(await readdir(directory)).toEqual([]);
  });

  it('does not hide that the server is not ready', async () => {
    const proxy = new FaultyProxy(database.url);
    await proxy.start();
    const cutOff = await startServer({ databaseUrl: proxy.url });
    try {
      proxy.refuse();
      await waitUntil(async () => (await fetch(`http://${cutOff.httpAddress}/readyz`)).status === 503, {
        what: 'the server is not ready',
        timeoutMs: 20_000,
      });
      const findings = await look({ httpListen: cutOff.httpAddress });
      expect(finding(findings, 'readiness')).toMatchObject({ state: 'problem' });
      expect(finding(findings, 'database')).toMatchObject({ state: 'problem' });
    } finally {
      await cutOff.stop();
      await proxy.stop();
    }
  });

  it('is not asked of a program that is no server of ours', async () => {
    const stranger = createHttpServer((_, response) => response.end('{"status": "fine"}'));
    stranger.listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    const httpListen = `127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    expect((await look({ httpListen })).map(({ check }) => check)).toEqual(['database']);
    stranger.close();
  });
});

describe('madeleine migrate', { timeout: 60_000 }, () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterAll(() => database?.drop());

  it('makes the schema, and has nothing to do the next time', async () => {
    const migrate = async (...options: string[]) => {
      const environment = { MADELEINE_DATABASE_URL: database.url };
      const process = new TestProcess({ file: 'src/main.ts', arguments: ['migrate', ...options], environment });
      await process.ended();
      return process.output;
    };
    expect(JSON.parse(await migrate('--json'))).toEqual({
      version: expect.any(Number),
      applied: expect.arrayContaining(['0001-log']),
    });
    expect(await migrate()).toMatch(/^the schema is up to date \(version \d+\)\n$/);
  });
});
