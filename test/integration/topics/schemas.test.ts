// Schemas of topics: versions, pushes that meet them on any instance, and what a new one would mean.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { Outcome, type PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import { SchemaCompatibility } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';

const suite = useServer();
const other = useServerBeside(suite);

const topics = () => suite.client.topics;
const newTopic = () => `topic ${randomUUID()}`;

const ORDER = {
  type: 'object',
  required: ['id', 'total'],
  properties: {
    id: { type: 'string' },
    total: { type: 'number', minimum: 0 },
    items: { type: 'array', items: { type: 'object', required: ['sku'] } },
  },
};
const STRICTER = { ...ORDER, properties: { ...ORDER.properties, total: { type: 'integer', minimum: 0 } } };

async function registered(schema: object, compatibility?: SchemaCompatibility): Promise<string> {
  const name = newTopic();
  await topics().registerTopic({
    name,
    settings: {
      schema: JSON.stringify(schema),
      compatibility: compatibility ?? SchemaCompatibility.SCHEMA_COMPATIBILITY_UNSPECIFIED,
    },
  });
  return name;
}

function update(name: string, schema: object | '', client = suite.client) {
  const text = schema === '' ? '' : JSON.stringify(schema);
  return client.topics.updateTopic({ name, settings: { schema: text }, updateMask: ['schema'], by: 'anna' });
}

function push(topic: string, payload: unknown, more: Partial<NewEvent> = {}, client = suite.client) {
  return client.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload(payload), ...more }) });
}

const versionsOf = async (topic: string) =>
  (await topics().listSchemas({ topic })).schemas.map(({ version, inForce }) => `${version}${inForce ? '*' : ''}`);

describe('a topic with a schema', () => {
  it('takes what fits, and its events keep the version', async () => {
    const topic = await registered(ORDER);
    const { event } = await push(topic, { id: 'o-1', total: 12.5 });
    expect(event).toMatchObject({ version: 1 });
    const { event: read } = await suite.client.events.getEvent({ key: { $case: 'id', value: event?.id ?? 0n } });
    expect(read?.version).toBe(1);
    const { event: named } = await push(topic, { id: 'o-2', total: 1 }, { version: 1 });
    expect(named?.version).toBe(1);
  });

  it('refuses what does not, with each place', async () => {
    const topic = await registered(ORDER);
    const refusal = await refusalOf(push(topic, { id: 7, total: -1, items: [{ sku: 'a' }, {}] }));
    expect(refusal).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'SCHEMA_REJECTED',
      fields: ['event.payload/id', 'event.payload/items/1/sku', 'event.payload/total'],
      metadata: { topic, version: '1', context: 'default' },
    });
    expect((await suite.client.events.listEvents({ filter: { topics: [topic] } })).events).toEqual([]);
  });

  it.each([
    ['bytes', { payload: bytesPayload('xyz', 'application/octet-stream') }, 'event.payload'],
    ['text', { payload: bytesPayload('{"id":"a","total":1}', 'text/plain') }, 'event.payload'],
    ['a bare text', { payload: jsonPayload('order') }, 'event.payload'],
  ])('refuses %s', async (_, event, field) => {
    const topic = await registered(ORDER);
    expect(await refusalOf(suite.client.events.pushEvent({ event: newEvent({ topic, ...event }) }))).toMatchObject({
      reason: 'SCHEMA_REJECTED',
      fields: [field],
    });
  });

  it('refuses a version that it does not have', async () => {
    const topic = await registered(ORDER);
    expect(await refusalOf(push(topic, { id: 'a', total: 1 }, { version: 2 }))).toMatchObject({
      reason: 'FIELD_INVALID',
      fields: ['event.version'],
    });
  });

  it('takes what is awaited, and ends it only by what fits', async () => {
    const topic = await registered(ORDER);
    const looked = await suite.client.events.pushEvent({
      event: newEvent({ topic, payload: undefined, description: { id: 'o-1' } }),
    });
    expect(looked.outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect(await refusalOf(push(topic, { id: 'o-1' }))).toMatchObject({ reason: 'SCHEMA_REJECTED' });
    const { outcome, event } = await push(topic, { id: 'o-1', total: 1 });
    expect(outcome).toBe(Outcome.OUTCOME_SATISFIED);
    expect(event?.version).toBe(1);
  });

  it('stores a call as a whole or not at all', async () => {
    const topic = await registered(ORDER);
    const events: PushEventRequest[] = [{ id: 'a', total: 1 }, { id: 'b' }].map(
      (payload) => ({ event: newEvent({ topic, payload: jsonPayload(payload) }) }) as PushEventRequest,
    );
    expect(await refusalOf(suite.client.events.pushEvents({ events }))).toMatchObject({
      reason: 'SCHEMA_REJECTED',
      fields: ['events[1].event.payload/total'],
    });
    expect((await suite.client.events.listEvents({ filter: { topics: [topic] } })).events).toEqual([]);
  });

  it('answers a retry as before, whatever schema came since', async () => {
    const topic = await registered(ORDER);
    const messageId = randomUUID();
    await push(topic, { id: 'a', total: 1.5 }, { messageId });
    await topics().updateTopic({
      name: topic,
      settings: { schema: JSON.stringify(STRICTER), compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_NONE },
      updateMask: ['schema', 'compatibility'],
    });
    const { outcome, event } = await push(topic, { id: 'a', total: 1.5 }, { messageId });
    expect(outcome).toBe(Outcome.OUTCOME_DUPLICATE);
    expect(event?.version).toBe(1);
    expect(await refusalOf(push(topic, { id: 'b', total: 1.5 }))).toMatchObject({ reason: 'SCHEMA_REJECTED' });
    expect((await push(topic, { id: 'b', total: 1.5 }, { version: 1 })).event?.version).toBe(1);
  });

  it('is heard of by the other instance at its next push', async () => {
    const topic = await registered(ORDER);
    await push(topic, { id: 'a', total: 1 }, {}, other.client);
    await update(topic, { ...ORDER, required: ['id'] });
    expect((await push(topic, { id: 'a' }, {}, other.client)).event?.version).toBe(2);
    await topics().updateTopic({
      name: topic,
      settings: { schema: 'false', compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_NONE },
      updateMask: ['schema', 'compatibility'],
    });
    expect(await refusalOf(push(topic, { id: 'a' }, {}, other.client))).toMatchObject({
      reason: 'SCHEMA_REJECTED',
      metadata: { version: '3' },
    });
  });
});

