// Bad requests of every call, made from the descriptor set so that no call and no field is forgotten: each is accepted, or refused
// with a reason of the catalogue that names the field, and a refused one changes nothing.

import { createHash } from 'node:crypto';
import { inspect, isDeepStrictEqual } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Status } from 'nice-grpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerSettings, Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import { PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import { EntryKind } from '../../../src/domain/events/event.js';
import { SERVER_ISSUER } from '../../../src/domain/names.js';
import { ENDPOINT_TOPIC } from '../../../src/engine/cawins/endpoint-reports.js';
import {
  decodeCreateConsumer,
  decodeFetch,
  decodeListEvents,
  decodeReadEvents,
  decodeSubscribe,
  decodeUpdateConsumer,
  decodeWatchEvents,
} from '../../../src/grpc/wire/filter-decoders.js';
import { STATUS } from '../../../src/grpc/wire/status.js';
import { pushNumbers } from '../../support/consumers/consumer.js';
import { Descriptors, delimited, type MethodInfo, type Tree, varint } from '../../support/contract/descriptors.js';
import { type Mutation, mutations } from '../../support/contract/hostile.js';
import { rawCall } from '../../support/contract/raw-call.js';
import { type Refusal, refusalOf, take } from '../../support/contract/refusals.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { TestClient } from '../../support/server/server.js';
import { type Suite, useServer } from '../../support/server/suite.js';

const SETTINGS = { callbackAllow: '127.0.0.1', secretKey: 'ab'.repeat(32) };
const suite = useServer(SETTINGS);
/** Where it is found out which requests are no bad ones after all: what is accepted may change something. */
const scout = useServer(SETTINGS);
const descriptors = new Descriptors();
/** Of each server: tokens of pages, in the same order, and a connection to its database. */
const tokens = new Map<Suite, string[]>();
const connections = new Map<Suite, Connection>();
let calls = 0;
/** Requests that are under way at a time. */
const AT_ONCE = 8;

const PUSH: Tree = { event: { topic: 'orders', issuer: 'shop', payload: { json: { number_value: 1 } } } };
const newName = () => `made ${++calls}`;
/** Nobody listens there. */
const NOBODY = { url: 'http://127.0.0.1:9/' };

async function newCawin(client: TestClient): Promise<bigint> {
  const callback = { url: NOBODY.url, secret: '', headers: {}, timeout: undefined };
  const { cawin } = await client.cawins.createCawin({ eventId: 1n, callback, active: false });
  return cawin?.id ?? 0n;
}

async function newStream(client: TestClient, context = ''): Promise<string> {
  const stream = newName();
  await client.events.pushEvent({ event: newEvent({ context, stream }) });
  return stream;
}

/** In a context without consumers: of others each would be asked for what it has not passed. What goes of it is not the newest event. */
async function streamToTruncate(client: TestClient) {
  const context = 'truncated';
  const stream = await newStream(client, context);
  await client.events.pushEvent({ event: newEvent({}) });
  return { context, stream };
}

async function awaitedEvent(client: TestClient): Promise<bigint> {
  const event = newEvent({ description: { never: true }, payload: undefined });
  const answer = await client.events.pushEvent(PushEventRequest.fromPartial({ event } as PushEventRequest));
  return answer.event?.id ?? 0n;
}

/** A consumer, and events that it has parked. */
async function parkedPositions(client: TestClient, limit = 1) {
  const consumer = newName();
  const { deliveries } = await client.consumers.fetch({ consumer, limit });
  const positions = deliveries.map(({ event }) => event?.position ?? 0n);
  const rejections = positions.map((position) => ({ position, lease: 0n }));
  await client.consumers.reject({ consumer, rejections, verdict: Verdict.VERDICT_PARK });
  return { consumer, positions };
}

/** Parked events that nobody has taken yet, of each connection: to park many costs hardly more than to park one. */
const parked = new WeakMap<TestClient, { consumer: string; position: bigint }[]>();

async function parkedEvent(client: TestClient) {
  const known = parked.get(client)?.pop();
  if (known !== undefined) return known;
  const { consumer, positions } = await parkedPositions(client, 20);
  const [first, ...rest] = positions.map((position) => ({ consumer, position }));
  parked.set(client, [...(parked.get(client) ?? []), ...rest]);
  return first;
}

