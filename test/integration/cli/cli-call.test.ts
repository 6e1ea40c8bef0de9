// `madeleine call`: every method with JSON in and out, its errors, and the forms that protobuf has for JSON.

import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadContract, nameOf } from '../../../src/cli/commands/rpc/contract.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

describe('madeleine call', () => {
  let database: TestDatabase;
  let server: TestServer;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  const options = (stdin?: string | PassThrough) => ({
    server: server.address,
    ...(stdin === undefined ? {} : { stdin }),
  });
  const call = (method: string, ...rest: string[]) => runToEnd(['call', method, ...rest], options());
  const event = (context: string, payload: unknown, more: object = {}) => ({
    event: { context, topic: 't', issuer: 'i', payload, ...more },
  });
  const push = (context: string, payload: unknown, more: object = {}) =>
    call('EventService/PushEvent', JSON.stringify(event(context, payload, more)));

  it('makes a call of one request and one answer, whichever way the method is named', async () => {
    const context = randomUUID();
    const names = ['EventService/PushEvent', 'madeleine.v1.EventService/PushEvent', 'EventService.PushEvent'];
    for (const [index, name] of names.entries()) {
      const { code, stdout, stderr } = await call(name, JSON.stringify(event(context, { json: { n: index } })));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(ndjson(stdout)).toEqual([
        {
          event: {
            ...{ id: expect.stringMatching(/^\d+$/), position: expect.stringMatching(/^\d+$/), context, topic: 't' },
            ...{ status: 'EVENT_STATUS_OCCURRED', payload: { json: { n: index } }, issuer: 'i' },
            messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
            createdAt: expect.stringMatching(/^20.*Z$/),
            occurredAt: expect.stringMatching(/^20.*Z$/),
          },
          outcome: 'OUTCOME_OCCURRED',
        },
      ]);
    }
  });

  it('has every method of the contract, and says which there are', async () => {
    const { code, stdout } = await runToEnd(['call', '--help'], options());
    expect(code).toBe(0);
    const methods = loadContract();
    expect(methods.length).toBeGreaterThan(30);
    for (const method of methods) {
      expect(stdout).toContain(`  ${nameOf(method)} `);
      if (method.service.endsWith('CallbackService') || method.requestStream || method.responseStream) continue;
      const answer = await call(nameOf(method), '{}');
      // Whatever the server thinks of an empty request, it knows the method and could read it.
      expect(answer.stderr, nameOf(method)).not.toMatch(/UNIMPLEMENTED|INTERNAL/);
      expect([0, 1]).toContain(answer.code);
    }
    expect(stdout).toMatch(
      /EventService\/PushEventStream +stream PushEventStreamRequest -> stream PushEventStreamResponse/,
    );
    expect(stdout).toMatch(/EventService\/ReadEvents +ReadEventsRequest -> stream ReadEventsResponse/);
  });

  it('writes and reads times, durations, bytes, numbers of 64 bits and values as protobuf does', async () => {
    const context = randomUUID();
    const json = { s: 'ü\u0000', n: null, b: [true, 1.5, -0.25], o: {} };
    const system = { id: 's', name: 'n', time: '2026-11-21T10:45:03.000250Z', timezone: 'Europe/Vienna' };
    const pushed = ndjson((await push(context, { json }, { system, properties: { k: 'v' } })).stdout)[0];
    expect(pushed).toMatchObject({ event: { payload: { json }, system, properties: { k: 'v' } } });
    const bytes = { contentType: 'x/y', data: Buffer.from([0, 255, 10]).toString('base64') };
    const { stdout } = await push(context, { content_type: 'x/y', data: 'AP8K' });
    expect(ndjson(stdout)).toMatchObject([{ event: { payload: bytes } }]);
    const consumer = JSON.stringify({
      context,
      name: 'c',
      settings: { ack_timeout: '1.5s' },
      start: { afterPosition: 1 },
    });
    const [made] = ndjson((await call('ConsumerService/CreateConsumer', consumer)).stdout);
    expect(made).toMatchObject({ consumer: { offset: '1', settings: { ackTimeout: '1.500s', maxAttempts: 10 } } });
    const changed = JSON.stringify({ context, name: 'c', settings: { maxAttempts: 3 }, updateMask: 'maxAttempts' });
    const [updated] = ndjson((await call('ConsumerService/UpdateConsumer', changed)).stdout);
    expect(updated).toMatchObject({ consumer: { settings: { maxAttempts: 3, ackTimeout: '1.500s' } } });
    const earlier = JSON.stringify({
      filter: { context, startTime: '2020-01-01T00:00:00+01:00', beforePosition: '9007199254740993' },
    });
    expect(ndjson((await call('EventService/ListEvents', earlier)).stdout)).toMatchObject([{ events: [{}, {}] }]);
  });

  it.each([
    ['{"event": {"topik": "t"}}', /^madeleine: the request .*topik/],
    ['{"event": {"topic": 7}}', /topic/],
    ['{"expectedSequence": -1}', /expected_?[sS]equence/],
    ['{"expectedSequence": 9007199254740993}', /a number that a double does not hold exactly/],
    ['{"event": {"payload": {"json": {"n": 9007199254740993}}}}', /a number that a double does not hold exactly/],
    ['{"event": {"payload": {"data": "!"}}}', /data/],
    ['{"waitTimeout": "1 hour"}', /is no PushEventRequest: .*Duration/],
    ['{"event": {"topic": "\\ud800"}}', /surrogate/],
    ['{"event": {}, "event": {}}', /a key twice/],
    ['{"event": ', /is not JSON/],
    ['[]', /./],
  ])('refuses %s before it is sent, with what is wrong', async (request, said) => {
    const argv = ['call', 'EventService/PushEvent', request];
    const { code, stdout, stderr } = await runToEnd(argv, { server: '127.0.0.1:1' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(said);
    expect(stderr).toMatch(/^madeleine: [^\n]*\n$/);
  });

  it('tells the reason and the fields of a refusal', async () => {
    const { code, stdout, stderr } = await call(
      'EventService/PushEvent',
      '{"event": {"topic": "a\\nb", "issuer": " i"}}',
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^madeleine: FIELD_INVALID: [^\n]*event\.topic[^\n]*event\.issuer[^\n]*\n$/);
    const unknown = await call('EventService/GetEvent', '{"id": "999999999"}');
    expect(unknown).toMatchObject({ code: 1, stderr: 'madeleine: EVENT_UNKNOWN: there is no event 999999999\n' });
    const unserved = await call('CallbackService/OnEvent', '{}');
    expect(unserved).toMatchObject({ code: 1, stderr: expect.stringMatching(/^madeleine: UNIMPLEMENTED: /) });
  });

  it.each([
    ['EventService/PushEvnt', 'there is no method "EventService/PushEvnt": there are EventService/PushEvent, '],
    ['EventService', 'there are EventService/PushEvent, '],
    ['Nothing/At', 'there are AdminService, CallbackService, CawinService, '],
  ])('names the methods that there are instead of %s', async (name, said) => {
    expect(await call(name, '{}')).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
  });

  it('prints a stream of answers as it comes, until it has enough, or is interrupted', async () => {
    const context = randomUUID();
    for (const n of [1, 2, 3]) await push(context, { json: n });
    const some = await call('EventService/ReadEvents', JSON.stringify({ context, follow: true }), '--limit', '1');
    expect(some.code).toBe(0);
    expect(ndjson(some.stdout)).toHaveLength(1);
    const all = await call('EventService/ReadEvents', JSON.stringify({ context }));
    expect(all.code).toBe(0);
    const events = ndjson(all.stdout).flatMap((frame) => (frame.events ?? []) as { payload: unknown }[]);
    expect(events.map(({ payload }) => payload)).toEqual([{ json: 1 }, { json: 2 }, { json: 3 }]);
    const following = new RunningCli(
      ['call', 'EventService/ReadEvents', JSON.stringify({ context, follow: true })],
      options(),
    );
    await waitUntil(() => following.lines.length > 0, { what: 'the first frame' });
    await push(context, { json: 4 });
    await waitUntil(() => following.lines.join().includes('"json":4'), { what: 'the new event' });
    following.interrupt();
    expect(await following.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  it('takes a stream of requests line by line, and prints each answer when it is there', async () => {
    const context = randomUUID();
    const stdin = new PassThrough();
    const running = new RunningCli(['call', 'EventService/PushEventStream'], options(stdin));
    for (const batchId of [1, 2]) {
      stdin.write(`${JSON.stringify({ batchId, events: [event(context, { json: batchId })] })}\n`);
      await waitUntil(() => running.lines.length === batchId, { what: `answer ${batchId}` });
    }
    stdin.end();
    const { code, stdout } = await running.ended();
    expect(code).toBe(0);
    expect(ndjson(stdout)).toMatchObject([
      { batchId: '1', results: [{ receipt: { outcome: 'OUTCOME_OCCURRED' } }] },
      { batchId: '2', results: [{ receipt: { outcome: 'OUTCOME_OCCURRED' } }] },
    ]);
  });

  it('makes a call for each line of stdin, and stops at one that is no request', async () => {
    const context = randomUUID();
    const line = (n: number) => JSON.stringify(event(context, { json: n }));
    const lines = `\ufeff${line(1)}\r\n\r\n${line(2)}\n{"event": 3}\n${line(4)}\n`;
    const { code, stdout, stderr } = await runToEnd(['call', 'EventService/PushEvent'], options(lines));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^madeleine: line 4: the request /) });
    expect(ndjson(stdout).map((answer) => (answer.event as { payload: unknown }).payload)).toEqual([
      { json: 1 },
      { json: 2 },
    ]);
    const latin = new PassThrough();
    latin.end(Buffer.from('{"event": {"tag": "M\xfc"}}\n', 'latin1'));
    expect(await runToEnd(['call', 'EventService/PushEvent'], options(latin))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('line 1: the request is not UTF-8'),
    });
  });

  it('asks with an empty request where nothing is given', async () => {
    const { code, stdout } = await call('TopicService/ListTopics');
    expect(code).toBe(0);
    expect(ndjson(stdout)).toEqual([{}]);
  });

  it('ends with 5 when --timeout is over', async () => {
    const request = JSON.stringify({ context: randomUUID(), follow: true });
    const { code, stderr } = await call('EventService/ReadEvents', request, '--timeout', '300ms');
    expect({ code, stderr }).toEqual({ code: 5, stderr: 'madeleine: the server did not answer within 0.3 s\n' });
    expect(await call('TopicService/ListTopics', '{}', '--timeout', '25d')).toMatchObject({ code: 2 });
    for (const method of ['TopicService/ListTopics', 'EventService/ReadEvents']) {
      const none = { code: 5, stdout: '', stderr: 'madeleine: the server did not answer within 0 s\n' };
      expect(await call(method, '{}', '--timeout', '0s'), method).toEqual(none);
    }
  });
});
