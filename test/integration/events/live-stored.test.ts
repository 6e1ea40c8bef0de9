// What a live reader gets is what a later reader gets, byte for byte, by every way that events go out: whatever bytes they came in.

import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Event, type Payload } from '../../../generated/madeleine/v1/event.js';
import { asBuffer } from '../../../src/domain/json/bytes.js';
import { WireReader } from '../../../src/grpc/wire/wire-reader.js';
import { CAWIN_SETTINGS } from '../../support/cawins/cawin-scene.js';
import { GrpcReceiver } from '../../support/cawins/grpc-receiver.js';
import { Descriptors, delimited, type MethodInfo, type Tree, varint } from '../../support/contract/descriptors.js';
import { noisyValue } from '../../support/contract/noisy-values.js';
import { rawAnswers } from '../../support/contract/raw-call.js';
import { newEvent } from '../../support/events/builders.js';
import { seededRandom } from '../../support/random.js';
import { type ServerBeside, useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const EVENTS = 400;
const JSON_FORM = 1;
const BYTES_FORM = 2;
const ALL_STATUSES = [2, 3, 4];

const suite = useServer(CAWIN_SETTINGS);
const later = useServerBeside(suite, CAWIN_SETTINGS);
const descriptors = new Descriptors();
const receiver = new GrpcReceiver();
const ending = new AbortController();

/** Encoded events by their positions. */
type Events = Map<bigint, Buffer>;

const live: Record<string, Events> = {};

function methodOf(name: string): MethodInfo {
  const method = descriptors.methods.find((one) => one.name === name);
  if (method === undefined) throw new Error(`there is no ${name}`);
  return method;
}

/** The bytes of each occurrence of a field. */
function fieldsOf(message: Uint8Array, number: number): Buffer[] {
  const reader = new WireReader(asBuffer(message));
  const found: Buffer[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === ((number << 3) | 2)) found.push(reader.bytes());
    else reader.skip(tag);
  }
  return found;
}

function keep(into: Events, encoded: readonly Buffer[]): void {
  for (const event of encoded) into.set(Event.decode(event).position, Buffer.from(event));
}

/** Where the events lie in an answer of the call: field by field. */
const PLACES: Readonly<Record<string, readonly number[]>> = {
  'EventService/ReadEvents': [1],
  'EventService/WatchEvents': [1],
  'EventService/PushEvent': [1],
  'EventService/GetEvent': [1],
  'EventService/PeekEvent': [1],
  'EventService/ListEvents': [1],
  'ConsumerService/Subscribe': [1, 1],
  'ConsumerService/Fetch': [1, 1],
  'CawinService/WaitForEvent': [1],
  'CawinService/CheckOrWait': [2],
};

function eventsIn(call: string, answer: Uint8Array): Buffer[] {
  const path = PLACES[call] ?? [];
  return path.reduce<Buffer[]>((parts, number) => parts.flatMap((part) => fieldsOf(part, number)), [asBuffer(answer)]);
}

async function* answersOf(call: string, tree: Tree | Buffer, of: ServerBeside = suite): AsyncGenerator<Buffer[]> {
  const method = methodOf(call);
  const request = Buffer.isBuffer(tree) ? tree : descriptors.encode(method.request, tree);
  for await (const answer of rawAnswers(of.client, method, request, ending.signal)) yield eventsIn(call, answer);
}

/** Follows a stream until the end of the tests; resolves when its first frame is there. */
async function follow(call: string, name: string, tree: Tree): Promise<void> {
  const answers = answersOf(call, tree);
  const events: Events = new Map();
  live[name] = events;
  keep(events, (await answers.next()).value ?? []);
  void (async () => {
    for await (const found of answers) keep(events, found);
  })();
}

async function allOf(call: string, tree: Tree, of: ServerBeside): Promise<Events> {
  const events: Events = new Map();
  for await (const found of answersOf(call, tree, of)) keep(events, found);
  return events;
}

/** An event to push whose payload is encoded as no library would. */
function noisyPush(random: () => number, n: number): Buffer {
  const event = descriptors.encode('madeleine.v1.NewEvent', {
    ...{ topic: `noisy ${n % 3}`, issuer: 'shop', tag: `tag ${n}` },
    ...(n % 2 === 0 ? { properties: { b: '1', '10': '2', '9': '3', a: '' } } : {}),
    ...(n % 5 === 0 ? { system: { id: 'i', time: { seconds: 5n, nanos: 1_001 } }, trigger: {} } : {}),
    ...(n % 4 === 0 ? { message_id: randomUUID().toUpperCase(), session_id: 's', stream: `stream ${n % 7}` } : {}),
  });
  const payload = delimited(10, delimited(2, noisyValue(random)));
  const unknown = Buffer.concat([varint(900 << 3), varint(n)]);
  return delimited(1, Buffer.concat(n % 3 === 0 ? [payload, event, unknown] : [unknown, event, payload]));
}

const TEXTS = [
  '{"b":1,"a":2,"10":3,"9":4}',
  ' [ 1.0, 1e2, -0, 12345678901234567890 ] ',
  '{"a":1,"a":2}',
  '"\\ud800"',
  '{"\\u0061":"\\u00e9\\/"}',
  `${'['.repeat(40)}${']'.repeat(40)}`,
  '[1e400]',
];

