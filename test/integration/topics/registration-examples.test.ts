// What older event servers say of registering a type of events, of contexts and channels, and of what may be pushed to them: each
// sentence by itself, in the words of gRPC. A type and a channel are a topic here, a site is a context.
//
// Left out, as it is not here yet:
// - the streams of a type (a broker's exchange, the URL of a webhook), attached and taken away one by one: routes of a topic
// - the feed by hour, day and month, its links and its marks of what is processed
// - who may call: credentials

import { randomUUID } from 'node:crypto';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event, NewEvent } from '../../../generated/madeleine/v1/event.js';
import { NewEvent as NewEventMessage } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { UnregisteredTopics } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload } from '../../support/events/builders.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
/** Servers of teams that want types to be registered: one tells the sender, the other one throws away. */
const refusing = useServerBeside(suite, { unregisteredTopics: 'reject' });
const discarding = useServerBeside(suite, { unregisteredTopics: 'discard' });
const { list, read } = eventCalls(suite);

let connection: Connection;
beforeAll(async () => {
  connection = await createConnection(suite.database.adminUrl);
});
afterAll(() => connection?.end());

const push = (event: NewEvent, { client } = suite as Pick<typeof suite, 'client'>) =>
  client.events.pushEvent({ event });
const register = (name: string, settings = {}, context = '') =>
  suite.client.topics.registerTopic({ context, name, settings });