describe('versions', () => {
  it('come with what says something else, and are never used again', async () => {
    const topic = await registered(ORDER);
    await update(topic, { properties: ORDER.properties, required: ORDER.required, type: 'object' });
    expect(await versionsOf(topic)).toEqual(['1*']);
    await update(topic, { ...ORDER, title: 'an order' });
    expect(await versionsOf(topic)).toEqual(['1', '2*']);
    await update(topic, '');
    expect(await versionsOf(topic)).toEqual(['1', '2']);
    expect((await push(topic, 'anything', { version: 77 })).event?.version).toBe(77);
    await update(topic, ORDER);
    expect(await versionsOf(topic)).toEqual(['1', '2', '3*']);
    await topics().unregisterTopic({ name: topic });
    expect((await push(topic, 'anything')).event?.version).toBe(0);
    await topics().registerTopic({ name: topic, settings: { schema: JSON.stringify({ ...ORDER, title: 'again' }) } });
    expect(await versionsOf(topic)).toEqual(['1', '2', '3', '4*']);
  });

  it('are shown with their texts', async () => {
    const topic = await registered({ type: 'string', $comment: 'ü' });
    const { schema } = await topics().getSchema({ topic });
    expect(schema).toMatchObject({
      topic,
      context: 'default',
      version: 1,
      inForce: true,
      schema: '{"$comment":"ü","type":"string"}',
      bytes: 33,
    });
    expect(schema?.createdAt?.seconds).toBeGreaterThan(0n);
    expect((await topics().getTopic({ name: topic })).topic?.settings?.schema).toBe(schema?.schema);
    expect(await refusalOf(topics().getSchema({ topic, version: 2 }))).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'SCHEMA_UNKNOWN',
    });
    expect(await refusalOf(topics().getSchema({ topic: newTopic() }))).toMatchObject({ reason: 'TOPIC_UNKNOWN' });
    expect(await refusalOf(topics().listSchemas({ topic: newTopic() }))).toMatchObject({ reason: 'TOPIC_UNKNOWN' });
  });

  it('have to go together as the topic has it', async () => {
    const topic = await registered(ORDER);
    const refusal = await refusalOf(update(topic, STRICTER));
    expect(refusal).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'SCHEMA_INCOMPATIBLE',
      fields: ['settings.schema'],
      metadata: { version: '1', compatibility: 'BACKWARD' },
    });
    expect(refusal.message).toContain('/total');
    expect(await versionsOf(topic)).toEqual(['1*']);
    await update(topic, { ...ORDER, properties: { ...ORDER.properties, note: { type: 'string' } } });
    expect(await versionsOf(topic)).toEqual(['1', '2*']);
  });

  it('are compared with all of them, where that is asked', async () => {
    const text = (type: string | readonly string[]) => ({ properties: { a: { type } } });
    const topic = await registered(text('string'), SchemaCompatibility.SCHEMA_COMPATIBILITY_FORWARD_TRANSITIVE);
    await topics().updateTopic({
      name: topic,
      settings: {
        schema: JSON.stringify(text(['string', 'number'])),
        compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_NONE,
      },
      updateMask: ['schema', 'compatibility'],
    });
    const third = {
      name: topic,
      settings: {
        schema: JSON.stringify(text('number')),
        compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_FORWARD,
      },
      updateMask: ['schema', 'compatibility'],
    };
    const transitive = {
      ...third,
      settings: { ...third.settings, compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_FORWARD_TRANSITIVE },
    };
    expect(await refusalOf(topics().updateTopic(transitive))).toMatchObject({
      reason: 'SCHEMA_INCOMPATIBLE',
      metadata: { version: '1' },
    });
    await topics().updateTopic(third);
    expect(await versionsOf(topic)).toEqual(['1', '2', '3*']);
  });

  it('are refused where they cannot be used', async () => {
    const topic = await registered(ORDER);
    expect(await refusalOf(update(topic, { properties: { a: { $ref: 'https://example.com/a' } } }))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'SCHEMA_INVALID',
      fields: ['settings.schema/properties/a/$ref'],
    });
    expect(await refusalOf(topics().registerTopic({ name: newTopic(), settings: { schema: '{' } }))).toMatchObject({
      reason: 'SCHEMA_INVALID',
      fields: ['settings.schema'],
    });
    expect(
      await refusalOf(
        topics().registerTopic({ name: newTopic(), settings: { compatibility: 99 as SchemaCompatibility } }),
      ),
    ).toMatchObject({ reason: 'FIELD_INVALID', fields: ['settings.compatibility'] });
    expect(await versionsOf(topic)).toEqual(['1*']);
  });
});

