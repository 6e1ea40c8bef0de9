// What receivers are told, by every way and for every end of an event: the same content, as docs/callbacks.md shows it.

import { readFileSync } from 'node:fs';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Callback,
  CheckOrWaitRequest,
  CreateCawinRequest,
} from '../../../generated/madeleine/v1/cawin_service.js';
import { EventStatus, NewEvent } from '../../../generated/madeleine/v1/event.js';
import { PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import { code, rowsOf } from '../../docs/markdown-tables.js';
import { CAWIN_SETTINGS, callbackTo, SECRET } from '../../support/cawins/cawin-scene.js';
import { GrpcReceiver } from '../../support/cawins/grpc-receiver.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import { PrivateRabbitmq } from '../../support/cawins/private-rabbitmq.js';
import { Descriptors } from '../../support/contract/descriptors.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

type Json = { readonly [member: string]: unknown };

const PAGE = readFileSync(new URL('../../../docs/callbacks.md', import.meta.url), 'utf8');
const descriptors = new Descriptors();
const DESCRIPTION = { order: 7, state: 'paid' };
const PAYLOAD = '{"order": 7, "state": "paid", "amount": 12.50}';
const REASON = 'the order was cancelled';

const ENDS = ['occurred', 'expired', 'invalidated'] as const;
type End = (typeof ENDS)[number];

const broker = new PrivateRabbitmq();
const webhooks = new HttpReceiver();
const calls = new GrpcReceiver();
let database: TestDatabase;
let server: TestServer;
let client: TestClient;
let model: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  await Promise.all([broker.start(), webhooks.start(), calls.start()]);
  database = await createTestDatabase();
  server = await startServer({ databaseUrl: database.url, ...CAWIN_SETTINGS, amqpUrl: broker.url });
  client = new TestClient(server.address);
  model = await connect(broker.url);
  channel = await model.createChannel();
  await channel.assertQueue('told');
}, 90_000);

afterAll(async () => {
  client?.close();
  await server?.stop();
  await model?.close();
  await broker.stop();
  calls.stop();
  await webhooks.stop();
  await database?.drop();
});

/** Makes a wait with a callback end; each in a context of its own, so that they do not share it. */
async function end(how: End, callback: Callback, context: string): Promise<void> {
  const waitTimeout = how === 'expired' ? { seconds: 0n, nanos: 50_000_000 } : undefined;
  const request = { context, topic: 'payments', issuer: 'shop', description: DESCRIPTION, callback, waitTimeout };
  const { event } = await client.cawins.checkOrWait(CheckOrWaitRequest.fromPartial(request));
  if (how === 'invalidated') await client.events.invalidateEvent({ id: event?.id ?? 0n, reason: REASON });
  if (how !== 'occurred') return;
  const payload = { contentType: '', body: { $case: 'data', value: Buffer.from(PAYLOAD) } } as const;
  await client.events.pushEvent({ event: { context, topic: 'payments', issuer: 'bank', payload } });
}

const receive = {
  http: async (how: End): Promise<Json> => {
    const before = webhooks.received.length;
    await end(how, callbackTo(webhooks.url(), { secret: SECRET }), `http-${how}`);
    const { body } = await waitUntil(() => webhooks.received[before], { what: 'a webhook' });
    return JSON.parse(body.toString());
  },
  amqp: async (how: End): Promise<Json> => {
    await end(how, callbackTo('amqp:/told', { secret: SECRET }), `amqp-${how}`);
    const message = await waitUntil(() => channel.get('told', { noAck: true }), { what: 'a message' });
    return JSON.parse(message.content.toString());
  },
  grpc: async (how: End): Promise<Json> => {
    const before = calls.received.length;
    await end(how, callbackTo(calls.url(), { secret: SECRET }), `grpc-${how}`);
    const { bytes } = await waitUntil(() => calls.received[before], { what: 'a call' });
    return descriptors.toJSON('madeleine.v1.OnEventRequest', bytes) as Json;
  },
};

/** Members that are others in every run. */
const VARIABLE = /^(id|\w*Id|cawinid|eventid|awaitedid|messageid|position|time|\w+[aA]t|deadline|signed)$/;

/** The message with its variable members as what they are, so that two runs compare equal. */
function steady(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => steady(item));
  if (VARIABLE.test(name)) return `<${/^\d{4}-.*Z$/.test(String(value)) ? 'time' : typeof value}>`;
  if (typeof value === 'string') return value.replace(/\b(http|amqp|grpc)-\w+$/, 'default');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, steady(member, key)]));
}

/** The page's example of a way and an end. */
function example(way: string, how: End): unknown {
  const [, text] = new RegExp(`\`\`\`json ${way} ${how}\\n([\\s\\S]*?)\`\`\``).exec(PAGE) ?? [];
  if (text === undefined) throw new Error(`docs/callbacks.md has no example of ${way} ${how}`);
  return JSON.parse(text);
}

/** The rows of the page that say where in a CloudEvent a field of the contract is. */
const FIELDS = rowsOf(PAGE, /^`[a-z0-9_.]+`$/).map(([field, attribute = '']) => ({ field: code(field), attribute }));

