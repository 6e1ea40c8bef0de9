// `madeleine doctor` and `madeleine migrate`: what they find, how they say it, and their exit codes.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorFinding } from '../../../src/cli/commands/program.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { TestProcess } from '../../support/server/process.js';
import { startServer, type TestServer } from '../../support/server/server.js';
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
    expect(findings.filter(({ state }) => state === 'problem')).toEqual([]);
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