async function savedPlace(client: TestClient) {
  const place = { consumer: newName(), name: 'before' };
  await client.consumers.createConsumer({ name: place.consumer });
  await client.consumers.saveSnapshot(place);
  return place;
}

/** A topic that is registered. */
async function newTopic(client: TestClient, schema = ''): Promise<string> {
  const name = newName();
  await client.topics.registerTopic({ name, settings: { schema } });
  return name;
}

/** A shape that nobody needs. */
async function newShape(client: TestClient): Promise<bigint> {
  // A topic has places for 16.
  const topic = newName();
  const event = newEvent({ topic, payload: undefined, description: { never: true } });
  const { event: stored } = await client.events.pushEvent({ event });
  await client.events.invalidateEvent({ id: stored?.id ?? 0n });
  const { shapes } = await client.topics.listShapes({ topic });
  return shapes.at(-1)?.id ?? 0n;
}

/** A valid request of each call. What a call may create gets a new name each time, so that no former case decides this one. */
const BASES: Readonly<Record<string, (client: TestClient) => Tree | Promise<Tree>>> = {
  'EventService/PushEvent': () => PUSH,
  'EventService/PushEvents': () => ({ events: [PUSH] }),
  'EventService/PushEventStream': () => ({ batch_id: 1n, events: [PUSH] }),
  'EventService/GetEvent': () => ({ id: 1n }),
  'EventService/InvalidateEvent': async (client) => {
    const { event } = await client.events.pushEvent({ event: newEvent({}) });
    return { id: event?.id ?? 0n };
  },
  'EventService/EraseEvents': () => ({ data_subject: 'nobody' }),
  'EventService/ListEvents': () => ({}),
  'EventService/PeekEvent': () => ({}),
  'EventService/ReadEvents': () => ({}),
  'EventService/WatchEvents': () => ({}),
  'ConsumerService/Subscribe': () => ({ consumer: newName() }),
  'ConsumerService/Fetch': () => ({ consumer: newName() }),
  'ConsumerService/Acknowledge': () => ({ consumer: 'bound', acknowledgements: [{ position: 1n, lease: 999_999n }] }),
  'ConsumerService/Reject': () => ({
    ...{ consumer: 'bound', rejections: [{ position: 1n, lease: 999_999n }] },
    ...{ verdict: 1, delay: { seconds: 60n }, reason: 'no use', code: 'NO_USE' },
  }),
  'ConsumerService/ExtendAckDeadline': () => ({
    ...{ consumer: 'bound', positions: [{ position: 1n, lease: 999_999n }], extension: { seconds: 60n } },
  }),
  'ConsumerService/ListParkedEvents': () => ({ consumer: 'bound' }),
  'ConsumerService/ReplayParkedEvents': (client) => parkedPositions(client),
  'ConsumerService/DiscardParkedEvents': (client) => parkedPositions(client),
  'ConsumerService/ReplayEditedEvent': async (client) => ({
    ...(await parkedEvent(client)),
    event: { issuer: 'editor', payload: { json: { number_value: 2 } } },
  }),
  'ConsumerService/CreateConsumer': () => ({ name: newName() }),
  'ConsumerService/GetConsumer': () => ({ name: 'bound' }),
  'ConsumerService/ListConsumers': () => ({}),
  'ConsumerService/UpdateConsumer': () => ({
    name: 'updated',
    settings: { max_attempts: 5 },
    update_mask: { paths: ['max_attempts'] },
  }),
  'ConsumerService/DeleteConsumer': async (client) => {
    const name = newName();
    await client.consumers.createConsumer({ name });
    return { name };
  },
  'ConsumerService/PauseConsumer': () => ({ consumer: 'updated', reason: 'the relay moves', by: 'anna' }),
  'ConsumerService/ResumeConsumer': () => ({ consumer: 'updated', by: 'anna' }),
  'ConsumerService/ListOffsetMoves': () => ({ consumer: 'updated' }),
  'ConsumerService/SaveSnapshot': () => ({ consumer: 'updated', name: 'before', by: 'anna' }),
  'ConsumerService/RestoreSnapshot': async (client) => ({ ...(await savedPlace(client)), reason: 'again', by: 'anna' }),
  'ConsumerService/ListSnapshots': () => ({ consumer: 'updated' }),
  'ConsumerService/DeleteSnapshot': savedPlace,
  'ConsumerService/SeekConsumer': () => ({ name: 'updated', to: { earliest: {} } }),
  'StreamService/GetStream': () => ({ name: 'stream-1' }),
  'CawinService/CreateCawin': () => ({ event_id: 1n, callback: NOBODY }),
  'CawinService/CheckOrWait': () => ({
    ...{ topic: 'orders', issuer: 'shop', description: { fields: { n: { number_value: ++calls } } } },
    callback: NOBODY,
  }),
  'CawinService/WaitForEvent': () => ({ event_id: 1n }),
  'CawinService/GetCawin': async (client) => ({ id: await newCawin(client) }),
  'CawinService/ListCawins': () => ({}),
  'CawinService/UpdateCawin': async (client) => ({
    id: await newCawin(client),
    active: false,
    update_mask: { paths: ['active'] },
  }),
  'CawinService/DeleteCawin': async (client) => ({ id: await newCawin(client) }),
  'CawinService/ListAttempts': async (client) => ({ cawin_id: await newCawin(client) }),
  'CawinService/RetryCawin': async (client) => ({ id: await newCawin(client) }),
  'CawinService/ExplainWait': async (client) => ({ event_id: await awaitedEvent(client) }),
  'StreamService/ListStreams': () => ({}),
  'AdminService/GetServerInfo': () => ({}),
  'StreamService/TransferStream': async (client) => ({
    stream: await newStream(client),
    owner: 'shop',
    new_owner: 'web',
  }),
  'StreamService/TruncateStream': async (client) => ({
    ...(await streamToTruncate(client)),
    ...{ up_to_sequence: 1n, force: true },
  }),
  'AdminService/GetStats': () => ({ first_day: '2026-11-01', last_day: '2026-11-30' }),
  'AdminService/SearchEvents': () => ({ query: 'x' }),
  'TopicService/RegisterTopic': () => ({
    name: newName(),
    settings: { description_paths: ['/order/id', '/state'], schema: '{"type":"object"}', compatibility: 1 },
  }),
  'TopicService/UpdateTopic': async (client) => ({
    ...{ name: await newTopic(client), settings: { description_paths: ['/order/id'] } },
    update_mask: { paths: ['description_paths'] },
  }),
  'TopicService/UnregisterTopic': async (client) => ({ name: await newTopic(client) }),
  'TopicService/GetTopic': () => ({ name: 'orders' }),
  'TopicService/ListTopics': () => ({}),
  'TopicService/GetContext': () => ({}),
  'TopicService/UpdateContext': () => ({
    ...{ context: newName(), settings: { unregistered_topics: 1 } },
    update_mask: { paths: ['unregistered_topics'] },
  }),
  'TopicService/ListArchives': () => ({}),
  'TopicService/ListDiscardedSamples': () => ({}),
  'TopicService/PreviewRetention': async (client) => ({ name: await newTopic(client), settings: { ttl: '1day' } }),
  'TopicService/GetRetentionState': () => ({}),
  'TopicService/ResumeRetention': () => ({}),
  'TopicService/ListShapes': () => ({}),
  'TopicService/DropShape': async (client) => ({ id: await newShape(client) }),
  'TopicService/GetSchema': async (client) => ({ topic: await newTopic(client, 'true'), version: 1 }),
  'TopicService/ListSchemas': () => ({ topic: 'orders' }),
  'TopicService/CheckSchema': () => ({
    topic: 'orders',
    schema: '{"type":"object"}',
    compatibility: 1,
    last_events: 5,
  }),
};

