// The command line as a process: exit codes, signals, closed pipes, and a server that is killed under it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { ServerProcess } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from './cli-run.js';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const NODE = [process.execPath, '--import', import.meta.resolve('tsx'), MAIN] as const;

// Each command is a process that compiles its sources first: seconds on a busy machine.
describe('the command line as a process', { timeout: 120_000 }, () => {
  let database: TestDatabase;
  let server: ServerProcess;
  let address: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await ServerProcess.start({ databaseUrl: database.url });
    address = server.address;
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  const environment = () => ({ ...process.env, MADELEINE_SERVER: address });

  function start(...argv: string[]) {
    const child = spawn(NODE[0], [...NODE.slice(1), ...argv], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const printed = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      printed.stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      printed.stderr += chunk;
    });
    return { child, printed, ended: once(child, 'close') as Promise<[number | null, string | null]> };
  }

  const push = (n: number) => runToEnd(['push', '--topic', 't', '--issuer', 'i', String(n)], { server: address });

  it('maps success, refusal and misuse to 0, 1 and 2, without a stack trace', async () => {
    const results = [
      start('push', '--topic', 't', '--issuer', 'i', '0'),
      start('push', '--topic', 't', '--issuer', ' ', '0'),
      start('push'),
    ];
    const codes = await Promise.all(results.map(async ({ ended }) => (await ended)[0]));
    expect(codes).toEqual([0, 1, 2]);
    for (const { printed } of results) expect(printed.stderr).not.toMatch(/\n\s+at /);
  });

  it('ends without a word when nobody reads its output any more', async () => {
    const events = Array.from({ length: 3000 }, (_, n) => `{"n":${n}}`).join('\n');
    await runToEnd(['push', '--context', 'pipe', '--topic', 't', '--issuer', 'i'], { server: address, stdin: events });
    const command = `${NODE.join(' ')} read --context pipe | head -n 2; echo "codes \${PIPESTATUS[@]}"`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], { env: environment() });
    expect(stdout.split('\n')).toHaveLength(4);
    expect(stdout).toMatch(/codes 0 0\n$/);
    expect(stderr).toBe('');
  });

  describe('whose output nobody reads', () => {
    const BUILT = fileURLToPath(new URL('../../../dist/src/main.js', import.meta.url));

    /** Runs a line of bash in which `madeleine` is the program. */
    const bash = (line: string) =>
      promisify(execFile)('bash', ['-c', `madeleine() { "${process.execPath}" "${BUILT}" "$@"; }; ${line}`], {
        env: environment(),
        timeout: 60_000,
      });
    const codes = `echo "codes \${PIPESTATUS[@]}"`;

    it.each(['--help', 'push --help', 'doctor --help', 'call --help', '--version', 'consumers'])(
      'prints %s without a word about it',
      async (argv) => {
        for (const reader of ['head -1', 'true']) {
          const { stdout, stderr } = await bash(`madeleine ${argv} | ${reader}; ${codes}`);
          expect([stdout, stderr]).toEqual([expect.stringMatching(/codes 0 0\n$/), '']);
        }
      },
    );

    it('is quiet where nobody reads what went wrong, either', async () => {
      const { stdout } = await bash(`madeleine nonsense 2>&1 | true; ${codes}`);
      expect(stdout).toBe('codes 2 0\n');
    });

    it.each([
      'tail -n 100',
      'tail -n 100 --limit 5',
      'read --follow',
      'subscribe unread-consumer',
      'call EventService/ReadEvents \'{"follow": true}\'',
    ])('ends %s before the next event comes', async (argv) => {
      for (const n of [1, 2, 3]) await push(n);
      const sinceMs = performance.now();
      const { stdout, stderr } = await bash(`madeleine ${argv} | head -1; ${codes}`);
      expect([stdout, stderr]).toEqual([expect.stringMatching(/\ncodes 0 0\n$/), '']);
      expect(performance.now() - sinceMs).toBeLessThan(20_000);
    });

    it('ends expect, whose event is not there, with 1', async () => {
      const { stdout, stderr } = await bash(`madeleine expect unread '{"n": 1}' | sleep 4; ${codes}`);
      expect(stdout).toBe('codes 1 0\n');
      expect(stderr).toMatch(/^madeleine: event \d+ is awaited until \S+\n$/);
    });

    it('does its work all the same, where that is more than printing', async () => {
      const { stdout } = await bash(`madeleine consumers create made-unread | true; ${codes}`);
      expect(stdout).toBe('codes 0 0\n');
      expect(await runToEnd(['consumers', 'get', 'made-unread'], { server: address })).toMatchObject({ code: 0 });
    });

    it('pushes every line all the same', async () => {
      const context = 'unread';
      const lines = `seq 1 5000 | madeleine push --json --batch 10 --context ${context} --topic t --issuer i`;
      const { stdout } = await bash(`${lines} | head -1; ${codes}`);
      expect(stdout).toMatch(/\ncodes 0 0 0\n$/);
      const read = await runToEnd(['read', '--json', '--context', context], { server: address });
      expect(ndjson(read.stdout)).toHaveLength(5000);
    });

    it('says that it could not be written', async () => {
      for (const argv of ['--help', 'consumers', 'read']) {
        await push(1);
        const failed = await bash(`madeleine ${argv} > /dev/full`).catch(
          (error: { code: number; stderr: string }) => error,
        );
        expect(failed, argv).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/^madeleine: [^\n]*ENOSPC[^\n]*\n$/),
        });
      }
    });
  });

  it('ends a stream on SIGINT with code 0', async () => {
    const { child, printed, ended } = start('read', '--follow', '--json');
    await waitUntil(() => printed.stdout !== '', { what: 'a stored event is printed', timeoutMs: 40_000 });
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect(printed.stderr).toBe('');
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends expect on %s with code %i, and says how to go on', async (signal, code) => {
    const { child, printed, ended } = start('expect', 'interrupted', '{"n": 1}');
    await waitUntil(() => printed.stderr.includes('is awaited until'), { what: 'it waits', timeoutMs: 40_000 });
    child.kill(signal);
    expect(await ended).toEqual([code, null]);
    const last =
      /\nmadeleine: no longer waiting here; event (\d+) stays awaited until \S+, go on with: madeleine expect --id \1\n$/;
    expect(printed).toEqual({ stdout: '', stderr: expect.stringMatching(last) });
  });

  it('survives kill -9 of the server: a tail shows every event once, a push waits and is stored once', async () => {
    // Numbers that no other test pushes.
    const { child, printed, ended } = start('read', '--follow', '--json', '--context', 'default', '--topic', 't');
    await push(1001);
    await waitUntil(() => printed.stdout.includes('"json":1001'), {
      what: 'the first event is printed',
      timeoutMs: 40_000,
    });
    await server.kill();
    const pushing = push(1002);
    await waitUntil(() => printed.stderr.includes('trying again'), {
      what: 'the lost connection is told',
      timeoutMs: 40_000,
    });
    server = await ServerProcess.start({ databaseUrl: database.url, listen: address });
    expect((await pushing).code).toBe(0);
    await waitUntil(() => printed.stdout.includes('"json":1002'), {
      what: 'the second event is printed',
      timeoutMs: 40_000,
    });
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(printed.stderr).toMatch(/^madeleine: [^\n]+; trying again\nmadeleine: connected again\n$/);
    const positions = ndjson(printed.stdout).map(({ position }) => Number(position));
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
  });

  it('pushes every line of stdin exactly once though the server is killed in the middle', async () => {
    const lines = Array.from({ length: 5000 }, (_, n) => `{"n":${n}}`);
    const child = spawn(
      NODE[0],
      [...NODE.slice(1), 'push', '--context', 'once', '--topic', 't', '--issuer', 'i', '--batch', '20'],
      {
        env: environment(),
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const ended = once(child, 'close');
    child.stdin.write(`${lines.slice(0, 3000).join('\n')}\n`);
    const stored = async () => (await runToEnd(['read', '--context', 'once', '--json'], { server: address })).stdout;
    await waitUntil(async () => ndjson(await stored()).length > 0, {
      what: 'some lines are stored',
      timeoutMs: 40_000,
    });
    await server.kill();
    child.stdin.end(lines.slice(3000).join('\n'));
    await waitUntil(() => stderr.includes('sending again'), { what: 'the lost connection is told', timeoutMs: 40_000 });
    server = await ServerProcess.start({ databaseUrl: database.url, listen: address });
    expect((await ended)[0]).toBe(0);
    const numbers = ndjson(await stored()).map(({ payload }) => (payload as { json: { n: number } }).json.n);
    expect(numbers).toEqual(lines.map((_, n) => n));
  });

  describe('interrupted before it is done', () => {
    /** Accepts connections, and says nothing. */
    const silent = createServer(() => {});
    const sockets = new Set<Socket>();
    silent.on('connection', (socket) => sockets.add(socket));

    beforeAll(async () => {
      silent.listen(0, '127.0.0.1');
      await once(silent, 'listening');
    });

    afterAll(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });

    const nobody = () => `127.0.0.1:${(silent.address() as AddressInfo).port}`;

    /** A process that has begun to talk to a server that does not answer. */
    async function hanging(...argv: string[]) {
      const before = sockets.size;
      const running = start(...argv, '--server', nobody());
      await waitUntil(() => sockets.size > before, { what: 'it connects', timeoutMs: 40_000 });
      return running;
    }

    it.each([
      [['push', '--topic', 't', '--issuer', 'i', '1']],
      [['ack', 'mailer', '17']],
      [['invalidate', '17']],
      [['read']],
      [['consumers', 'list']],
      [['cawins', 'list']],
      [['tail', '--limit', '5']],
    ])('%j ends at once, with 130 by Ctrl-C and 143 by SIGTERM', async (argv) => {
      for (const [signal, code] of [
        ['SIGINT', 130],
        ['SIGTERM', 143],
      ] as const) {
        const { child, ended, printed } = await hanging(...argv);
        const sinceMs = performance.now();
        child.kill(signal);
        expect(await ended).toEqual([code, null]);
        expect(performance.now() - sinceMs).toBeLessThan(2_000);
        expect(printed.stderr).toBe('madeleine: interrupted\n');
      }
    });

    it('push ends at once though more lines may come', async () => {
      const child = spawn(NODE[0], [...NODE.slice(1), 'push', '--topic', 't', '--issuer', 'i', '--json'], {
        env: environment(),
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      const ended = once(child, 'close');
      child.stdin.write('{"n": 1}\n'.repeat(100));
      await once(child.stdout, 'data');
      const sinceMs = performance.now();
      child.kill('SIGINT');
      expect(await ended).toEqual([130, null]);
      expect(performance.now() - sinceMs).toBeLessThan(2_000);
    });

    it.each([
      ['no server', () => '127.0.0.1:1'],
      ['a server that says nothing', nobody],
    ])('expect keeps its own time with %s', async (_, server) => {
      const { child, ended } = start('expect', 'payments', '{"order": 7}', '--timeout', '3s', '--server', server());
      const sinceMs = performance.now();
      expect((await ended)[0]).toBe(5);
      // The process compiles its sources first.
      expect(performance.now() - sinceMs).toBeLessThan(9_000);
      expect(child.killed).toBe(false);
    });
  });
});
