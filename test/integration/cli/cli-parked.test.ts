// `madeleine parked` against a real server.

import { beforeEach, describe, expect, it } from 'vitest';
import { useServer } from '../../support/server/suite.js';
import { ndjson, runToEnd } from './cli-run.js';

const suite = useServer();
let context = '';
let contexts = 0;
beforeEach(() => {
  contexts += 1;
  context = `parked-${contexts}`;
});

const cli = (argv: readonly string[], stdin = '') =>
  runToEnd([...argv, '--context', context], { server: suite.server.address, stdin });

/** Parks events 1, 2, … of the topic `orders` and its stream; their positions. */
async function parked(count: number): Promise<string[]> {
  const lines = Array.from({ length: count }, (_, n) => `{"n":${n + 1}}`).join('\n');
  const push = ['push', '--json', '--topic', 'orders', '--stream', 'order-7', '--issuer', 'shop', '--property', 'k=v'];
  const positions = ndjson((await cli(push, lines)).stdout).map(({ position }) => String(position));
  await cli(['subscribe', 'mailer', '--count', String(count)]);
  for (const [index, position] of positions.entries()) {
    const why = ['--code', `CODE_${index + 1}`, '--reason', `reason ${index + 1}`];
    expect(await cli(['reject', 'mailer', position, '--park', ...why])).toMatchObject({ code: 0 });
  }
  return positions;
}

describe('parked list', () => {
  it('shows what is parked, and why', async () => {
    const [first, second] = await parked(2);
    const { code, stdout } = await cli(['parked', 'list', 'mailer']);
    expect(code).toBe(0);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect(rows).toEqual([
      ['POSITION', 'PARKED AT', 'STATE', 'ATTEMPTS', 'LOSSES', 'TOPIC', 'STREAM', 'CODE', 'REASON'],
      [first, expect.stringMatching(/Z$/), 'parked', '0', '1', 'orders', 'order-7', 'CODE_1', 'reason 1'],
      [second, expect.stringMatching(/Z$/), 'parked', '0', '0', 'orders', 'order-7', 'CODE_2', 'reason 2'],
    ]);
    const one = await cli(['parked', 'list', 'mailer', '--limit', '1']);
    expect(one.stderr).toBe('madeleine: there are more: --limit\n');
  });

  it('prints JSON with the payload as it was pushed, of what is selected', async () => {
    const [, second] = await parked(2);
    const json = async (...flags: string[]) =>
      ndjson((await cli(['parked', 'list', 'mailer', '--json', ...flags])).stdout);
    expect(await json('--code', 'CODE_2', '--stream', 'order-7', '--since', '1h')).toMatchObject([
      { code: 'CODE_2', reason: 'reason 2', event: { position: second, payload: { json: { n: 2 } } } },
    ]);
    expect(await json('--until', '1h')).toEqual([]);
    expect(await json('--stream', 'another')).toEqual([]);
  });
});

describe('parked replay and discard', () => {
  it('say of each position what became of it', async () => {
    const [first, second] = (await parked(2)) as [string, string];
    const replayed = await cli(['parked', 'replay', 'mailer', first]);
    expect(replayed).toMatchObject({ code: 0, stdout: `POSITION  RESULT\n${first.padStart(8)}  done\nreplayed 1\n` });
    expect(ndjson((await cli(['parked', 'list', 'mailer', '--json'])).stdout)).toMatchObject([{ replaying: true }, {}]);
    const delivered = await cli(['subscribe', 'mailer', '--json', '--ack', '--count', '1']);
    expect(ndjson(delivered.stdout)).toMatchObject([{ replay: true, attempt: 1, event: { position: first } }]);
    const discarded = await cli(['parked', 'discard', 'mailer', first, second, '--json']);
    expect(ndjson(discarded.stdout)).toMatchObject([
      { position: first, status: 'PARKED_STATUS_NOT_PARKED' },
      { position: second, status: 'PARKED_STATUS_DONE' },
    ]);
    expect(discarded).toMatchObject({ code: 1, stderr: 'madeleine: 1 of 2 positions are not parked\n' });
  });

  it('take all that is selected', async () => {
    await parked(3);
    expect(await cli(['parked', 'replay', 'mailer', '--all', '--code', 'CODE_2'])).toMatchObject({
      ...{ code: 0, stdout: 'replayed 1\n' },
    });
    expect(await cli(['parked', 'discard', 'mailer', '--all', '--json'])).toMatchObject({
      ...{ code: 0, stdout: '{"discarded":"3"}\n' },
    });
    expect(await cli(['parked', 'list', 'mailer', '--json'])).toMatchObject({ code: 0, stdout: '' });
  });

  it('fail for a position that is not parked', async () => {
    const [position] = (await parked(1)) as [string];
    await cli(['parked', 'discard', 'mailer', position]);
    const { code, stderr } = await cli(['parked', 'replay', 'mailer', position]);
    expect(code).toBe(1);
    expect(stderr).toBe(`madeleine: PARKED_UNKNOWN: no event is parked at position ${position}\n`);
  });

  it.each([
    [['replay', 'mailer'], 'give positions, or --all'],
    [['discard', 'mailer', '1', '--all'], 'give positions or --all, not both'],
    [['replay', 'mailer', '1', '--code', 'X'], 'go with --all'],
    [['replay', 'mailer', '0'], 'The first one is 1'],
    [['edit', 'mailer', '1', '{}'], '--issuer is required'],
    [['edit', 'mailer', '1', '{}', '--issuer', 'i', '--file', 'x'], 'give a payload or --file, not both'],
  ])('refuse %j', async (argv, message) => {
    const { code, stderr } = await cli(['parked', ...argv]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('parked edit', () => {
  it('pushes another event in the place of the parked one', async () => {
    const [position] = (await parked(1)) as [string];
    const messageId = '0193f0a4-5b5c-7d1e-8f3a-0123456789ab';
    const edit = ['parked', 'edit', 'mailer', position, '--issuer', 'anna', '--message-id', messageId, '{"n": 9}'];
    const { code, stdout } = await cli(edit);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^occurred {2}position \\d+ {2}event \\d+ {2}message ${messageId} {2}caused by `),
    );
    expect((await cli(edit)).stdout).toMatch(/^duplicate/);
    const delivered = await cli(['subscribe', 'mailer', '--json', '--ack', '--count', '1']);
    expect(ndjson(delivered.stdout)).toMatchObject([
      {
        event: {
          ...{ topic: 'orders', issuer: 'anna', to: 'mailer', properties: { k: 'v' } },
          ...{ payload: { json: { n: 9 } }, causedBy: expect.stringContaining('-') },
        },
      },
    ]);
    expect((await cli(['parked', 'list', 'mailer', '--json'])).stdout).toBe('');
  });

  it('takes the payload from stdin, as it is', async () => {
    const [position] = (await parked(1)) as [string];
    const edit = ['parked', 'edit', 'mailer', position, '--issuer', 'anna', '--json'];
    const { code, stdout } = await cli(edit, '{"n": 9007199254740993}\n');
    expect(code).toBe(0);
    const [receipt] = ndjson(stdout);
    const shown = await cli(['read', '--json', '--after', String(Number(receipt?.['position']) - 1)]);
    expect(shown.stdout).toContain('9007199254740993');
    const bad = await cli(['parked', 'edit', 'mailer', position, '--issuer', 'anna'], '\ufeff{');
    expect(bad.stderr).toContain('event.payload.data');
  });
});