describe('a type of events', () => {
  const TYPE = 'financial:end-budget';
  const ofType = (topic: string, rest: Partial<NewEvent> = {}) =>
    NewEventMessage.fromPartial({
      ...{ topic, issuer: 'campaigns', payload: jsonPayload({ campaign_id: 123 }) },
      ...rest,
    } as NewEvent);
  const newType = () => `${TYPE} ${randomUUID()}`;

  it('is registered, which is acknowledged; once more is as good', async () => {
    const first = await register(TYPE, { ttl: '24days' });
    expect(first).toMatchObject({ created: true, topic: { context: 'default', name: TYPE, registered: true } });
    expect(first.topic?.settings?.ttl).toBe('24days');
    const again = await register(TYPE, { ttl: '24days' });
    expect(again).toMatchObject({ created: false, changes: [] });
    expect(again.topic?.registeredAt).toEqual(first.topic?.registeredAt);
  });

  it('is unique, and has to have a name', async () => {
    expect(await refusalOf(register(TYPE, { ttl: 'ephemeral' }))).toMatchObject({
      ...{ status: 'ALREADY_EXISTS', reason: 'TOPIC_DIFFERS', fields: ['settings.ttl'] },
    });
    expect(await refusalOf(register(''))).toMatchObject({ reason: 'FIELD_INVALID', fields: ['name'] });
  });

  it.each([
    ['24days', '24days'],
    ['permanent', 'permanent'],
    ['ephemeral', 'ephemeral'],
    // Elsewhere that would be ephemeral: here nobody loses what he did not say that he can do without.
    ['', 'permanent'],
  ])('lives for %j, answered as %j', async (ttl, answered) => {
    const name = newType();
    expect((await register(name, { ttl })).topic?.settings?.ttl).toBe(answered);
    expect((await suite.client.topics.getTopic({ name })).topic?.settings?.ttl).toBe(answered);
  });

  it('lives for a duration and for no word', async () => {
    for (const ttl of ['24', 'days', '24 moons', 'forever']) {
      expect(await refusalOf(register(newType(), { ttl }))).toMatchObject({
        ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: ['settings.ttl'] },
      });
    }
  });

  it('of 24 days is gone after 24 days, while permanent ones stay', { timeout: 60_000 }, async () => {
    const [aging, permanent] = [newType(), newType()];
    await register(aging, { ttl: '24days' });
    await register(permanent, { ttl: 'permanent' });
    for (const topic of [aging, permanent]) await push(ofType(topic));
    await connection.query('UPDATE log SET created_at = created_at - ?', [24 * 86_400_000_000]);
    await push(ofType(aging));
    await waitUntil(async () => (await list({ topics: [aging] })).length === 1, {
      ...{ what: 'the old one to go', timeoutMs: 30_000 },
    });
    expect(await list({ topics: [permanent] })).toHaveLength(1);
  });

  it('of which an event is sent is treated as it is registered', async () => {
    const name = newType();
    await register(name, { schema: '{"required": ["campaign_id"]}' });
    for (const server of [suite, refusing, discarding]) {
      const { event, outcome } = await push(ofType(name), server);
      expect([outcome, event?.version]).toEqual([Outcome.OUTCOME_OCCURRED, 1]);
      const refusal = await refusalOf(push(ofType(name, { payload: jsonPayload({}) }), server));
      expect(refusal).toMatchObject({ reason: 'SCHEMA_REJECTED', fields: ['event.payload/campaign_id'] });
    }
    await waitUntil(async () => (await list({ topics: [name] })).length === 3, { what: 'all three to be seen' });
  });

  it('that is not registered is discarded, and the sender can know', async () => {
    const name = newType();
    expect(await push(ofType(name), discarding)).toMatchObject({
      ...{ outcome: Outcome.OUTCOME_DISCARDED, event: undefined },
    });
    expect(await list({ topics: [name] })).toEqual([]);
    const samples = async () => (await suite.client.topics.listDiscardedSamples({ topic: name })).samples;
    const [sample] = await waitUntil(async () => ((await samples()).length > 0 ? await samples() : undefined), {
      what: 'a sample',
    });
    expect(Buffer.from(sample?.payload ?? []).toString()).toBe('{"campaign_id":123}');
  });

  it('that is not registered is not found and not stored, where the sender is to be told', async () => {
    const name = newType();
    expect(await refusalOf(push(ofType(name), refusing))).toMatchObject({
      ...{ status: 'NOT_FOUND', reason: 'TOPIC_UNREGISTERED', metadata: { context: 'default', topic: name } },
    });
    expect(await list({ topics: [name] })).toEqual([]);
    expect((await refusalOf(suite.client.topics.getTopic({ name }))).reason).toBe('TOPIC_UNKNOWN');
  });

  it('that is not registered is stored as any where nobody asks for registrations', async () => {
    const name = newType();
    const { event, outcome } = await push(ofType(name));
    expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await list({ topics: [name] })).toMatchObject([{ id: event?.id }]);
  });

  it('is taken back, and is then as if nobody had registered it; what was sent stays', async () => {
    const name = newType();
    await register(name);
    await push(ofType(name), refusing);
    await suite.client.topics.unregisterTopic({ name });
    expect((await refusalOf(push(ofType(name), refusing))).reason).toBe('TOPIC_UNREGISTERED');
    expect(await list({ topics: [name] })).toHaveLength(1);
    expect((await refusalOf(suite.client.topics.unregisterTopic({ name }))).reason).toBe('TOPIC_UNREGISTERED');
  });

  it('and a payload are what an event has to have; its date is the server’s, where it comes from a property', async () => {
    expect(await refusalOf(push(ofType('')))).toMatchObject({ reason: 'FIELD_INVALID', fields: ['event.topic'] });
    const empty = ofType(newType(), { payload: undefined });
    expect(await refusalOf(push(empty))).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID' });
    const properties = { origin: 'http://campaigns.example', referer: 'http://www.example/budget' };
    const { event } = await push(ofType(newType(), { properties }));
    expect(event?.properties).toEqual(properties);
    expect(Math.abs(Number(event?.createdAt?.seconds) - Date.now() / 1_000)).toBeLessThan(60);
  });

  it('is one of several that are listened to, ephemeral ones too', { timeout: 60_000 }, async () => {
    const [ephemeral, plain, other] = [newType(), newType(), newType()];
    await register(ephemeral, { ttl: 'ephemeral' });
    const seen: string[] = [];
    const ends = new AbortController();
    const frames = suite.client.events.watchEvents({ topics: [ephemeral, plain] }, { signal: ends.signal });
    const watched = (async () => {
      for await (const { events } of frames) seen.push(...events.map(({ topic }) => topic));
    })().catch(() => {});
    await waitUntil(
      async () => {
        for (const topic of [other, ephemeral, plain]) await push(ofType(topic));
        return seen.includes(ephemeral) && seen.includes(plain);
      },
      { what: 'both types to be seen' },
    );
    ends.abort();
    await watched;
    expect(new Set(seen)).toEqual(new Set([ephemeral, plain]));
    await waitUntil(async () => (await list({ topics: [ephemeral] })).length === 0, { what: 'nothing to be listed' });
  });
});

