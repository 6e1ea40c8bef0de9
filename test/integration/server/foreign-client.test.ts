// Clients that know nothing of our code: one that loads the .proto files at run time, and one that is no JavaScript and
// learns the contract by reflection.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Client, credentials, type GrpcObject, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { BadRequest, ErrorInfo } from 'nice-grpc-error-details';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: a dynamic client has no types; that is what is tested
type Message = any;
type Method = (request: Message, done: (error: ServiceError | null, response: Message) => void) => unknown;

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

describe('a client made by proto-loader alone', () => {
  const files = ['event_service', 'stream_service', 'consumer_service'].map((name) => `madeleine/v1/${name}.proto`);
  const definition = loadSync(files, {
    includeDirs: [PROTO],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const services = (loadPackageDefinition(definition).madeleine as GrpcObject).v1 as Record<
    string,
    new (
      address: string,
      credentials: unknown,
    ) => Client & Message
  >;
  const clients: Client[] = [];

  afterAll(() => {
    for (const client of clients) client.close();
  });

  function connect(service: string): Client & Message {
    const Service = services[service];
    if (Service === undefined) throw new Error(`no service ${service}`);
    const client = new Service(server.address, credentials.createInsecure());
    clients.push(client);
    return client;
  }

  const call = (client: Message, method: string, request: Message): Promise<Message> =>
    promisify((client[method] as Method).bind(client))(request);

  const pushTo = (client: Message, context: string, value: string, stream = '') =>
    call(client, 'PushEvent', {
      event: { context, topic: 'orders', issuer: 'loader', stream, payload: { json: { stringValue: value } } },
    });

  it('pushes, reads, and gets numbers of 64 bits and times whole', async () => {
    const events = connect('EventService');
    const { event, outcome } = await pushTo(events, 'loader', 'hello', 'order-1');
    expect(outcome).toBe('OUTCOME_OCCURRED');
    expect(event).toMatchObject({ topic: 'orders', stream: 'order-1', sequence: '1', status: 'EVENT_STATUS_OCCURRED' });
    const found = await call(events, 'GetEvent', { id: event.id });
    const hash = createHash('sha256').update('"hello"').digest();
    expect(found.event).toEqual({ ...event, payload_sha256: hash });
    expect(found.event.payload).toMatchObject({ body: 'json', json: { stringValue: 'hello' } });
    const { stream } = await call(connect('StreamService'), 'GetStream', { context: 'loader', name: 'order-1' });
    expect(stream).toMatchObject({ owner: 'loader', last_sequence: '1', last_position: event.position });
    expect(stream.last_event_at).toEqual(event.created_at);
  });

  it('is refused with status and details in trailers', async () => {
    const events = connect('EventService');
    const error: ServiceError = await call(events, 'PushEvent', { event: { topic: '' } }).catch((reason) => reason);
    expect(error.code).toBe(3);
    expect(error.metadata.get('grpc-status-details-bin')[0]?.toString()).toContain('FIELD_INVALID');
  });

  it('pushes batches on a stream and is answered for each', async () => {
    const stream = connect('EventService').PushEventStream();
    const answers: Message[] = [];
    stream.on('data', (answer: Message) => answers.push(answer));
    const push = (topic: string) => ({
      event: { context: 'loader', topic, issuer: 'loader', payload: { data: Buffer.from('1') } },
    });
    stream.write({ batch_id: '18446744073709551615', events: [push('a'), push('')] });
    stream.write({ batch_id: 2, events: [push('b')] });
    stream.end();
    await waitUntil(() => answers.length === 2, { what: 'two answers' });
    expect(answers[0]).toMatchObject({
      batch_id: '18446744073709551615',
      results: [{ result: 'receipt' }, { result: 'error', error: { code: 3, reason: 'FIELD_INVALID' } }],
    });
    expect(answers[1]).toMatchObject({
      batch_id: '2',
      results: [{ result: 'receipt', receipt: { outcome: 'OUTCOME_OCCURRED' } }],
    });
  });

  it('follows the log from its beginning into what comes', async () => {
    const events = connect('EventService');
    await pushTo(events, 'followed', 'old');
    const stream = events.ReadEvents({ context: 'followed', follow: true });
    const seen: string[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (frame: Message) =>
      seen.push(...frame.events.map((event: Message) => event.payload.json.stringValue)),
    );
    await waitUntil(() => seen.length === 1, { what: 'the stored event' });
    await pushTo(events, 'followed', 'new');
    await waitUntil(() => seen.length === 2, { what: 'the new event' });
    expect(seen).toEqual(['old', 'new']);
    stream.cancel();
  });

  it('subscribes and acknowledges', async () => {
    const events = connect('EventService');
    const consumers = connect('ConsumerService');
    for (const value of ['1', '2', '3']) await pushTo(events, 'consumed', value, 's');
    const stream = consumers.Subscribe({ context: 'consumed', consumer: 'reader' });
    const deliveries: Message[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (frame: Message) => deliveries.push(...frame.deliveries));
    await waitUntil(() => deliveries.length === 3, { what: 'three deliveries' });
    const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event.position, lease }));
    const { results, offset } = await call(consumers, 'Acknowledge', {
      context: 'consumed',
      consumer: 'reader',
      acknowledgements,
    });
    expect(results.map(({ status }: Message) => status)).toEqual(Array(3).fill('ACK_STATUS_ACCEPTED'));
    // The entry of the consumer's creation comes after them: it is not for it, and passed sooner or later.
    const last = BigInt(deliveries[2].event.position);
    expect([last, last + 1n]).toContain(BigInt(offset));
    stream.cancel();
  });
});