const sums = (table: string, columns: string, where = '1') => `(SELECT CONCAT(COUNT(*), ' rows, sum ',
  COALESCE(BIT_XOR(CRC32(CONCAT_WS(0x00, ${columns}))), 0)) FROM ${table} WHERE ${where})`;
const BOUND = "SELECT id FROM consumer WHERE name = 'bound'";
/**
 * Rows that a refused call may not change. What the server tells of receivers that fail, the ends of waits and those of ephemeral
 * consumers whose member has left come at any time.
 */
const ROWS = `SELECT
  (SELECT MAX(position) FROM log WHERE kind = ${EntryKind.OCCURRED} AND issuer <> '${SERVER_ISSUER}') AS head,
  ${sums('cawin', 'id, active, notify_on, url')} AS cawins,
  ${sums('consumer', 'id, context, name, settings, generation, deleted_at IS NULL', 'ephemeral = 0')} AS consumers,
  ${sums('consumer_trouble', 'position, attempts, losses, not_before_ms, code, reason, state', `consumer_id = (${BOUND})`)} AS trouble,
  ${sums('stream', 'id, context_id, name, owner, epoch, former_owner, last_sequence')} AS streams,
  ${sums('topic', 'id, context_id, name', `name <> '${ENDPOINT_TOPIC}'`)} AS topics,
  ${sums('registered_topic', 'topic_id, description_paths, settings')} AS registered,
  ${sums('topic_schema', 'topic_id, version, digest')} AS topic_schemas,
  ${sums('identity_build', 'topic_id, build_id, description_paths')} AS builds,
  ${sums('context_setting', 'context_id, settings')} AS contexts,
  ${sums('shape', 'id, topic_id, digest')} AS shapes`;

