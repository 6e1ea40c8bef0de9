// Ids and positions on the command line: both are shown, each by its name, and what is withdrawn is said before it is.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

describe('ids and positions', () => {
  let database: TestDatabase;
  let server: TestServer;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
    // From here on the id of an event is not its position: what is awaited has an id alone.
    await cli('push', '--topic', 'never', '--issuer', 'i', '--description', '{"n":0}');
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  const cli = (...argv: string[]) => runToEnd(argv, { server: server.address });

  async function pushed(context: string, payload: string, ...rest: string[]) {
    const { stdout } = await cli(
      'push',
      '--json',
      '--context',
      context,
      '--topic',
      't',
      '--issuer',
      'i',
      ...rest,
      payload,
    );
    const { id, position, messageId } = ndjson(stdout)[0] as Record<'id' | 'position' | 'messageId', string>;
    expect(id).not.toBe(position);
    return { id, position, messageId };
  }

  it('are both in every listing of events', async () => {
    const context = randomUUID();
    const { id, position } = await pushed(context, '{"n":1}');
    const line = new RegExp(`(^|  ) *${position}  event ${id}  20\\S+Z  t  -  i  {"n":1}\n$`);
    expect((await cli('read', '--context', context)).stdout).toMatch(line);
    expect((await cli('subscribe', 'c', '--context', context, '--count', '1')).stdout).toMatch(line);
    const tail = new RunningCli(['tail', '-n', '1', '--context', context], { server: server.address });
    await waitUntil(() => tail.lines.length === 1, { what: 'the last event' });
    tail.interrupt();
    expect((await tail.ended()).stdout).toMatch(line);
    expect((await cli('expect', '--id', id)).stdout).toMatch(line);
  });

  it('both lead to the event, and so does its message id', async () => {
    const context = randomUUID();
    const flags = ['--stream', 'order-7', '--tag', 'a', '--property', 'k=v', '--subject', 'created'];
    const { id, position, messageId } = await pushed(context, '{"n": 9007199254740993}', ...flags);
    const shown = await cli('get', id);
    expect(shown.stdout).toMatch(
      new RegExp(
        [
          `^EVENT +${id}\nPOSITION +${position}\nSTATUS +occurred\nCONTEXT +${context}\nTOPIC +t\n`,
          `STREAM +order-7#1\nISSUER +i\nTAG +a\nSUBJECT +created\nPROPERTIES +{"k":"v"}\n`,
          `MESSAGE ID +${messageId}\nCREATED AT +20\\S+Z\nOCCURRED AT +20\\S+Z\nPAYLOAD +{"n": 9007199254740993}\n$`,
        ].join(''),
      ),
    );
    expect((await cli('get', '--position', position)).stdout).toBe(shown.stdout);
    expect((await cli('get', '--message-id', messageId, '--context', context)).stdout).toBe(shown.stdout);
    expect(ndjson((await cli('get', id, '--json')).stdout)).toMatchObject([{ id, position, messageId }]);
  });

  it.each([
    [['get'], 2, 'give the id of an event, --position or --message-id'],
    [['get', '1', '--position', '1'], 2, 'give the id of an event, --position or --message-id'],
    [['get', '1', '--context', 'c'], 2, '--context goes with --message-id'],
    [['get', '--position', '0'], 2, 'The first one is 1'],
    [['get', '999999999'], 1, 'EVENT_UNKNOWN'],
    [['get', '--position', '999999999'], 1, 'POSITION_BEYOND_HEAD'],
  ])('of nothing are refused: %j', async (argv, code, said) => {
    expect(await cli(...argv)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(said) });
  });

  it('are told of what is going to be invalidated, before it is', async () => {
    const context = randomUUID();
    const { id, position } = await pushed(context, '{"total": 12.5}');
    const which = `event ${id} of topic t by i, occurred at position ${position}, 20`;
    const dry = await cli('invalidate', id, '--dry-run');
    expect(dry).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining(`would invalidate ${which}`) });
    expect((await cli('get', id)).stdout).toContain('occurred');
    const done = await cli('invalidate', id, '--reason', 'paid twice');
    expect(done.stdout).toBe(`event ${id} of topic t is invalidated: paid twice\n`);
    expect(done.stderr).toMatch(new RegExp(`^madeleine: invalidating ${which}\\S+Z: {"total": 12.5}\n$`));
  });

  it('of a wait that another event ended are told with the id of that event', async () => {
    const context = randomUUID();
    const part = ['--context', context, '--topic', 't', '--issuer', 'i'];
    const waits = [];
    for (const description of ['{"a":1}', '{"b":2}']) {
      waits.push(ndjson((await cli('push', '--json', ...part, '--description', description)).stdout)[0]?.id);
    }
    const ended = ndjson((await cli('push', '--json', ...part, '{"a":1,"b":2}')).stdout)[0];
    expect(waits[0]).toBe(ended?.id);
    const { stderr } = await cli('invalidate', String(waits[1]), '--dry-run');
    expect(stderr).toContain(`would invalidate event ${waits[1]} (ended by event ${waits[0]}) of topic t`);
  });

  it('of what has expired are refused, by --dry-run as well', async () => {
    const part = ['--context', randomUUID(), '--topic', 't', '--issuer', 'i', '--wait-timeout', '1s'];
    const id = String(ndjson((await cli('push', '--json', ...part, '--description', '{"a":1}')).stdout)[0]?.id);
    expect(await cli('expect', '--id', id)).toMatchObject({ code: 3 });
    const said = new RegExp(
      `^madeleine: event ${id} of topic t has expired \\(20\\S+Z\\) and cannot be invalidated\n$`,
    );
    for (const rest of [['--dry-run'], []]) {
      const refused = { code: 1, stdout: '', stderr: expect.stringMatching(said) };
      expect(await cli('invalidate', id, ...rest)).toEqual(refused);
    }
  });

  it('of what is invalidated already stay as they are, and the second reason is not lost in silence', async () => {
    const { id } = await pushed(randomUUID(), '1');
    await cli('invalidate', id, '--reason', 'paid twice');
    const again = await cli('invalidate', id, '--reason', 'another');
    expect(again).toEqual({
      code: 0,
      stdout: `event ${id} of topic t is invalidated: paid twice\n`,
      stderr: `madeleine: event ${id} was invalidated before and stays as it is; the reason "another" is not kept\n`,
    });
    for (const rest of [['--reason', 'paid twice'], [], ['--dry-run', '--reason', 'paid twice']]) {
      const { stderr } = await cli('invalidate', id, ...rest);
      expect(stderr).toBe(`madeleine: event ${id} was invalidated before and stays as it is\n`);
    }
  });
});