describe('buf curl, by reflection', () => {
  async function curl(method: string, request: object): Promise<{ code: number; stdout: string; stderr: string }> {
    const url = `http://${server.address}/${method}`;
    const options = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', '-d', JSON.stringify(request), url];
    return promisify(execFile)(BUF, options).then(
      (done) => ({ code: 0, ...done }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
  }

  it('lists the services and their methods', async () => {
    const list = (...options: string[]) =>
      promisify(execFile)(BUF, [
        'curl',
        '--protocol',
        'grpc',
        '--http2-prior-knowledge',
        ...options,
        `http://${server.address}`,
      ]);
    const { stdout: services } = await list('--list-services');
    for (const name of ['EventService', 'StreamService', 'ConsumerService'])
      expect(services).toContain(`madeleine.v1.${name}`);
    expect(services).toContain('grpc.health.v1.Health');
    const { stdout: methods } = await list('--list-methods');
    expect(methods).toContain('madeleine.v1.EventService/PushEventStream');
  });

  it('pushes an event and reads it back', async () => {
    const event = {
      context: 'curl',
      topic: 'orders',
      issuer: 'curl',
      payload: { json: { total: 7, lines: [null, 'é'] } },
    };
    const pushed = JSON.parse((await curl('madeleine.v1.EventService/PushEvent', { event })).stdout);
    expect(pushed).toMatchObject({ outcome: 'OUTCOME_OCCURRED', event: { ...event, status: 'EVENT_STATUS_OCCURRED' } });
    const read = JSON.parse(
      (await curl('madeleine.v1.EventService/ListEvents', { filter: { context: 'curl' } })).stdout,
    );
    expect(read.events).toEqual([pushed.event]);
  });

  it('is refused with the status as its exit code, and the details by name', async () => {
    const { code, stderr } = await curl('madeleine.v1.EventService/PushEvent', { event: { topic: 'orders' } });
    expect(code).toBe(24);
    expect(stderr).toContain('invalid_argument');
    // It shows what a detail says as it is encoded; grpcurl, which asks for its message by reflection, in clear.
    const { details } = JSON.parse(stderr) as { details: { type: string; value: string }[] };
    expect(details.map(({ type }) => type)).toEqual(['google.rpc.ErrorInfo', 'google.rpc.BadRequest']);
    const [info, request] = details.map(({ value }) => Buffer.from(value, 'base64'));
    expect(ErrorInfo.decode(info ?? Buffer.alloc(0))).toMatchObject({ reason: 'FIELD_INVALID', domain: 'madeleine' });
    const { fieldViolations } = BadRequest.decode(request ?? Buffer.alloc(0));
    expect(fieldViolations.map(({ field }) => field)).toContain('event.issuer');
  });

  it('fetches and acknowledges as a consumer', async () => {
    const event = { context: 'curl-consumer', topic: 'orders', issuer: 'curl', payload: { json: 1 } };
    await curl('madeleine.v1.EventService/PushEvent', { event });
    const consumer = { context: 'curl-consumer', consumer: 'shell' };
    const { deliveries } = JSON.parse((await curl('madeleine.v1.ConsumerService/Fetch', consumer)).stdout);
    expect(deliveries).toMatchObject([{ attempt: 1, event }]);
    const acknowledgements = [{ position: deliveries[0].event.position, lease: deliveries[0].lease }];
    const answer = JSON.parse(
      (await curl('madeleine.v1.ConsumerService/Acknowledge', { ...consumer, acknowledgements })).stdout,
    );
    expect(answer.results).toEqual([{ position: deliveries[0].event.position, status: 'ACK_STATUS_ACCEPTED' }]);
  });
});