afterAll(() => Promise.all([...connections.values()].map((connection) => connection.end())));

/** What refused calls may not change, read from the tables. */
async function snapshot(place: Suite): Promise<Record<string, unknown>> {
  const [rows] = (await connections.get(place)?.query<RowDataPacket[]>(ROWS))?.[0] ?? [];
  const { consumer: bound } = await place.client.consumers.getConsumer({ name: 'bound' });
  return { ...rows, bound: { offset: bound?.offset, inFlight: bound?.inFlight } };
}

const CODES = new Map<string, string>(Object.entries(STATUS).map(([reason, code]) => [reason, Status[code]]));

/** What is wrong with a refusal; undefined: nothing. */
function refusalFault(refusal: Refusal, { path, alternatives, undecodable }: Mutation): string | undefined {
  const { status, reason, fields } = refusal;
  if (CODES.get(reason ?? '') !== status)
    return `is answered ${status} with reason ${reason}: ${refusal.message.slice(0, 200)}`;
  if (fields.length > 100) return `is answered with ${fields.length} violations`;
  if (status !== 'INVALID_ARGUMENT' && status !== 'UNIMPLEMENTED') return undefined;
  const named = fields.some((field) =>
    [path, ...alternatives].some((own) => isWithin(field, own) || isWithin(own, field)),
  );
  const unnamed = undecodable && fields.includes('request');
  return named || unnamed ? undefined : `names ${JSON.stringify(fields)}`;
}

function isWithin(inner: string, outer: string): boolean {
  const start = outer.replace(/\[0\]$/, '');
  return inner.startsWith(`${start}.`) || inner.startsWith(`${start}[`) || inner === start;
}

beforeAll(async () => {
  for (const place of [suite, scout]) {
    connections.set(place, await createConnection(place.database.adminUrl));
    tokens.set(place, await furnish(place));
  }
});

/** Makes what the requests name; returns tokens of pages. */
async function furnish({ client }: Suite): Promise<string[]> {
  await pushNumbers(client.events, 20, (n) => ({ stream: `stream-${n % 3}` }));
  const settings = ConsumerSettings.fromPartial({ ackTimeout: { seconds: 3_600n } });
  for (const name of ['bound', 'updated']) await client.consumers.createConsumer({ name, settings });
  await client.consumers.fetch({ consumer: 'bound', limit: 3 });
  return [
    (await client.events.listEvents({ pageSize: 1 })).nextPageToken,
    (await client.streams.listStreams({ pageSize: 1 })).nextPageToken,
    (await client.topics.listTopics({ pageSize: 1 })).nextPageToken,
    (await client.consumers.listConsumers({ pageSize: 1 })).nextPageToken,
  ];
}

describe('a bad request', () => {
  it('is tried on every call of the contract', () => {
    expect(Object.keys(BASES).sort()).toEqual(descriptors.methods.map(({ name }) => name).sort());
  });

  it.each(descriptors.methods)(
    'of $name is refused with a reason and its field, and changes nothing',
    async (method) => {
      const { answers, isChanged } = await answersOnScout(method);
      expect(answers.flatMap(faultOf)).toEqual([]);
      // Where nothing has changed, nothing was changed by what was refused.
      if (isChanged) expect(await changesByRefused(method, answers)).toEqual([]);
      expect(await rawCall(suite.client, method, await encodedBase(method))).toBeUndefined();
    },
  );
});

