// The package as others get it: packed from what is committed or about to be, installed into an empty folder, and served from there.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../support/wait-until.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What belongs to a checkout and not to its machine. */
const NOT_COPIED = new Set(['.git', 'node_modules', 'dist', 'data', 'coverage', '.bench']);

describe('the npm package', () => {
  let directory: string;
  let home: string;
  let server: ChildProcess | undefined;
  let output = '';

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'madeleine-package-'));
    // A path like a person's: what is installed must not split it.
    home = join(directory, 'an empty folder');
    await mkdir(home);
  });

  afterAll(async () => {
    if (server !== undefined && server.exitCode === null && server.signalCode === null) {
      const ended = once(server, 'close');
      server.kill('SIGTERM');
      await ended;
    }
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  /** The command as npx finds it, without the settings of whoever runs the tests. */
  const npx = (...argv: string[]) =>
    run('npx', ['--no-install', 'madeleine', ...argv], { cwd: home, env: environment() });

  function environment(settings: Record<string, string> = {}): NodeJS.ProcessEnv {
    const own = Object.entries(process.env).filter(([name]) => !/^(MADELEINE_|npm_|NODE_|VITEST)/i.test(name));
    return { ...Object.fromEntries(own), ...settings };
  }

  it('is packed with its build, from a checkout that was never built', async () => {
    const checkout = join(directory, 'checkout');
    const names = (await readdir(ROOT)).filter((name) => !NOT_COPIED.has(name));
    await Promise.all(
      names.map((name) => cp(join(ROOT, name), join(checkout, name), { recursive: true, preserveTimestamps: true })),
    );
    await symlink(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
    await run('npm', ['pack', '--pack-destination', directory], { cwd: checkout, env: environment() });
    const packed = (await readdir(directory)).filter((name) => name.endsWith('.tgz'));
    expect(packed).toEqual([expect.stringMatching(/^madeleine-\d+\.\d+\.\d+\.tgz$/)]);
    const { stdout } = await run('tar', ['-tzf', join(directory, packed[0] ?? '')]);
    const files = stdout.split('\n');
    expect(files).toEqual(
      expect.arrayContaining([
        'package/README.md',
        'package/LICENSE',
        'package/CHANGELOG.md',
        'package/dist/src/main.js',
      ]),
    );
    expect(files.filter((file) => /\.test\.|package\/(src|test|node_modules|data)\//.test(file))).toEqual([]);
    await writeFile(join(home, 'package.json'), '{"private": true}');
    const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--omit=dev', '--loglevel=error'];
    await run('npm', ['install', ...flags, join(directory, packed[0] ?? '')], { cwd: home, env: environment() });
  });

  it('has a command that runs', async () => {
    expect((await npx('--help')).stdout).toContain('madeleine serve');
    expect((await npx('--version')).stdout).toMatch(/^madeleine \d+\.\d+\.\d+\n$/);
    expect((await npx('call', '--help')).stdout).toContain('EventService/PushEvent');
    await expect(npx('nonsense')).rejects.toMatchObject({ code: 2 });
  });

  it('serves, takes a first event and gives it back', async () => {
    const settings = { MADELEINE_LISTEN: '127.0.0.1:0', MADELEINE_HTTP_LISTEN: '127.0.0.1:0' };
    server = spawn(join(home, 'node_modules', '.bin', 'madeleine'), ['serve'], {
      ...{ cwd: home, env: environment(settings), stdio: ['ignore', 'pipe', 'pipe'] },
    });
    for (const stream of [server.stdout, server.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const line = await waitUntil(
      () => {
        if (server?.exitCode !== null) throw new Error(`serve ended: ${output}`);
        return output.split('\n').find((text) => text.includes('"msg":"listening"'));
      },
      { what: 'the installed server listens', timeoutMs: 60_000 },
    );
    const { grpc } = JSON.parse(line) as { grpc: string };
    await npx('push', '--server', grpc, '--topic', 'orders', '--issuer', 'shop', '{"total": 12.5}');
    const { stdout } = await npx('read', '--server', grpc, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ position: '1', topic: 'orders', payload: { json: { total: 12.5 } } });
    const called = await npx('call', 'EventService/GetEvent', '{"id": 1}', '--server', grpc);
    expect(JSON.parse(called.stdout)).toMatchObject({ event: { id: '1', payload: { json: { total: 12.5 } } } });
    expect(await readdir(join(home, 'data'))).toContain('mariadb');
  });

  it('names only what it installs', async () => {
    const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
    const installed = await readdir(join(home, 'node_modules'));
    expect(installed).toEqual(expect.arrayContaining(Object.keys(dependencies).map((name) => name.split('/')[0])));
    expect(installed).not.toContain('tsx');
  });
});
