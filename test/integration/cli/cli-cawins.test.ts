// The command line for cawins, against a real server.

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CawinState } from '../../../generated/madeleine/v1/cawin_service.js';
import { SECRET, useCawins } from '../../support/cawins/cawin-scene.js';
import { ndjson, runToEnd } from './cli-run.js';

const scene = useCawins();
const cli = (...argv: string[]) => runToEnd(['cawins', ...argv], { server: scene.server.address });
let directory: string;
let secretFile: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madeleine-'));
  secretFile = join(directory, 'secret');
  await writeFile(secretFile, `${SECRET}\n`);
});
afterAll(() => rm(directory, { recursive: true }));

/** Makes a cawin with every flag; its id. */
async function made(...flags: string[]): Promise<string> {
  const event = String(await scene.occurred());
  const { code, stdout, stderr } = await cli('create', event, scene.receiver.url(), '--json', ...flags);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return String(ndjson(stdout)[0]?.id);
}

describe('madeleine cawins', () => {
  it('creates, shows and lists, never with a secret', async () => {
    const flags = [
      '--secret-file',
      secretFile,
      '--header',
      'X-Token=abc-secret',
      '--timeout',
      '2s',
      '--request-id',
      'r-1',
    ];
    const id = await made(...flags);
    await scene.reaches(BigInt(id), CawinState.CAWIN_STATE_FIRED);
    const got = await cli('get', id);
    expect(got.stdout).toMatch(/STATE +fired\n/);
    expect(got.stdout).toMatch(/HEADERS +X-Token\n/);
    expect(got.stdout).toMatch(/FIRINGS +occurred fired after 1 attempts\n/);
    const listed = await cli('list');
    expect(listed.stdout).toMatch(/^CAWIN +EVENT +CONTEXT +STATE +ATTEMPTS +URL\n/);
    for (const { stdout } of [got, listed, await cli('get', id, '--json')]) {
      expect(stdout).not.toContain('abc-secret');
      expect(stdout).not.toContain(SECRET.slice(6));
    }
    expect(scene.receiver.received[0]?.headers).toMatchObject({ 'x-token': 'abc-secret' });
  });

  it('switches off and on, and shows attempts', async () => {
    const id = await made('--inactive');
    expect((await cli('get', id)).stdout).toMatch(/STATE +inactive/);
    expect((await cli('activate', id)).code).toBe(0);
    await scene.reaches(BigInt(id), CawinState.CAWIN_STATE_FIRED);
    expect((await cli('attempts', id)).stdout).toMatch(/occurred +1 .* delivered +200 OK/);
    expect((await cli('deactivate', id)).stdout).toMatch(/STATE +inactive/);
  });

  it('retries what failed, and deletes', async () => {
    scene.receiver.respond = (response) => response.writeHead(410).end();
    const id = await made();
    await scene.reaches(BigInt(id), CawinState.CAWIN_STATE_FAILED);
    scene.receiver.respond = (response) => response.end();
    expect((await cli('retry', id)).code).toBe(0);
    await scene.reaches(BigInt(id), CawinState.CAWIN_STATE_FIRED);
    expect((await cli('delete', id)).stdout).toBe(`deleted ${id}\n`);
    expect(await cli('get', id)).toMatchObject({ code: 1, stderr: expect.stringContaining('CAWIN_UNKNOWN') });
  });

  it('expects an event: awaits it, fires when it occurs, and at once where it has occurred', async () => {
    const order = randomUUID();
    const ask = ['expect', 'payment', `{"order":"${order}"}`, scene.receiver.url(), '--json'];
    const awaited = await cli(...ask, '--request-id', order, '--notify-on', 'occurred', '--wait-timeout', '1h');
    expect(awaited.stderr).toMatch(/^madeleine: event \d+ is awaited\n$/);
    const [first] = ndjson(awaited.stdout);
    expect(first).toMatchObject({
      state: 'CAWIN_STATE_WAITING',
      notifyOn: ['EVENT_STATUS_OCCURRED'],
      requestId: order,
    });
    expect((await cli('list', '--state', 'waiting')).stdout).toContain(scene.receiver.url());
    await runToEnd(['push', '--topic', 'payment', '--issuer', 'bank', `{"order":"${order}"}`], {
      server: scene.server.address,
    });
    await scene.reaches(BigInt(String(first?.id)), CawinState.CAWIN_STATE_FIRED);
    const late = await cli(...ask, '--secret-file', secretFile);
    expect(late.stderr).toMatch(/ is found\n$/);
    const [second] = ndjson(late.stdout);
    await scene.reaches(BigInt(String(second?.id)), CawinState.CAWIN_STATE_FIRED);
    expect(scene.receiver.received.map(({ headers }) => 'webhook-signature' in headers)).toEqual([false, true]);
    const states = ['--state', 'waiting', '--state', 'failed'];
    expect((await cli('list', '--event', String(first?.eventId), ...states, '--json')).stdout).toBe('');
  });

  it('changes where and when it calls', async () => {
    const flags = ['--inactive', '--secret-file', secretFile, '--header', 'X-Token=a', '--notify-on', 'expired'];
    const id = await made(...flags);
    const url = scene.receiver.url('/v2');
    const moved = await cli('update', id, '--url', url, '--timeout', '3s', '--unsigned', '--no-header', '--any-end');
    expect(moved.stdout).toMatch(new RegExp(`URL +${url}\n`));
    expect(moved.stdout).toMatch(/NOTIFY ON +occurred, invalidated, expired\nSIGNED +no\nHEADERS\nTIMEOUT +3s\n/);
    const later = await cli(
      'update',
      id,
      '--expires-at',
      new Date(Date.now() + 60_000).toISOString(),
      '--header',
      'X-B=b',
    );
    expect(later.stdout).toMatch(/HEADERS +X-B\n.*EXPIRES AT +20/s);
    expect((await cli('update', id, '--no-expires-at')).stdout).toMatch(/EXPIRES AT\n/);
  });

  it.each([
    [['update', '1'], 'give at least one setting to change'],
    [['update', '1', '--unsigned', '--secret-file', 'x'], 'not both'],
    [['update', '1', '--any-end', '--notify-on', 'expired'], 'not both'],
    [['create', '1', 'https://example.org', '--secret-file', '/nowhere'], 'cannot read /nowhere: ENOENT'],
    [['list', '--state', 'odd'], 'waiting, firing, fired'],
    [['expect', 'payment', '{"a":', 'https://example.org'], 'is not JSON'],
  ])('refuses %j', async (argv, said) => {
    const { code, stderr } = await cli(...argv);
    expect(stderr).toContain(said);
    expect(code).toBe(2);
  });
});