/** Other ways in: bytes, JSON as a Value of 40 levels, other content types. */
function otherPushes(): Tree[] {
  const deep = Array.from({ length: 40 }).reduce<Tree>((inner) => ({ list_value: { values: [inner] } }), {
    null_value: 0,
  });
  const payloads: Tree[] = [
    ...TEXTS.map((text) => ({ data: Buffer.from(text) })),
    { json: deep },
    { data: Buffer.from([0, 255]), content_type: 'image/png' },
    { data: Buffer.from('{}'), content_type: 'application/vnd.x+json' },
  ];
  return payloads.map((payload) => ({ event: { topic: 'others', issuer: 'shop', payload } }));
}

async function push(request: Buffer | Tree): Promise<bigint> {
  const [event] = (await answersOf('EventService/PushEvent', request).next()).value ?? [];
  if (event === undefined) throw new Error('nothing was pushed');
  keep(live['PushEvent'] as Events, [event]);
  return Event.decode(event).id;
}

/** Awaits events by a description, over WaitForEvent and by a callback, and then has them occur. */
async function satisfyWaits(): Promise<void> {
  for (let n = 0; n < 5; n += 1) {
    const awaited = newEvent({ topic: 'awaited', description: { n, '10': true, '9': [] }, payload: undefined });
    const { event } = await suite.client.events.pushEvent({ event: awaited });
    const id = event?.id ?? 0n;
    const callback = { url: receiver.url(), secret: '', headers: {}, timeout: undefined };
    await suite.client.cawins.createCawin({ eventId: id, callback });
    await follow('CawinService/WaitForEvent', `WaitForEvent ${id}`, { event_id: id });
    const fields = {
      z: { number_value: 1 },
      n: { number_value: n },
      '10': { bool_value: true },
      '9': { list_value: {} },
    };
    const json = { struct_value: { fields } };
    await push({ event: { topic: 'awaited', issuer: 'shop', payload: { json } } });
  }
}

beforeAll(async () => {
  await receiver.start();
  live['PushEvent'] = new Map();
  const from = { context: 'all', statuses: ALL_STATUSES, follow: true };
  await follow('EventService/ReadEvents', 'ReadEvents', from);
  await follow('EventService/ReadEvents', 'ReadEvents, bytes', { ...from, payload_encoding: BYTES_FORM });
  await follow('EventService/WatchEvents', 'WatchEvents', { context: 'all' });
  const credit = { max_in_flight: 65_536, max_in_flight_bytes: 64n * 1024n * 1024n };
  await follow('ConsumerService/Subscribe', 'Subscribe', { consumer: 'live', context: 'all', ...credit });
  const random = seededRandom(20_261_127);
  for (let n = 0; n < EVENTS; n += 1) await push(noisyPush(random, n));
  for (const request of otherPushes()) await push(request);
  await satisfyWaits();
  const count = (live['PushEvent'] as Events).size;
  for (const name of ['ReadEvents', 'ReadEvents, bytes', 'WatchEvents', 'Subscribe'])
    await waitUntil(() => (live[name]?.size ?? 0) >= count, { what: `${name} has every event` });
  await waitUntil(() => receiver.received.length >= 5, { what: 'every callback has come' });
});

afterAll(() => {
  ending.abort();
  receiver.stop();
});

/** A description as it is awaited, with all that may be said of it. */
function awaitedPush(n: number): Tree {
  const description = { fields: { z: { number_value: n }, '10': { string_value: 'é' }, '9': { list_value: {} } } };
  const envelope = { session_id: 's', to: 't', tag: 'g', version: 7, traceparent: 'tp', tracestate: 'ts' };
  const system = { id: 'i', time: { seconds: 5n, nanos: 1_999 }, timezone: 'UTC' };
  return {
    event: { topic: 'never', issuer: 'shop', message_id: randomUUID(), description, system, trigger: {}, ...envelope },
  };
}

/** Where the two differ, in hex. */
function differences(one: Events, other: Events): string[] {
  return [...one].flatMap(([position, bytes]) => {
    const stored = other.get(position);
    return stored?.equals(bytes) ? [] : [`${position}: ${bytes.toString('hex')} / ${stored?.toString('hex')}`];
  });
}

/** The field `payload_sha256` of an event with this payload in bytes. */
function hashField({ body }: Payload): Buffer {
  const data = body?.$case === 'data' ? body.value : Buffer.alloc(0);
  return delimited(39, createHash('sha256').update(data).digest());
}

/** The same without what was awaited and until when, which callbacks tell of every event: their receivers know no other call. */
function withoutAwaited(events: Events): Events {
  const bare = [...events].map(([position, bytes]): [bigint, Buffer] => {
    const event = { ...Event.decode(bytes), description: undefined, expiresAt: undefined };
    return [position, Buffer.from(Event.encode(event).finish())];
  });
  return new Map(bare);
}