describe('a Value without a kind', () => {
  const cases = descriptors.methods.flatMap((method) =>
    mutations(descriptors, method.request)
      .filter(({ what }) => what.startsWith('a value without a kind'))
      // An edited event has no description, whatever is in it.
      .filter(({ path }) => method.name !== 'ConsumerService/ReplayEditedEvent' || path !== 'event.description')
      .map((mutation) => ({ name: `${method.name}: ${mutation.what} at ${mutation.path}`, method, mutation })),
  );

  it('is tried wherever a request has a Value or a Struct', () => {
    const calls = new Set(cases.map(({ method }) => method.name.split('/')[1]));
    expect([...calls].sort()).toEqual([
      ...['CheckOrWait', 'CreateConsumer', 'Fetch', 'ListEvents', 'PushEvent', 'PushEventStream', 'PushEvents'],
      ...['ReadEvents', 'ReplayEditedEvent', 'SearchEvents', 'Subscribe', 'UpdateConsumer', 'WatchEvents'],
    ]);
  });

  it.each(cases)('is refused: $name', async ({ method, mutation }) => {
    const refusal = await rawCall(suite.client, method, await encodedBase(method, mutation.apply));
    expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [mutation.path] });
    expect(refusal?.message).toContain('Value without a kind');
  });
});

describe('bytes that are no request', () => {
  const random = randomBytesOf(20_260_101);
  const cases: [string, Buffer][] = [
    ['a length beyond the end', Buffer.from([0x0a, 0xff, 0xff])],
    ['field number 0', Buffer.from([0, 0x0a, 1, 0x61])],
    ['the end of a group that never began', Buffer.from([0x0c, 0x0a, 1, 0x61])],
    ['a group that never ends', Buffer.from([0x0b])],
    ['groups a million levels deep', Buffer.alloc(1_000_000, 0x0b)],
    ['a number of eleven bytes', Buffer.concat([Buffer.from([0xf8, 0x7f]), Buffer.alloc(11, 0xff)])],
    ['an unknown wire type', Buffer.from([0xff, 0x7f])],
    ['messages in messages 100,000 deep', deepMessages(100_000)],
    ...Array.from({ length: 40 }, (_, n): [string, Buffer] => [`random bytes ${n}`, random(1 + n * 5)]),
  ];

  it.each(descriptors.methods)('are refused by $name, or read as one', async (method) => {
    const faults: string[] = [];
    for (const [what, bytes] of cases) {
      const refusal = await rawCall(suite.client, method, bytes);
      if (refusal === undefined) continue;
      if (CODES.get(refusal.reason ?? '') !== refusal.status) faults.push(`${what}: ${JSON.stringify(refusal)}`);
    }
    expect(faults).toEqual([]);
    for (const [what, bytes] of cases.slice(0, 5)) {
      expect((await rawCall(suite.client, method, bytes))?.fields, what).toEqual(['request']);
    }
  });

  it.each(descriptors.methods)('are refused by $name above 4 MiB, compressed or not', async (method) => {
    const client = new TestClient(suite.server.address, { 'grpc.default_compression_algorithm': 2 });
    const huge = delimited(15_000, Buffer.alloc(4 * 1024 * 1024));
    for (const sender of [suite.client, client]) {
      expect(await rawCall(sender, method, huge)).toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
      expect(await rawCall(sender, method, await encodedBase(method))).toBeUndefined();
    }
    client.close();
  });
});

