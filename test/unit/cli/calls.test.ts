// Commands that are one call each, against a server that only keeps what it was asked: what they ask for, how they go through
// pages, what they repeat, and what they print.

import { userInfo } from 'node:os';
import { createServer, type Server, ServerError, Status } from 'nice-grpc';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AdminServiceDefinition } from '../../../generated/madeleine/v1/admin_service.js';
import { CawinServiceDefinition } from '../../../generated/madeleine/v1/cawin_service.js';
import { ConsumerServiceDefinition } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../../generated/madeleine/v1/stream_service.js';
import { TopicServiceDefinition } from '../../../generated/madeleine/v1/topic_service.js';
import { ndjson, runToEnd } from '../../integration/cli/cli-run.js';

interface Asked {
  readonly call: string;
  readonly request: Record<string, unknown>;
}

const DEFINITIONS = [
  EventServiceDefinition,
  StreamServiceDefinition,
  TopicServiceDefinition,
  ConsumerServiceDefinition,
  CawinServiceDefinition,
  AdminServiceDefinition,
];

/** Answers by call, each call's in order, the last one again and again; an error is a refusal. */
let answers: Readonly<Record<string, readonly unknown[]>> = {};
let asked: Asked[] = [];
let server: Server;
let address = '';

function answer(call: string, request: Record<string, unknown>): unknown {
  const times = asked.filter((one) => one.call === call).length;
  asked.push({ call, request });
  const planned = answers[call]?.[Math.min(times, (answers[call]?.length ?? 1) - 1)] ?? {};
  if (planned instanceof Error) throw planned;
  return planned;
}

beforeAll(async () => {
  server = createServer();
  for (const definition of DEFINITIONS) {
    const calls = Object.keys(definition.methods).map((name) => [
      name,
      async (request: Record<string, unknown>) => answer(name, request),
    ]);
    server.add(definition as never, Object.fromEntries(calls) as never);
  }
  address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
});
afterAll(() => server.forceShutdown());
beforeEach(() => {
  answers = {};
  asked = [];
});

const cli = (...argv: readonly string[]) => runToEnd(argv, { server: address });
const requests = () => asked.map(({ request }) => request);
const away = () => new ServerError(Status.UNAVAILABLE, 'away');

describe('a list', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ context: 'default', name }));

  it('is printed from every page, as a table or as JSON', async () => {
    answers = { listTopics: [{ topics: [a, b], nextPageToken: '2' }, { nextPageToken: '3' }, { topics: [c] }] };
    const table = await cli('topics', 'list', '--context', 'all', '--prefix', 'x');
    expect(table.stdout.split('\n').map((line) => line.split(/ +/)[1])).toEqual(['TOPIC', 'a', 'b', 'c', undefined]);
    const filter = { context: 'all', namePrefix: 'x', pageSize: 1_000 };
    expect(requests()).toEqual(['', '2', '3'].map((pageToken) => ({ ...filter, pageToken })));
    asked = [];
    expect(ndjson((await cli('topics', '--json')).stdout).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  it('ends at its limit, and says that there are more', async () => {
    const events = [1n, 2n, 3n].map((id) => ({ id }));
    answers = { listEvents: [{ events: events.slice(0, 1), nextPageToken: '2' }, { events: events.slice(1) }] };
    const { stdout, stderr } = await cli('awaited', '--limit', '2', '--json');
    expect(ndjson(stdout).map(({ id }) => id)).toEqual(['1', '2']);
    expect(stderr).toBe('madeleine: there are more: --limit\n');
    expect(requests().map(({ pageSize, pageToken }) => [pageSize, pageToken])).toEqual([
      [3, ''],
      [2, '2'],
    ]);
  });

  it('takes what it is a list of as an argument', async () => {
    answers = { listAttempts: [{ attempts: [{ number: 7 }] }] };
    expect((await cli('cawins', 'attempts', '17')).stdout).toMatch(/^KIND +ATTEMPT .*\n.* 7 /);
    expect(requests()).toEqual([{ cawinId: 17n, pageSize: 1_000, pageToken: '' }]);
  });
});

describe('one thing', () => {
  it('is printed field by field, or as JSON', async () => {
    answers = { getStream: [{ stream: { name: 'order-7', owner: 'shop', eventCount: 2n } }] };
    const { stdout } = await cli('streams', 'get', 'order-7');
    expect(stdout).toMatch(/^STREAM +order-7\nOWNER +shop\nEVENTS +2$/m);
    expect(ndjson((await cli('streams', 'get', 'order-7', '--context', 'c', '--json')).stdout)).toMatchObject([
      { name: 'order-7', eventCount: '2' },
    ]);
    expect(requests()).toEqual([
      { context: '', name: 'order-7' },
      { context: 'c', name: 'order-7' },
    ]);
  });

  it('is asked for again while the server is away', async () => {
    answers = { getConsumer: [away(), away(), { consumer: { name: 'mailer' } }] };
    expect(await cli('consumers', 'get', 'mailer')).toMatchObject({ code: 0, stderr: '' });
    expect(asked).toHaveLength(3);
  });

  it('that the server leaves out is a failure', async () => {
    expect(await cli('cawins', 'get', '1')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'madeleine: the server answers without what it was asked for\n',
    });
  });

  it('is refused in one sentence', async () => {
    answers = { getTopic: [new ServerError(Status.NOT_FOUND, 'there is no such topic')] };
    const { code, stdout, stderr } = await cli('topics', 'get', 'none');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^madeleine: .*there is no such topic\n$/);
  });
});