describe('a channel in a context', () => {
  const [CONTEXT, CHANNEL] = ['mkp', 'INVOICE'];
  const ANY_JSON = ['[1]', '"text"', '7', 'null', 'true'];
  const invoice = (payload: unknown, rest: Partial<NewEvent> = {}) =>
    NewEventMessage.fromPartial({
      ...{ context: CONTEXT, topic: CHANNEL, issuer: 'JERPi', payload: jsonPayload(payload) },
      ...rest,
    } as NewEvent);
  const payloads = (events: readonly Event[]) =>
    events.map(({ payload }) => (payload?.body?.$case === 'json' ? payload.body.value : undefined));

  it('has events of an issuer, with the time at which they were registered, which nobody else gives', async () => {
    const { event } = await push(invoice({ x: 1, y: 'test' }));
    expect(event).toMatchObject({ issuer: 'JERPi', context: CONTEXT, topic: CHANNEL });
    expect(payloads([event as Event])).toEqual([{ x: 1, y: 'test' }]);
    expect(event?.createdAt).toEqual(event?.occurredAt);
    expect(event?.id).toBeGreaterThan(0n);
    expect(await list({ context: CONTEXT, topics: [CHANNEL] })).toEqual([event]);
  });

  it('takes nothing without an issuer, and nothing that is empty', async () => {
    expect(await refusalOf(push(invoice({}, { issuer: '' })))).toMatchObject({
      ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: ['event.issuer'] },
    });
    expect((await refusalOf(push(invoice({}, { payload: undefined })))).reason).toBe('FIELD_INVALID');
    expect((await refusalOf(push(invoice({}, { topic: '' })))).fields).toEqual(['event.topic']);
  });

  it('is another one in another context, and may be registered otherwise there', async () => {
    const name = 'ORDER';
    await register(name, { schema: '{"type": "object"}' }, 'site-1');
    await register(name, { ttl: '24days' }, 'site-2');
    const order = (context: string) => push(invoice([1], { context, topic: name }));
    expect((await refusalOf(order('site-1'))).reason).toBe('SCHEMA_REJECTED');
    await order('site-2');
    await order('site-3');
    const { topics } = await suite.client.topics.listTopics({ context: 'all', namePrefix: name });
    expect(topics.map(({ context, registered }) => [context, registered])).toEqual([
      ...[
        ['site-1', true],
        ['site-2', true],
        ['site-3', false],
      ],
    ]);
  });

  it('is named as one likes: with digits, hyphens and spaces too', async () => {
    for (const topic of ['ИНВОЙС-2', 'invoice 2015.10', 'INVOICE_']) {
      await register(topic, {}, CONTEXT);
      const { event } = await push(invoice({ n: 1 }, { topic }));
      expect([event?.topic, event?.context]).toEqual([topic, CONTEXT]);
    }
  });

  it('takes any JSON unless it is registered with what it has to be: a dictionary', async () => {
    for (const json of ANY_JSON)
      await push(invoice({}, { topic: 'any', payload: bytesPayload(json, 'application/json') }));
    const topic = 'dictionaries';
    await register(topic, { schema: '{"type": "object"}' }, CONTEXT);
    await push(invoice({ any: ['data'] }, { topic }));
    for (const json of ANY_JSON) {
      const refused = push(invoice({}, { topic, payload: bytesPayload(json, 'application/json') }));
      expect(await refusalOf(refused)).toMatchObject({
        ...{ status: 'INVALID_ARGUMENT', reason: 'SCHEMA_REJECTED', fields: ['event.payload'] },
      });
    }
    const broken = invoice({}, { topic, payload: bytesPayload('{"x": 1', 'application/json') });
    expect((await refusalOf(push(broken))).status).toBe('INVALID_ARGUMENT');
    const rest = invoice({}, { topic, payload: bytesPayload('x=1', 'application/x-www-form-urlencoded') });
    expect((await refusalOf(push(rest))).reason).toBe('SCHEMA_REJECTED');
    expect(await list({ context: CONTEXT, topics: [topic] })).toHaveLength(1);
  });

  it('tells all that is wrong at once, each by its place', async () => {
    const topic = 'strict';
    const schema = { required: ['x', 'y'], properties: { x: { type: 'integer' }, y: { type: 'string' } } };
    await register(topic, { schema: JSON.stringify(schema) }, CONTEXT);
    await push(invoice({ x: 1, y: 'test' }, { topic }));
    const refusal = await refusalOf(push(invoice({ x: 'one', y: 2 }, { topic })));
    expect([...refusal.fields].sort()).toEqual(['event.payload/x', 'event.payload/y']);
  });

  it('is registered again with more that it may be, and not with what its events are not', async () => {
    const topic = 'growing';
    const schemaOf = (more: object) =>
      JSON.stringify({ required: ['x'], properties: { x: { type: 'integer' }, ...more } });
    const update = (schema: string) =>
      suite.client.topics.updateTopic({ context: CONTEXT, name: topic, settings: { schema }, updateMask: ['schema'] });
    await register(topic, { schema: schemaOf({}) }, CONTEXT);
    await update(schemaOf({ y: { type: 'string' } }));
    expect((await push(invoice({ x: 1, y: 'test' }, { topic }))).event?.version).toBe(2);
    expect(await refusalOf(update('{"required": ["z"]}'))).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'SCHEMA_INCOMPATIBLE' },
    });
  });

  it('may be asked for to be registered by its context alone', async () => {
    const context = 'strict site';
    await register(CHANNEL, {}, context);
    await suite.client.topics.updateContext({
      ...{ context, updateMask: ['unregistered_topics'] },
      settings: { unregisteredTopics: UnregisteredTopics.UNREGISTERED_TOPICS_REJECT },
    });
    await push(invoice({ n: 1 }, { context }));
    expect((await refusalOf(push(invoice({ n: 1 }, { context, topic: 'REFUND' })))).reason).toBe('TOPIC_UNREGISTERED');
    await push(invoice({ n: 1 }, { topic: 'REFUND' }));
  });

  it('is read as a whole, from a time on, and by the number of those that were read', async () => {
    const topic = 'read';
    for (const n of [0, 1, 2]) await push(invoice({ n }, { topic }));
    const filter = { context: CONTEXT, topics: [topic] };
    const events = await list(filter);
    expect(payloads(events)).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    // Strictly later, and no two have one time.
    const later = await list({ ...filter, startTime: events[0]?.createdAt });
    expect(payloads(later)).toEqual([{ n: 1 }, { n: 2 }]);
    const peek = (afterPosition: bigint) => suite.client.events.peekEvent({ context: CONTEXT, topic, afterPosition });
    expect((await peek(events[1]?.position ?? 0n)).event?.id).toBe(events[2]?.id);
    expect(await peek(events[2]?.position ?? 0n)).toMatchObject({ event: undefined, caughtUp: true });
    const head = (await peek(0n)).event?.position ?? 0n;
    expect((await refusalOf(peek(head + 1_000_000n))).reason).toBe('POSITION_BEYOND_HEAD');
  });

  it('that nobody pushed to has no events, and more than a hundred come in pages', async () => {
    expect(await list({ context: CONTEXT, topics: ['nothing'] })).toEqual([]);
    expect(await list({ context: 'nowhere' })).toEqual([]);
    const topic = 'many';
    const events = Array.from({ length: 101 }, (_, n) => ({ event: invoice({ n }, { topic }) }));
    await suite.client.events.pushEvents({ events });
    const filter = { context: CONTEXT, topics: [topic] };
    const first = await suite.client.events.listEvents({ filter });
    const rest = await suite.client.events.listEvents({ filter, pageToken: first.nextPageToken });
    expect([first.events.length, rest.events.length]).toEqual([100, 1]);
  });

  it('is read across all contexts by the name “all”, which nobody can push to or register in', async () => {
    const topic = 'everywhere';
    for (const context of ['one', 'two']) await push(invoice({ context }, { context, topic }));
    expect(payloads(await read({ context: 'all', topics: [topic] }))).toEqual([{ context: 'one' }, { context: 'two' }]);
    expect((await refusalOf(push(invoice({}, { context: 'all' })))).fields).toEqual(['event.context']);
    expect((await refusalOf(register(topic, {}, 'all'))).fields).toEqual(['context']);
  });
});