describe('a page token', () => {
  let epoch = 0n;
  beforeAll(async () => {
    const subscriber = suite.client.consumers.subscribe({ consumer: newName() });
    for await (const { frame } of subscriber) {
      if (frame?.$case === 'opened') epoch = frame.value.logEpoch;
      break;
    }
  });
  const forged = (request: unknown, body: string) => {
    const text = body.replace('EPOCH', String(epoch));
    const seal = createHash('sha256').update(JSON.stringify(request)).update('\u0000').update(text).digest('base64url');
    return Buffer.from(JSON.stringify([seal.slice(0, 16), text])).toString('base64url');
  };

  it.each([
    ['that is no list', '"x"'],
    ['that is nothing', 'null'],
    ['that is not JSON', '['],
    ['without a cursor', '[1,EPOCH]'],
    ['with a text for a position', '[1,EPOCH,"1 OR 1=1"]'],
    ['with a list', '[1,EPOCH,[1]]'],
    ['with a negative position', '[1,EPOCH,-1]'],
    ['with a fraction', '[1,EPOCH,1.5]'],
    ['with a position beyond 2^53', '[1,EPOCH,1e300]'],
  ])('made by hand %s is refused', async (_what, body) => {
    const { events, streams, topics, consumers } = suite.client;
    const list = { context: 'default', owner: '', namePrefix: '' };
    const calls = [
      events.listEvents({ pageToken: forged(['ListEvents', { context: 'default' }, false, 0, 'undefined'], body) }),
      streams.listStreams({ pageToken: forged(['ListStreams', list], body) }),
      topics.listTopics({ pageToken: forged(['ListTopics', { context: 'default', namePrefix: '' }], body) }),
      consumers.listConsumers({ pageToken: forged(['ListConsumers', 'default', ''], body) }),
    ];
    for (const call of calls) {
      expect(await refusalOf(call)).toMatchObject({ reason: 'PAGE_TOKEN_INVALID', fields: ['page_token'] });
    }
  });

  it('made by hand with the right cursor is as good as ours', async () => {
    const request = ['ListEvents', { context: 'default' }, false, 0, 'undefined'];
    const { events } = await suite.client.events.listEvents({
      pageToken: forged(request, '[1,EPOCH,3]'),
      pageSize: 1,
    });
    expect(events.map(({ position }) => position)).toEqual([4n]);
  });
});

describe('found before', () => {
  it('a refusal that quotes its input stays small enough for headers', async () => {
    const topics = Array.from({ length: 100 }, (_, n) => `${'é'.repeat(120)}${n}`);
    const settings = (changes: object) =>
      ConsumerSettings.fromPartial({ filter: { streams: topics, tags: topics, ...changes } });
    await suite.client.consumers.createConsumer({ name: 'wide', settings: settings({ topics }) });
    const other = suite.client.consumers.createConsumer({ name: 'wide', settings: settings({}) });
    const differing = await refusalOf(other);
    expect(differing).toMatchObject({ reason: 'SETTINGS_DIFFER', fields: ['settings.filter.topics'] });
    const mask = suite.client.consumers.updateConsumer({ name: 'wide', updateMask: ['é'.repeat(1_000_000)] });
    const unknown = await refusalOf(mask);
    expect(unknown).toMatchObject({ reason: 'FIELD_INVALID', fields: ['update_mask.paths[0]'] });
    for (const { message } of [differing, unknown]) expect(Buffer.byteLength(message)).toBeLessThanOrEqual(600);
  });

  it('a page of the widest consumers fits into an answer', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `${'x'.repeat(250)}${n}`);
    const settings = ConsumerSettings.fromPartial({
      filter: { topics: names, streams: names, issuers: names, tags: names },
    });
    for (let n = 0; n < 45; n += 1)
      await suite.client.consumers.createConsumer({ context: 'wide', name: `${n}`, settings });
    const seen: string[] = [];
    let pages = 0;
    for (let pageToken = ''; pages === 0 || pageToken !== ''; pages += 1) {
      const page = await suite.client.consumers.listConsumers({ context: 'wide', pageSize: 1_000, pageToken });
      seen.push(...page.consumers.map(({ name }) => name));
      pageToken = page.nextPageToken;
    }
    expect(new Set(seen).size).toBe(45);
    expect(seen).toHaveLength(45);
  });

  it('pages and frames of the widest events fit into a message', async () => {
    const { events } = suite.client;
    const properties = Object.fromEntries(['a', 'b', 'c'].map((key) => [key, 'v'.repeat(4_096)]));
    const zeros = bytesPayload(`[${'0,'.repeat(50_000)}0]`);
    const drafts = [
      ...Array.from({ length: 300 }, () => newEvent({ context: 'broad', properties })),
      ...Array.from({ length: 12 }, () => newEvent({ context: 'broad', payload: zeros })),
    ];
    for (let at = 0; at < drafts.length; at += 100)
      await events.pushEvents({ events: drafts.slice(at, at + 100).map((event) => ({ event })) });
    const expected = Array.from({ length: 312 }, (_, n) => BigInt(n));
    for (const newestFirst of [false, true]) {
      const listed: bigint[] = [];
      for (let pageToken = '', first = true; first || pageToken !== ''; first = false) {
        const page = await events.listEvents({ filter: { context: 'broad' }, pageSize: 1_000, newestFirst, pageToken });
        listed.push(...page.events.map(({ position }) => position));
        pageToken = page.nextPageToken;
      }
      const ascending = newestFirst ? listed.toReversed() : listed;
      expect(ascending.map((position) => position - (ascending[0] ?? 0n))).toEqual(expected);
    }
    const read = await take(events.readEvents({ context: 'broad', batchSize: 1_000 }), () => false);
    expect(read.flatMap((frame) => frame.events)).toHaveLength(312);
  });

  it('the widest envelope is stored as it is', async () => {
    const properties = Object.fromEntries(['a', 'b', 'c'].map((key) => [key, '\u0000'.repeat(4_096)]));
    const { event } = await suite.client.events.pushEvent({ event: newEvent({ properties, tag: '😀'.repeat(63) }) });
    const stored = await suite.client.events.getEvent({ key: { $case: 'id', value: event?.id ?? 0n } });
    expect(stored.event?.properties).toEqual(properties);
  });

  it('a property named __proto__ filters like any other', () => {
    // Clients with objects for maps cannot even send it: the bytes are decoded here.
    const properties = Object.fromEntries([
      ['plain', 'a'],
      ['__proto__', 'b'],
    ]);
    const bytes = descriptors.encode('madeleine.v1.ListEventsRequest', { filter: { context: 'c', properties } });
    const { filter } = decodeListEvents(bytes);
    expect(filter?.context).toBe('c');
    expect(Object.entries(filter?.properties ?? {})).toEqual([
      ['plain', 'a'],
      ['__proto__', 'b'],
    ]);
  });

  it.each([
    ['ListEventsRequest', decodeListEvents, ['filter']],
    ['ReadEventsRequest', decodeReadEvents, []],
    ['ReadEventsRequest', decodeReadEvents, ['filter']],
    ['WatchEventsRequest', decodeWatchEvents, ['filter']],
    ['SubscribeRequest', decodeSubscribe, ['settings', 'filter']],
    ['SubscribeRequest', decodeSubscribe, ['settings', 'where']],
    ['FetchRequest', decodeFetch, ['settings', 'filter']],
    ['FetchRequest', decodeFetch, ['settings', 'where']],
    ['CreateConsumerRequest', decodeCreateConsumer, ['settings', 'filter']],
    ['CreateConsumerRequest', decodeCreateConsumer, ['settings', 'where']],
    ['UpdateConsumerRequest', decodeUpdateConsumer, ['settings', 'filter']],
    ['UpdateConsumerRequest', decodeUpdateConsumer, ['settings', 'where']],
  ] as const)('a description with a member __proto__ is kept whole in %s', (name, decode, path) => {
    const fields = Object.fromEntries([
      ['a', { number_value: 1 }],
      ['__proto__', { number_value: 2 }],
    ]);
    const nested = path.reduceRight<Tree>((inner, field) => ({ [field]: inner }), { description: { fields } });
    const decoded = decode(descriptors.encode(`madeleine.v1.${name}`, nested)) as unknown as Record<string, never>;
    const holder = path.reduce((message, field) => message[field] as never, decoded);
    expect(JSON.stringify(holder['description'])).toBe('{"__proto__":2,"a":1}');
  });
});