describe('an event as a live reader gets it', () => {
  const stored = (form: number) =>
    allOf('EventService/ReadEvents', { context: 'all', statuses: ALL_STATUSES, payload_encoding: form }, later);

  beforeAll(async () => {
    // A position that is named moves the head of the server that is asked.
    let last = 0n;
    for (const events of Object.values(live))
      for (const position of events.keys()) if (position > last) last = position;
    await allOf('EventService/ReadEvents', { context: 'all', after_position: last }, later);
  });

  it.each(['ReadEvents', 'WatchEvents', 'Subscribe'])('is the same as it is read later: %s', async (name) => {
    expect(differences(live[name] as Events, await stored(JSON_FORM))).toEqual([]);
  });

  it('is the same as it is read later, as bytes', async () => {
    expect(differences(live['ReadEvents, bytes'] as Events, await stored(BYTES_FORM))).toEqual([]);
  });

  it('is the same in the answer to its push', async () => {
    const [json, bytes] = [await stored(JSON_FORM), await stored(BYTES_FORM)];
    const pushed = live['PushEvent'] as Events;
    const isStored = ([position, event]: [bigint, Buffer]) =>
      json.get(position)?.equals(event) === true || bytes.get(position)?.equals(event) === true;
    expect([...pushed].filter((one) => !isStored(one))).toEqual([]);
  });

  it('is the same by a listing, by a fetch, and, with the hash of its payload behind it, by its id', async () => {
    const [json, asBytes] = [await stored(JSON_FORM), await stored(BYTES_FORM)];
    const filter = { context: 'all' };
    const listed = await allOf('EventService/ListEvents', { filter, page_size: 1_000 }, suite);
    const fetched = await allOf('ConsumerService/Fetch', { consumer: 'fetching', context: 'all', limit: 1_000 }, later);
    expect(listed.size).toBe(json.size);
    for (const found of [listed, fetched]) expect(differences(found, json)).toEqual([]);
    for (const [position, bytes] of json) {
      if (Event.decode(bytes).satisfiedIds.length > 0 || position % 20n !== 0n) continue;
      const found = await allOf('EventService/GetEvent', { id: Event.decode(bytes).id }, suite);
      const { payload } = Event.decode(asBytes.get(position) ?? Buffer.alloc(0));
      const hashed = payload === undefined ? bytes : Buffer.concat([bytes, hashField(payload)]);
      expect(differences(found, new Map([[position, hashed]]))).toEqual([]);
    }
  });

  it('is the same at the end of a wait', async () => {
    const waits = Object.entries(live).filter(([name]) => name.startsWith('WaitForEvent'));
    expect(waits).toHaveLength(5);
    for (const [name, events] of waits) {
      await waitUntil(() => [...events.keys()].some((position) => position > 0n), { what: `${name} has ended` });
      events.delete(0n);
      const again = await allOf('CawinService/WaitForEvent', { event_id: BigInt(name.split(' ')[1] ?? 0) }, later);
      expect(differences(events, again)).toEqual([]);
    }
  });

  it('is the same while it is awaited', async () => {
    for (const n of [1, 2]) {
      await answersOf('EventService/PushEvent', awaitedPush(n)).next();
      // Who asks for the same later raises its deadline.
      const [pushed] = (await answersOf('EventService/PushEvent', awaitedPush(n)).next()).value ?? [];
      const id = Event.decode(pushed ?? Buffer.alloc(0)).id;
      const ways: [string, Tree, ServerBeside][] = [
        ['EventService/GetEvent', { id }, later],
        ['CawinService/WaitForEvent', { event_id: id }, later],
      ];
      for (const [call, tree, server] of ways) {
        const [found] = (await answersOf(call, tree, server).next()).value ?? [];
        expect(found?.toString('hex'), call).toBe(pushed?.toString('hex'));
      }
      const listed = await allOf('EventService/ListEvents', { filter: { statuses: [1], topics: ['never'] } }, later);
      expect(listed.get(0n)).toBeDefined();
    }
  });

  it('is the same in a callback', async () => {
    const called: Events = new Map();
    for (const { bytes } of receiver.received) keep(called, fieldsOf(bytes, 6));
    expect(called.size).toBe(5);
    expect(differences(withoutAwaited(called), withoutAwaited(await stored(BYTES_FORM)))).toEqual([]);
  });

  it('can be decoded by clients that take 100 nested messages', async () => {
    for (const event of (await stored(JSON_FORM)).values()) expect(nesting(event)).toBeLessThan(97);
  });
});

/** How deep messages may lie in one another at most, whatever their types. */
function nesting(bytes: Buffer): number {
  const body = fieldsOf(bytes, 10).flatMap((payload) => fieldsOf(payload, 2));
  return 2 + Math.max(0, ...body.map((value) => valueNesting(value)));
}

function valueNesting(value: Buffer): number {
  const lists = fieldsOf(value, 6).flatMap((list) => fieldsOf(list, 1).map((item) => 2 + valueNesting(item)));
  const members = fieldsOf(value, 5).flatMap((struct) =>
    fieldsOf(struct, 1).flatMap((entry) => fieldsOf(entry, 2).map((item) => 3 + valueNesting(item))),
  );
  return Math.max(1, ...lists, ...members);
}