describe('a change', () => {
  it('that cannot be meant is refused before anything is connected', async () => {
    const nobody = '127.0.0.1:1';
    for (const argv of [
      ['consumers', 'update', 'mailer'],
      ['cawins', 'update', '1'],
      ['ack', 'mailer'],
    ]) {
      expect((await runToEnd(argv, { server: nobody })).code).toBe(2);
    }
  });

  it('is sent with its mask', async () => {
    answers = { updateCawin: [{ cawin: { id: 4n } }] };
    await cli('cawins', 'deactivate', '4');
    expect(requests()).toMatchObject([{ id: 4n, active: false, updateMask: ['active'] }]);
  });

  it('that deletes is sent once, and says what is gone', async () => {
    expect(await cli('consumers', 'delete', 'mailer')).toMatchObject({ code: 0, stdout: 'deleted mailer\n' });
    expect(await cli('cawins', 'delete', '4', '--json')).toMatchObject({ code: 0, stdout: '' });
    answers = { deleteConsumer: [away()] };
    expect((await cli('consumers', 'delete', 'other')).code).toBe(1);
    expect(asked.map(({ call }) => call)).toEqual(['deleteConsumer', 'deleteCawin', 'deleteConsumer']);
  });

  it('may print in its own way', async () => {
    answers = { seekConsumer: [{ formerOffset: 9n, offset: 3n, affected: 6n }] };
    const { stdout } = await cli('consumers', 'seek', 'mailer', 'position:3', '--dry-run');
    expect(stdout).toBe('offset 9 -> 3: 6 matching events would be delivered again\n');
    expect(requests()).toMatchObject([{ name: 'mailer', dryRun: true, to: { at: { value: 3n } } }]);
  });

  it('says how far a consumer went where there was less to go by', async () => {
    const moved = (formerOffset: bigint, offset: bigint, movedEvents: bigint) => ({
      formerOffset,
      offset,
      movedEvents,
      affected: movedEvents,
    });
    answers = { seekConsumer: [moved(3n, 1n, 1n), moved(0n, 0n, 0n), moved(3n, 0n, 2n)] };
    const back = (n: string) => cli('consumers', 'seek', 'mailer', '--back', n);
    expect((await back('1')).stdout).toBe('offset 3 -> 1: 1 matching event delivered again\n');
    expect((await back('1')).stdout).toBe(
      'offset 0 -> 0: nothing lies between; by 0 of 1 event, as there are no more\n',
    );
    const far = 'offset 3 -> 0: 2 matching events delivered again; by 2 of 9 events, as there are no more\n';
    expect((await back('9')).stdout).toBe(far);
    expect(requests().map(({ byEvents }) => byEvents)).toEqual([-1n, -1n, -9n]);
  });

  it('says who asks: the user of the operating system, unless somebody is named', async () => {
    const { username } = userInfo();
    answers = { saveSnapshot: [{ snapshot: {} }], transferStream: [{ stream: {} }] };
    for (const by of [[], ['--by', 'anna']]) {
      await cli('consumers', 'pause', 'mailer', ...by);
      await cli('consumers', 'resume', 'mailer', ...by);
      for (const what of ['save', 'restore', 'delete']) await cli('consumers', 'snapshots', what, 'mailer', 's', ...by);
      await cli('streams', 'transfer', 's', '--owner', 'shop', '--to', 'web', ...by);
    }
    expect(requests().map(({ by }) => by)).toEqual([...Array(6).fill(username), ...Array(6).fill('anna')]);
  });

  it('explains a member that only calls Fetch, and has no name', async () => {
    answers = { getConsumer: [{ consumer: { name: 'mailer', members: [{ address: '10.0.0.7:4', inFlight: 2 }] } }] };
    const { stdout } = await cli('consumers', 'explain', 'mailer');
    const member = 'The member of calls without a name at 10.0.0.7:4 has 2 events in flight, and has not answered yet.';
    expect(stdout).toContain(`\n${member}\n`);
  });
});