describe('CheckSchema', () => {
  it('tells what a schema would have refused, and changes nothing', async () => {
    const topic = newTopic();
    for (const total of [1, 2.5, 3, 4.5]) await push(topic, { id: 'a', total });
    const checked = await topics().checkSchema({ topic, schema: JSON.stringify(STRICTER) });
    expect(checked).toMatchObject({
      compatible: true,
      latestVersion: 0,
      same: false,
      findings: [],
      compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_BACKWARD,
    });
    expect(checked.shadow).toMatchObject({ examined: 4, refused: 2, complete: true });
    expect(checked.shadow?.samples.map(({ mismatches }) => mismatches)).toEqual(
      [4.5, 2.5].map(() => [{ path: '/total', description: 'is not a whole number', rule: '/properties/total/type' }]),
    );
    const few = await topics().checkSchema({ topic, schema: JSON.stringify(STRICTER), lastEvents: 1 });
    expect(few.shadow).toMatchObject({ examined: 1, refused: 1, complete: true });
    expect((await topics().checkSchema({ topic, schema: 'true', lastEvents: 0 })).shadow).toBeUndefined();
    expect((await topics().getTopic({ name: topic })).topic?.registered).toBe(false);
  });

  it('tells what stands between it and the versions before it', async () => {
    const topic = await registered(ORDER);
    const { compatible, findings, latestVersion } = await topics().checkSchema({
      topic,
      schema: JSON.stringify(STRICTER),
    });
    expect({ compatible, latestVersion }).toEqual({ compatible: false, latestVersion: 1 });
    expect(findings).toEqual([
      {
        version: 1,
        backward: true,
        path: '/total',
        keyword: 'type',
        description: 'the new schema takes whole numbers only, version 1 takes others',
        cure: 'go on taking the former types too',
        example: '{"id":"","total":0.5}',
      },
    ]);
    const forward = {
      topic,
      schema: JSON.stringify(STRICTER),
      compatibility: SchemaCompatibility.SCHEMA_COMPATIBILITY_FORWARD,
    };
    expect((await topics().checkSchema(forward)).compatible).toBe(true);
    expect(await topics().checkSchema({ topic, schema: JSON.stringify(ORDER) })).toMatchObject({
      same: true,
      compatible: true,
    });
  });

  it('tells what it cannot prove, and what is likely misspelled', async () => {
    const topic = await registered({ type: 'string' });
    const schema = JSON.stringify({ type: 'string', not: { pattern: '^q{40}$' }, minLenght: 1 });
    const lenient = await topics().checkSchema({ topic, schema });
    expect(lenient).toMatchObject({
      compatible: true,
      findings: [{ keyword: 'not', example: '' }],
      unknownKeywords: ['/minLenght'],
    });
    expect((await topics().checkSchema({ topic, schema, strict: true })).compatible).toBe(false);
    expect((await topics().checkSchema({ topic: newTopic(), schema: 'true' })).shadow).toMatchObject({
      examined: 0,
      complete: true,
    });
  });

  it.each([
    ['no topic', { topic: '', schema: 'true' }, 'FIELD_INVALID', 'topic'],
    ['all contexts', { topic: 'a', context: 'all', schema: 'true' }, 'FIELD_INVALID', 'context'],
    ['no schema', { topic: 'a', schema: '' }, 'FIELD_INVALID', 'schema'],
    ['another one', { topic: 'a', schema: '{"type":5}' }, 'SCHEMA_INVALID', 'schema/type'],
    [
      'no compatibility',
      { topic: 'a', schema: 'true', compatibility: 99 as SchemaCompatibility },
      'FIELD_INVALID',
      'compatibility',
    ],
  ])('is refused: %s', async (_, request, reason, field) => {
    expect(await refusalOf(topics().checkSchema(request))).toMatchObject({ reason, fields: [field] });
  });
});
