// The flags of the command line that select events: for what reads, and for consumers.

import { createServer, type Server } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerServiceDefinition, SubscribeResponse } from '../../../generated/madeleine/v1/consumer_service.js';
import { Event } from '../../../generated/madeleine/v1/event.js';
import {
  EventServiceDefinition,
  ListEventsResponse,
  ReadEventsResponse,
} from '../../../generated/madeleine/v1/event_service.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

/** Each flag, the event's field, and a value of it. */
const FLAGS = [
  ['--stream', 'stream'],
  ['--issuer', 'issuer'],
  ['--session-id', 'sessionId'],
  ['--correlation-id', 'correlationId'],
  ['--reply-to', 'replyTo'],
  ['--tag', 'tag'],
  ['--entity-type', 'entityType'],
  ['--organization', 'organization'],
  ['--unit', 'unit'],
] as const;

describe('the flags that select events', () => {
  const suite = useServer();
  const { push } = eventCalls(suite);
  let count = 0;
  const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });
  const ids = (stdout: string) => ndjson(stdout).map(({ id }) => String(id));

  it.each(FLAGS)('%s is repeatable, for readers, lists, the last events and consumers', async (flag, field) => {
    const topic = `t-${++count}`;
    const value = (name: string) => `${name} ${topic}`;
    const pushed: string[] = [];
    for (const name of ['a', 'b', 'c']) pushed.push(String((await push({ topic, [field]: value(name) })).id));
    const flags = ['--topic', topic, flag, value('a'), flag, value('c')];
    const wanted = [pushed[0], pushed[2]];
    expect(ids((await cli('read', ...flags, '--json')).stdout)).toEqual(wanted);
    expect(ids((await cli('events', 'list', ...flags, '--json')).stdout)).toEqual(wanted);
    const tail = new RunningCli(['tail', ...flags, '-n', '3', '--json'], { server: suite.server.address });
    await waitUntil(() => tail.lines.length === 2, { what: 'the last events' });
    tail.interrupt();
    await tail.ended();
    expect(ids(tail.lines.join('\n'))).toEqual(wanted);
    const { stdout } = await cli('subscribe', `c-${count}`, ...flags, '--count', '2', '--json');
    expect(ndjson(stdout).map(({ event }) => String((event as Record<string, unknown>)['id']))).toEqual(wanted);
  });

  it('--subject, --property, --to and --description go together', async () => {
    const topic = `t-${++count}`;
    const one = { topic, subject: 4, properties: { a: '1', b: '2' }, to: `c-${count}` };
    await push({ ...one, properties: { a: '1' } });
    await push({ ...one, to: 'other' });
    const { id } = await push(one);
    const flags = ['--topic', topic, '--subject', 'created', '--subject', 'deleted', '--to', `c-${count}`];
    const more = ['--property', 'a=1', '--property', 'b=2', '--description', '{"total": 12.5}'];
    expect(ids((await cli('read', ...flags, ...more, '--json')).stdout)).toEqual([String(id)]);
    const { stdout } = await cli('subscribe', `c-${count}`, ...flags, ...more, '--count', '1', '--json');
    expect(ndjson(stdout)).toMatchObject([{ event: { id: String(id) } }]);
  });

  it('make consumers that tell them, and replace what is stored', async () => {
    const name = `c-${++count}`;
    const create = await cli(
      'consumers',
      'create',
      name,
      '--topic',
      'b',
      '--topic',
      'a',
      '--unit',
      'u',
      '--property',
      'k=v',
    );
    expect(create.stdout).toMatch(/FILTER +topic a \| b, unit u, property k=v\n/);
    const json = async () => ndjson((await cli('consumers', 'get', name, '--json')).stdout)[0];
    expect(await json()).toMatchObject({
      settings: { where: { topics: ['a', 'b'], units: ['u'], properties: { k: 'v' } } },
    });
    expect(await json()).not.toHaveProperty('settings.filter');
    // What the field of before cannot change is changed all the same.
    expect((await cli('consumers', 'update', name, '--topic', 'a')).code).toBe(0);
    expect(await json()).toMatchObject({ settings: { filter: { topics: ['a'] }, where: { topics: ['a'] } } });
    expect((await cli('consumers', 'update', name, '--any-event')).stdout).toMatch(/FILTER +every event\n/);
    const both = await cli('consumers', 'update', name, '--any-event', '--unit', 'u');
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('--any-event') });
  });
});

/** An implementation with every method of its service. */
function whole<Implementation>(methods: object): Implementation {
  const get = (_: object, name: string) => Reflect.get(methods, name) ?? (async () => ({}));
  return new Proxy(methods, { get }) as Implementation;
}

describe('a server that does not know the filter', () => {
  let older: Server;
  let server = '';
  const events = [Event.fromPartial({ id: 1n, position: 1n, topic: 'not asked for' })];

  beforeAll(async () => {
    older = createServer();
    const eventService = {
      async *readEvents() {
        yield ReadEventsResponse.fromPartial({ events });
      },
      listEvents: async () => ListEventsResponse.fromPartial({ events }),
    };
    const consumerService = {
      async *subscribe() {
        yield SubscribeResponse.fromPartial({ frame: { $case: 'opened', value: { consumer: { settings: {} } } } });
        yield SubscribeResponse.fromPartial({ deliveries: events.map((event) => ({ event })) });
      },
      createConsumer: async () => ({ consumer: { name: 'c', settings: { filter: {} } } }),
    };
    older.add(EventServiceDefinition, whole(eventService));
    older.add(ConsumerServiceDefinition, whole(consumerService));
    server = `127.0.0.1:${await older.listen('127.0.0.1:0')}`;
  });
  afterAll(() => older.forceShutdown());

  it.each([
    ['read', '--topic', 'orders'],
    ['tail', '--unit', 'u'],
    ['tail', '-n', '2', '--unit', 'u'],
    ['subscribe', 'c', '--unit', 'u'],
    ['consumers', 'create', 'c', '--unit', 'u'],
  ])('has %s %s %s … stop before it prints anything', async (...argv) => {
    const { code, stdout, stderr } = await runToEnd(argv, { server });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('older than this command');
  });

  it('serves what asks for no filter', async () => {
    const { code, stdout } = await runToEnd(['read', '--json'], { server });
    expect(code).toBe(0);
    expect(ndjson(stdout)).toMatchObject([{ topic: 'not asked for' }]);
  });
});