/** A field 1 in a field 1 and so on: nested as deep as no message is. */
function deepMessages(levels: number): Buffer {
  const heads: Buffer[] = [];
  for (let level = 0, size = 0; level < levels; level += 1) {
    const head = Buffer.concat([Buffer.from([0x0a]), varint(size)]);
    heads.push(head);
    size += head.length;
  }
  return Buffer.concat(heads.reverse());
}

/** Bytes that are the same in every run. */
function randomBytesOf(seed: number): (size: number) => Buffer {
  let state = seed;
  return (size) =>
    Buffer.from(
      Array.from({ length: size }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return state >>> 24;
      }),
    );
}

async function encodedBase(method: MethodInfo, change = (tree: Tree) => tree): Promise<Buffer> {
  return descriptors.encode(method.request, change(await baseOf(suite.client, method)));
}

async function baseOf(client: TestClient, method: MethodInfo): Promise<Tree> {
  const base = BASES[method.name];
  if (base === undefined) throw new Error(`${method.name} has no valid request in the table`);
  return base(client);
}

/**
 * Answers to all changed requests, some at a time, in their order. Each worker has a connection of its own: one on which many streams are cut
 * off is handed over, and calls would come in between.
 */
async function answersTo(
  place: Suite,
  all: readonly Mutation[],
  answer: (mutation: Mutation, client: TestClient) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let next = 0;
  const work = async () => {
    const client = new TestClient(place.server.address);
    for (let index = next++; index < all.length; index = next++)
      answers[index] = await answer(all[index] as Mutation, client);
    client.close();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
}

interface Answer {
  readonly mutation: Mutation;
  /** Undefined: it was accepted; a text: how it failed. */
  readonly refusal: Refusal | string | undefined;
}

async function answerTo(client: TestClient, method: MethodInfo, base: Tree, mutation: Mutation): Promise<Answer> {
  try {
    const bytes = descriptors.encode(method.request, mutation.apply(base));
    return { mutation, refusal: await rawCall(client, method, bytes) };
  } catch (error) {
    return { mutation, refusal: (error as Error).message.slice(0, 300) };
  }
}

/** The answers to all changed requests, each made of a valid one that no accepted one before was made of. */
async function answersOnScout(method: MethodInfo) {
  const bases = new Map<TestClient, Tree>();
  const before = await snapshot(scout);
  const answers = await answersTo(scout, mutationsOf(method, scout), async (mutation, client) => {
    const base = bases.get(client) ?? (await baseOf(client, method));
    bases.set(client, base);
    const answer = await answerTo(client, method, base, mutation);
    if (answer.refusal === undefined) bases.delete(client);
    return answer;
  });
  return { answers, isChanged: changesBetween(before, await snapshot(scout)) !== '' };
}

function mutationsOf({ request }: MethodInfo, place: Suite): Mutation[] {
  return mutations(descriptors, request, tokens.get(place));
}

/**
 * What the refused requests change where nothing else comes between two looks. All are made of one valid request, which is still accepted
 * afterwards. Where something has changed, which of them did it is found one by one.
 */
async function changesByRefused(method: MethodInfo, onScout: readonly Answer[]): Promise<string[]> {
  const bad = mutationsOf(method, suite).filter((_, index) => onScout[index]?.refusal !== undefined);
  const base = await baseOf(suite.client, method);
  const before = await snapshot(suite);
  const answers = await answersTo(suite, bad, (mutation, client) => answerTo(client, method, base, mutation));
  const changes = changesBetween(before, await snapshot(suite));
  // What other calls left on the other server may have been why it was refused there.
  if (answers.some(({ refusal }) => refusal === undefined)) return changesByRefused(method, onThis(onScout, answers));
  const last = await rawCall(suite.client, method, descriptors.encode(method.request, base));
  return [
    ...answers.flatMap(faultOf),
    ...(changes === '' ? [] : [changes, ...(await changesOneByOne(method, bad))]),
    ...(last === undefined ? [] : [`the valid request is refused then: ${last.message}`]),
  ];
}

/** The answers, of which those that were refused on the other server are as they are on this one. */
function onThis(onScout: readonly Answer[], answers: readonly Answer[]): readonly Answer[] {
  const here = [...answers];
  return onScout.map((answer) => (answer.refusal === undefined ? answer : (here.shift() ?? answer)));
}

async function changesOneByOne(method: MethodInfo, bad: readonly Mutation[]): Promise<string[]> {
  const found: string[] = [];
  for (const mutation of bad) {
    const base = await baseOf(suite.client, method);
    const before = await snapshot(suite);
    await answerTo(suite.client, method, base, mutation);
    const changes = changesBetween(before, await snapshot(suite));
    if (changes !== '') found.push(inWords(mutation, `changed ${changes}`));
  }
  return found;
}

/** The parts that differ, as they were and as they are. */
function changesBetween(before: Record<string, unknown>, after: Record<string, unknown>): string {
  const parts = Object.keys(before).filter((part) => !isDeepStrictEqual(before[part], after[part]));
  return parts.map((part) => `${part}: ${inspect([before[part], after[part]], { depth: 5 })}`).join(', ');
}

/** What is wrong with an answer. */
function faultOf({ mutation, refusal }: Answer): string[] {
  if (refusal === undefined) return mutation.undecodable ? [inWords(mutation, 'is accepted')] : [];
  const fault = typeof refusal === 'string' ? `fails: ${refusal}` : refusalFault(refusal, mutation);
  return fault === undefined ? [] : [inWords(mutation, fault)];
}

function inWords({ path, what }: Mutation, fault: string): string {
  return `${path} with ${what} ${fault}`;
}