describe.each(ENDS)('what is told of an event that has %s', (how) => {
  it('is by webhook and by AMQP what the page shows', async () => {
    const [webhook, message] = [await receive.http(how), await receive.amqp(how)];
    expect(steady(webhook)).toEqual(steady(example('webhook', how)));
    expect(steady(message)).toEqual(steady(webhook));
  });

  it('is by gRPC what the page shows', async () => {
    expect(steady(await receive.grpc(how))).toEqual(steady(example('grpc', how)));
  });

  it('is the same by each way, member by member', async () => {
    const [webhook, call] = [await receive.http(how), await receive.grpc(how)];
    for (const { field, attribute } of FIELDS.filter((row) => code(row.attribute) !== row.attribute)) {
      const told = valueAt(call, field);
      const same = attributeText(webhook, code(attribute));
      expect(same === undefined, `${field} and ${attribute}`).toBe(told === undefined);
      if (told === undefined || VARIABLE.test(code(attribute))) continue;
      expect(steady(same), field).toBe(steady(wireText(field, told)));
    }
  });
});

describe('what is told', () => {
  const callback = () => callbackTo(webhooks.url());
  const received = async (count: number, from: number): Promise<Json[]> => {
    await waitUntil(() => webhooks.received.length >= from + count, { what: `${count} webhooks` });
    return webhooks.received.slice(from).map(({ body }) => JSON.parse(body.toString()));
  };
  const wait = async (context: string, description: object) => {
    const request = { context, topic: 'payments', issuer: 'shop', description, callback: callback() };
    const { event } = await client.cawins.checkOrWait(CheckOrWaitRequest.fromPartial(request as never));
    return event?.id ?? 0n;
  };
  const occur = async (context: string) => {
    const payload = { contentType: '', body: { $case: 'data', value: Buffer.from(PAYLOAD) } } as const;
    const { event } = await client.events.pushEvent({ event: { context, topic: 'payments', issuer: 'bank', payload } });
    return event?.id ?? 0n;
  };

  it('is the own description of each who waited, where one push ended several waits', async () => {
    const from = webhooks.received.length;
    const ids = [await wait('several', { order: 7 }), await wait('several', { state: 'paid' })];
    await occur('several');
    const told = await received(2, from);
    const descriptions = new Map(told.map(({ awaitedid, description }) => [awaitedid, description]));
    expect(descriptions).toEqual(
      new Map([
        [String(ids[0]), '{"order":7}'],
        [String(ids[1]), '{"state":"paid"}'],
      ]),
    );
    expect(new Set(told.map(({ eventid }) => eventid))).toEqual(new Set([String(ids[0])]));
    expect(told.map(({ satisfiedids }) => satisfiedids)).toEqual([String(ids[1]), String(ids[1])]);
  });

  it('is the own deadline of a cawin, where that one passed', async () => {
    const event = NewEvent.fromPartial({ context: 'own', topic: 'payments', issuer: 'shop', description: DESCRIPTION });
    const { event: awaited } = await client.events.pushEvent(PushEventRequest.fromPartial({ event }));
    const from = webhooks.received.length;
    const expiresAt = { seconds: BigInt(Math.floor(Date.now() / 1_000)) + 1n, nanos: 500_000_000 };
    const request = { eventId: awaited?.id ?? 0n, callback: callback(), expiresAt };
    await client.cawins.createCawin(CreateCawinRequest.fromPartial(request));
    const [told] = await received(1, from);
    expect(told).toMatchObject({ outcome: 'EXPIRED', position: '0', issuer: 'shop', awaitedid: String(awaited?.id) });
    expect(told).toMatchObject({ description: '{"order":7,"state":"paid"}' });
    const deadline = new Date(Number(expiresAt.seconds) * 1_000 + 500).toISOString();
    expect(told?.['deadline']).toBe(deadline.replace('Z', '000Z'));
  });

  it('is why and when something was withdrawn that had occurred, though nobody awaited it', async () => {
    const eventId = await occur('unawaited');
    const from = webhooks.received.length;
    const notifyOn = [EventStatus.EVENT_STATUS_INVALIDATED];
    await client.cawins.createCawin(CreateCawinRequest.fromPartial({ eventId, callback: callback(), notifyOn }));
    await client.events.invalidateEvent({ id: eventId, reason: REASON });
    const [told] = await received(1, from);
    expect(told).toMatchObject({ outcome: 'INVALIDATED', issuer: 'bank', reason: REASON });
    expect(Date.parse(String(told?.['occurredat']))).toBeLessThanOrEqual(Date.parse(String(told?.['invalidatedat'])));
    expect(told).not.toHaveProperty('description');
    expect(told).not.toHaveProperty('deadline');
  });
});

describe('docs/callbacks.md', () => {
  it('says of every field of the contract where it is in a CloudEvent', () => {
    const own = descriptors.fields('madeleine.v1.OnEventRequest').map(({ name }) => name);
    const inner = descriptors.fields('madeleine.v1.Event').map(({ name }) => `event.${name}`);
    const expected = [...own.filter((name) => name !== 'event'), ...inner];
    expect(FIELDS.map(({ field }) => field).sort()).toEqual(expected.sort());
  });
});

function valueAt(message: Json, path: string): unknown {
  const camel = path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return camel.split('.').reduce<unknown>((value, name) => (value as Json | undefined)?.[name], message);
}

/** An attribute as text; JSON data as it is written. */
function attributeText(webhook: Json, name: string): string | undefined {
  const value = webhook[name];
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
}

/** A field of the contract as an attribute has it. */
function wireText(field: string, value: unknown): string {
  if (field === 'event.payload')
    return JSON.stringify(JSON.parse(Buffer.from((value as { data: string }).data, 'base64').toString()));
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value).replace(/^(EVENT_STATUS|SUBJECT)_/, '');
}
