// Awaited events through a real client: check, and wait if necessary.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventStatus, type NewEvent, PayloadEncoding } from '../../../generated/madeleine/v1/event.js';
import { Outcome, type PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { createTestDatabase } from '../../support/database/database.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const { AWAITED, OCCURRED, INVALIDATED, EXPIRED } = {
  AWAITED: EventStatus.EVENT_STATUS_AWAITED,
  OCCURRED: EventStatus.EVENT_STATUS_OCCURRED,
  INVALIDATED: EventStatus.EVENT_STATUS_INVALIDATED,
  EXPIRED: EventStatus.EVENT_STATUS_EXPIRED,
};

type Json = Record<string, unknown>;
type Rest = Partial<NewEvent>;

/** Each test has its topic. */
const newTopic = () => `topic ${randomUUID()}`;
const described = (topic: string, description: Json, rest: Rest = {}) =>
  newEvent({ topic, issuer: 'warehouse', payload: undefined, description, ...rest });
const happened = (topic: string, payload: Json, rest: Rest = {}) =>
  newEvent({ topic, payload: jsonPayload(payload), ...rest });

async function push(event: NewEvent, terms: Partial<PushEventRequest> = {}) {
  const { event: stored, outcome } = await suite.client.events.pushEvent({ event, ...terms });
  return { event: stored as Event, outcome, id: (stored as Event).id };
}
const look = (topic: string, description: Json, terms: Partial<PushEventRequest> = {}) =>
  push(described(topic, description), terms);
const occur = (topic: string, payload: Json, rest: Rest = {}) => push(happened(topic, payload, rest));
/** Pushes the events as one atomic batch of a stream; returns which results they have. */
const streamed = async (events: NewEvent[]) => {
  const requests = async function* () {
    yield { batchId: 1n, events: events.map((event) => ({ event })), atomic: true };
  };
  for await (const { results } of suite.client.events.pushEventStream(requests())) {
    return results.map(({ result }) => result?.$case);
  }
  return [];
};
const get = async (id: bigint) =>
  (await suite.client.events.getEvent({ key: { $case: 'id', value: id } })).event as Event;
const list = async (
  topic: string,
  statuses: EventStatus[],
  more: { newestFirst?: boolean; pageSize?: number } = {},
) => {
  const events: Event[] = [];
  for (let pageToken = ''; ; ) {
    const page = await suite.client.events.listEvents({ filter: { topics: [topic], statuses }, pageToken, ...more });
    events.push(...page.events);
    pageToken = page.nextPageToken;
    if (pageToken === '') return events;
  }
};
const read = async (topic: string, statuses: EventStatus[]) => {
  const events: Event[] = [];
  for await (const frame of suite.client.events.readEvents({ topics: [topic], statuses })) events.push(...frame.events);
  return events;
};

describe('a push with a description only', () => {
  it('awaits the event when nothing fits', async () => {
    const topic = newTopic();
    const { event, outcome } = await look(topic, { order: 7 });
    expect(outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect(event).toMatchObject({
      status: AWAITED,
      position: 0n,
      topic,
      issuer: 'warehouse',
      description: { order: 7 },
    });
    expect(event.payload).toBeUndefined();
    const days = Number((event.expiresAt?.seconds ?? 0n) - (event.createdAt?.seconds ?? 0n)) / 86_400;
    expect(days).toBe(30);
    expect(await get(event.id)).toEqual(event);
  });

  it('finds what has occurred, with its payload', async () => {
    const topic = newTopic();
    const first = await occur(topic, { order: 7, total: 12.5 });
    await occur(topic, { order: 7, total: 13 });
    const found = await look(topic, { order: 7 });
    expect(found).toMatchObject({ outcome: Outcome.OUTCOME_FOUND, event: first.event });
    expect((await look(topic, { order: 7, total: 13 })).event.position).toBe(first.event.position + 1n);
    expect((await look(topic, { order: 8 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
  });

  it('shares what is awaited by an equal description, and its latest deadline', async () => {
    const topic = newTopic();
    const wait = await look(topic, { a: { b: 1 }, c: 'x' }, { waitTimeout: { seconds: 60n, nanos: 0 } });
    const again = await look(topic, { c: 'x', a: { b: 1 } }, { waitTimeout: { seconds: 600n, nanos: 0 } });
    expect(again).toMatchObject({ outcome: Outcome.OUTCOME_FOUND, id: wait.id });
    expect((again.event.expiresAt?.seconds ?? 0n) - (wait.event.expiresAt?.seconds ?? 0n)).toBeGreaterThanOrEqual(540n);
    expect((await look(topic, { a: { b: 1 } })).id).not.toBe(wait.id);
  });

  it('looks no further back than since', async () => {
    const topic = newTopic();
    const { event } = await occur(topic, { order: 7 });
    const since = event.createdAt ?? { seconds: 0n, nanos: 0 };
    expect(await look(topic, { order: 7 }, { since })).toMatchObject({ outcome: Outcome.OUTCOME_AWAITED });
    const before = { ...since, nanos: since.nanos - 1000 };
    expect(await look(topic, { order: 7 }, { since: before })).toMatchObject({
      outcome: Outcome.OUTCOME_FOUND,
      id: event.id,
    });
  });

  it('says what it may not have', async () => {
    const topic = newTopic();
    const refused = async (event: NewEvent, terms: Partial<PushEventRequest> = {}) => {
      const refusal = await refusalOf(suite.client.events.pushEvent({ event, ...terms }));
      return [refusal.reason, ...refusal.fields];
    };
    const rest = { stream: 's', subject: 1, properties: { a: '1' } };
    const fields = ['event.stream', 'expected_sequence', 'event.subject', 'event.properties'];
    expect(await refused(described(topic, { a: 1 }, rest), { expectedSequence: 0n })).toEqual(
      expect.arrayContaining(['FIELD_INVALID', ...fields]),
    );
    expect(await refused(described(topic, {}))).toEqual(['FIELD_INVALID', 'event.description']);
    expect(await refused(described(topic, { a: 'x'.repeat(17_000) }))).toEqual(['FIELD_INVALID', 'event.description']);
    expect(await refused(newEvent({ topic, payload: undefined }))).toEqual(['FIELD_INVALID', 'event.payload']);
    for (const seconds of [0n, -1n, 365n * 86_400n + 1n]) {
      expect(await refused(described(topic, { a: 1 }), { waitTimeout: { seconds, nanos: 0 } })).toEqual([
        'FIELD_INVALID',
        'wait_timeout',
      ]);
    }
    expect(await refused(happened(topic, { a: 1 }), { waitTimeout: { seconds: 1n, nanos: 0 } })).toEqual([
      'FIELD_INVALID',
      'wait_timeout',
    ]);
  });

  it('is refused a seventeenth set of paths in a topic', async () => {
    const topic = newTopic();
    for (let n = 0; n < 16; n += 1) await look(topic, { [`path ${n}`]: 1 });
    const refusal = await refusalOf(suite.client.events.pushEvent({ event: described(topic, { more: 1 }) }));
    expect(refusal).toMatchObject({
      reason: 'TOO_MANY_SHAPES',
      status: 'FAILED_PRECONDITION',
      fields: ['event.description'],
    });
    expect((await look(topic, { 'path 3': 2 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
  });
});

describe('a push with a payload', () => {
  it('ends every wait whose description it contains, as one entry', async () => {
    const topic = newTopic();
    const waits = [
      await look(topic, { order: 7 }),
      await look(topic, { state: 'paid' }),
      await look(topic, { order: 7, state: 'paid' }),
    ];
    const other = await look(topic, { order: 8 });
    const { event, outcome } = await occur(topic, { order: 7, state: 'paid', by: 'card' }, { stream: newTopic() });
    const ids = waits.map(({ id }) => id);
    expect(outcome).toBe(Outcome.OUTCOME_SATISFIED);
    expect(event).toMatchObject({
      id: ids[0],
      satisfiedIds: ids.slice(1),
      status: OCCURRED,
      sequence: 1n,
      issuer: 'shop',
    });
    expect(await read(topic, [])).toMatchObject([{ id: ids[0], satisfiedIds: ids.slice(1) }]);
    for (const wait of waits) {
      expect(await get(wait.id)).toMatchObject({
        id: wait.id,
        status: OCCURRED,
        position: event.position,
        payload: event.payload,
        description: wait.event.description,
        endedById: ids[0],
        satisfiedIds: ids.slice(1).filter((id) => id !== wait.id),
      });
    }
    expect(await get(other.id)).toMatchObject({ status: AWAITED, endedById: undefined });
    expect(await occur(topic, { order: 7, state: 'paid' })).toMatchObject({ outcome: Outcome.OUTCOME_OCCURRED });
  });

  it('ends waits by values that are equal, and no others', async () => {
    const topic = newTopic();
    const wait = await look(topic, { n: 1, s: 'é', e: {}, l: [1, null] });
    const unequal = [
      '{"n":1.5,"s":"é","e":{},"l":[1,null]}',
      '{"n":1,"s":"e\u0301","e":{},"l":[1,null]}',
      '{"n":1,"s":"é","e":{"x":1},"l":[1,null]}',
      '{"n":1,"s":"é","e":{},"l":[1]}',
    ];
    for (const text of unequal) {
      expect((await push(newEvent({ topic, payload: bytesPayload(text) }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    }
    const text = '{"l":[1.0,null],"extra":true,"e":{},"s":"\\u00e9","n":1e0}';
    expect((await push(newEvent({ topic, payload: bytesPayload(text, 'text/plain') }))).outcome).toBe(
      Outcome.OUTCOME_OCCURRED,
    );
    const ended = await push(newEvent({ topic, payload: bytesPayload(text, 'application/ld+json') }));
    expect(ended).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
  });

  it.each<[what: string, description: Json, equal: string[], unequal: string[]]>([
    [
      'the greatest exact integer',
      { n: 2 ** 53 - 1 },
      ['{"n":9007199254740991}', '{"n":9007199254740991.0}', '{"n":9.007199254740991e15}'],
      ['{"n":9007199254740992}', '{"n":9007199254740990}', '{"n":9007199254740991.5}', '{"n":"9007199254740991"}'],
    ],
    ['a zero', { n: 0 }, ['{"n":0}', '{"n":-0}', '{"n":0.000}', '{"n":0e9}'], ['{"n":1e-400}', '{"n":null}']],
    ['a fraction', { n: 0.1 }, ['{"n":0.1}', '{"n":1e-1}', '{"n":0.10}'], ['{"n":0.1000000000000000055}']],
    ['unicode that is not normalised', { s: 'e\u0301' }, ['{"s":"e\\u0301"}'], ['{"s":"é"}', '{"s":"e"}']],
    ['surrogate pairs', { s: '😀' }, ['{"s":"\\ud83d\\ude00"}', '{"s":"😀"}'], ['{"s":"\\ud83d"}']],
    [
      'keys with dots, quotes, slashes and nothing',
      { 'a.b': { '"': 1, 'c/d~e': 2 }, '': 3, "'": 4 },
      ['{"":3,"\'":4,"a.b":{"c/d~e":2,"\\"":1}}'],
      ['{"":3,"\'":4,"a":{"b":{"c/d~e":2,"\\"":1}}}', '{"":3,"\'":4,"a.b":{"c":{"d~e":2},"\\"":1}}'],
    ],
    ['an empty object', { e: {} }, ['{"e":{}}'], ['{"e":{"x":1}}', '{"e":null}', '{"e":[]}', '{}']],
    ['null', { a: null }, ['{"a":null}', '{"a":null,"b":1}'], ['{}', '{"a":0}', '{"a":"null"}', '{"a":{}}']],
    [
      'arrays, whole',
      { l: [1, { b: 2, a: [] }, null] },
      ['{"l":[1.0,{"a":[],"b":2},null]}'],
      ['{"l":[1,{"b":2,"a":[]}]}', '{"l":[{"b":2,"a":[]},1,null]}', '{"l":[1,{"b":2,"a":[],"c":0},null]}'],
    ],
    ['names that JavaScript knows', { constructor: 1, toString: 2 }, ['{"toString":2,"constructor":1}'], ['{}']],
  ])('ends a wait for %s by equal values alone, and finds them', async (_, description, equal, unequal) => {
    for (const text of equal) {
      const topic = newTopic();
      const wait = await look(topic, description);
      for (const other of unequal) {
        const pushed = await push(newEvent({ topic, payload: bytesPayload(other) })).catch((error: Error) => error);
        // Half a surrogate pair is no text: refused, or stored and equal to nothing.
        if (pushed instanceof Error) expect(pushed.message).toContain('INVALID_ARGUMENT');
        else expect(pushed.outcome, other).toBe(Outcome.OUTCOME_OCCURRED);
      }
      const ended = await push(newEvent({ topic, payload: bytesPayload(text) }));
      expect(ended, text).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
      expect(await look(topic, description)).toMatchObject({ outcome: Outcome.OUTCOME_FOUND, id: wait.id });
    }
  });

  it('matches to the limits of depth and leaves, and satisfies nothing beyond them', async () => {
    const nested = (depth: number): Json => (depth === 1 ? { a: 1 } : { a: nested(depth - 1) });
    const wide = (leaves: number) => Object.fromEntries(Array.from({ length: leaves }, (_, n) => [`k${n}`, n]));
    for (const make of [nested, wide]) {
      const most = make === nested ? 64 : 1_024;
      const topic = newTopic();
      const wait = await look(topic, make(most));
      const beyond = newEvent({ topic, payload: bytesPayload(JSON.stringify(make(most + 1))) });
      expect((await push(beyond)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
      const ended = await push(newEvent({ topic, payload: bytesPayload(JSON.stringify(make(most))) }));
      expect(ended).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
      const refused = suite.client.events.pushEvent({ event: described(newTopic(), make(most + 1)) });
      expect(await refusalOf(refused)).toMatchObject({ reason: 'FIELD_INVALID', fields: ['event.description'] });
    }
  });

  const deep = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}`;
  const wide = Array.from({ length: 1_024 }, (_, n) => `"k${n}":${n}`).join(',');

  it.each([
    ['a key twice', '{"a":1,"a":1}'],
    ['a key twice in an array', '{"a":1,"x":[{"y":1,"y":2}]}'],
    ['65 levels', `{"a":1,"x":${deep(64)}}`],
    ['1,025 leaves', `{"a":1,${wide}}`],
  ])('with %s is stored and satisfies nothing, whoever describes events of its topic', async (_, text) => {
    const topic = newTopic();
    const event = newEvent({ topic, payload: bytesPayload(text) });
    const odd = async () => {
      const stored = await push(event);
      expect(stored.outcome).toBe(Outcome.OUTCOME_OCCURRED);
      const key = { $case: 'id' as const, value: stored.id };
      const payloadEncoding = PayloadEncoding.PAYLOAD_ENCODING_BYTES;
      const { event: kept } = await suite.client.events.getEvent({ key, payloadEncoding });
      expect(kept?.payload).toEqual(bytesPayload(text));
    };
    await odd();
    const wait = await look(topic, { a: 1 });
    expect(wait.outcome).toBe(Outcome.OUTCOME_AWAITED);
    await odd();
    const batch = await suite.client.events.pushEvents({ events: [{ event }, { event: happened(topic, { a: 2 }) }] });
    expect(batch.results.map(({ outcome }) => outcome)).toEqual([Outcome.OUTCOME_OCCURRED, Outcome.OUTCOME_OCCURRED]);
    expect(await streamed([event, happened(topic, { a: 3 })])).toEqual(['receipt', 'receipt']);
    expect((await get(wait.id)).status).toBe(AWAITED);
    expect(await occur(topic, { a: 1 })).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
    await odd();
  });

  it('that cannot be indexed is refused only where its topic is registered with description_paths', async () => {
    const topic = newTopic();
    await suite.client.topics.registerTopic({ name: topic, settings: { descriptionPaths: ['/a'] } });
    const event = newEvent({ topic, payload: bytesPayload('{"a":1,"b":1,"b":2}') });
    expect(await refusalOf(suite.client.events.pushEvent({ event }))).toMatchObject({
      reason: 'FIELD_INVALID',
      fields: ['event.payload'],
    });
  });
});

describe('a push with both', () => {
  it('has to contain its description', async () => {
    const topic = newTopic();
    const event = happened(topic, { order: 7 }, { description: { order: 8 } });
    expect(await refusalOf(suite.client.events.pushEvent({ event }))).toMatchObject({
      reason: 'DESCRIPTION_NOT_CONTAINED',
      status: 'INVALID_ARGUMENT',
      fields: ['event.description'],
    });
  });

  it('occurs once for a description', async () => {
    const topic = newTopic();
    const first = await occur(topic, { order: 7, n: 1 }, { description: { order: 7 } });
    expect(first).toMatchObject({ outcome: Outcome.OUTCOME_OCCURRED, event: { description: { order: 7 } } });
    const again = happened(topic, { order: 7, n: 2 }, { description: { order: 7 } });
    expect(await refusalOf(suite.client.events.pushEvent({ event: again }))).toMatchObject({
      reason: 'ALREADY_OCCURRED',
      status: 'ALREADY_EXISTS',
      metadata: { event_id: String(first.id), position: String(first.event.position) },
    });
    expect((await occur(topic, { order: 8 }, { description: { order: 8 } })).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    await suite.client.events.invalidateEvent({ id: first.id });
    expect((await push(again)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
  });

  it('occurs once for a description that was awaited', async () => {
    const topic = newTopic();
    const wait = await look(topic, { order: 7 });
    expect((await occur(topic, { order: 7 }, { description: { order: 7 } })).outcome).toBe(Outcome.OUTCOME_SATISFIED);
    const again = happened(topic, { order: 7, n: 2 }, { description: { order: 7 } });
    expect((await refusalOf(suite.client.events.pushEvent({ event: again }))).metadata).toMatchObject({
      event_id: String(wait.id),
    });
  });
});

describe('a retry', () => {
  it('of a description is answered with its first result', async () => {
    const topic = newTopic();
    const event = described(topic, { order: 7 }, { messageId: randomUUID() });
    const first = await push(event);
    expect(await push(event)).toEqual({ ...first, outcome: Outcome.OUTCOME_DUPLICATE });
    const { event: byMessage } = await suite.client.events.getEvent({
      key: { $case: 'messageId', value: event.messageId },
    });
    expect(byMessage).toEqual(first.event);
    await occur(topic, { order: 7 });
    expect(await push(event)).toMatchObject({
      outcome: Outcome.OUTCOME_DUPLICATE,
      id: first.id,
      event: { status: OCCURRED },
    });
    const other = described(topic, { order: 8 }, { messageId: event.messageId });
    expect((await refusalOf(suite.client.events.pushEvent({ event: other }))).reason).toBe('MESSAGE_ID_REUSED');
    const payload = happened(topic, { order: 7 }, { messageId: event.messageId, issuer: 'warehouse' });
    expect((await refusalOf(suite.client.events.pushEvent({ event: payload }))).reason).toBe('MESSAGE_ID_REUSED');
  });

  it('of what ended a wait is a duplicate', async () => {
    const topic = newTopic();
    const wait = await look(topic, { order: 7 });
    const event = happened(topic, { order: 7 }, { messageId: randomUUID() });
    expect(await push(event)).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
    expect(await push(event)).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, id: wait.id });
  });
});

describe('several pushes', () => {
  it('of one call see each other', async () => {
    const topic = newTopic();
    const events = [
      described(topic, { a: 1 }),
      happened(topic, { a: 1 }),
      described(topic, { a: 1 }),
      happened(topic, { a: 1 }),
    ];
    const { results } = await suite.client.events.pushEvents({ events: events.map((event) => ({ event })) });
    expect(results.map(({ outcome }) => outcome)).toEqual([
      Outcome.OUTCOME_AWAITED,
      Outcome.OUTCOME_SATISFIED,
      Outcome.OUTCOME_FOUND,
      Outcome.OUTCOME_OCCURRED,
    ]);
    expect(new Set(results.slice(0, 3).map(({ event }) => event?.id)).size).toBe(1);
  });

  it('of one call leave nothing when one is refused', async () => {
    const topic = newTopic();
    const wait = await look(topic, { a: 1 });
    const described2 = happened(topic, { a: 2 }, { description: { a: 2 } });
    const events = [happened(topic, { a: 1 }), described(topic, { a: 3 }), described2, described2].map((event) => ({
      event,
    }));
    expect(await refusalOf(suite.client.events.pushEvents({ events }))).toMatchObject({
      reason: 'ALREADY_OCCURRED',
      fields: ['events[3].event.description'],
    });
    expect(await get(wait.id)).toEqual(wait.event);
    expect(await list(topic, [AWAITED])).toHaveLength(1);
    expect((await look(topic, { a: 2 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
  });

  it('of a stream commit in their order', async () => {
    const topic = newTopic();
    const batches = Array.from({ length: 20 }, (_, n) => ({
      batchId: BigInt(n),
      events: [{ event: n % 2 === 0 ? described(topic, { n: n + 1 }) : happened(topic, { n }) }],
    }));
    async function* requests() {
      yield* batches;
    }
    const outcomes: (Outcome | undefined)[] = [];
    for await (const { results } of suite.client.events.pushEventStream(requests())) {
      for (const { result } of results) outcomes.push(result?.$case === 'receipt' ? result.value.outcome : undefined);
    }
    expect(outcomes).toEqual(
      batches.map((_, n) => (n % 2 === 0 ? Outcome.OUTCOME_AWAITED : Outcome.OUTCOME_SATISFIED)),
    );
  });
});

describe('an event is invalidated', () => {
  it('while it is awaited', async () => {
    const topic = newTopic();
    const wait = await look(topic, { a: 1 });
    const { event } = await suite.client.events.invalidateEvent({ id: wait.id, reason: 'not needed' });
    expect(event).toMatchObject({
      id: wait.id,
      status: INVALIDATED,
      invalidationReason: 'not needed',
      description: { a: 1 },
    });
    expect(event?.invalidatedAt).toBeDefined();
    expect((await suite.client.events.invalidateEvent({ id: wait.id, reason: 'again' })).event).toEqual(event);
    expect((await occur(topic, { a: 1 })).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await read(topic, [INVALIDATED])).toMatchObject([{ id: wait.id, status: INVALIDATED }]);
    expect(await get(wait.id)).toEqual(event);
  });

  it('after it occurred: it is not found any more, its entry stays', async () => {
    const topic = newTopic();
    const waits = [await look(topic, { a: 1 }), await look(topic, { b: 1 })];
    const { event } = await occur(topic, { a: 1, b: 1 });
    await suite.client.events.invalidateEvent({ id: waits[1]?.id as bigint, reason: 'wrong' });
    expect(await read(topic, [])).toMatchObject([{ id: event.id, status: OCCURRED }]);
    expect(await read(topic, [OCCURRED, INVALIDATED])).toMatchObject([
      { status: OCCURRED },
      { id: event.id, status: INVALIDATED, invalidationReason: 'wrong' },
    ]);
    for (const { id } of waits) {
      expect(await get(id)).toMatchObject({
        id,
        status: INVALIDATED,
        payload: event.payload,
        occurredAt: event.createdAt,
      });
    }
    expect((await look(topic, { a: 1 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
  });

  it('only if it exists', async () => {
    expect((await refusalOf(suite.client.events.invalidateEvent({ id: 2n ** 60n }))).reason).toBe('EVENT_UNKNOWN');
    expect((await refusalOf(suite.client.events.invalidateEvent({}))).fields).toEqual(['id']);
  });
});

describe('a consumer', () => {
  const statusesOf = async (consumer: string, topic: string, statuses: EventStatus[]) => {
    const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic], statuses } });
    const { deliveries } = await suite.client.consumers.fetch({ consumer, settings, limit: 10 });
    return deliveries.map(({ event }) => event?.status);
  };

  it('gets the ends that it asks for, in the order of the log', async () => {
    const topic = newTopic();
    await occur(topic, { a: 1 }, { stream: topic });
    const { event } = await occur(topic, { a: 2 }, { stream: topic });
    const wait = await look(topic, { a: 3 });
    await suite.client.events.invalidateEvent({ id: event.id });
    await suite.client.events.invalidateEvent({ id: wait.id });
    await occur(topic, { a: 4 }, { stream: topic });
    expect(await statusesOf('plain', topic, [])).toEqual([OCCURRED, OCCURRED, OCCURRED]);
    expect(await statusesOf('all ends', topic, [OCCURRED, INVALIDATED, EXPIRED])).toEqual([
      OCCURRED,
      OCCURRED,
      INVALIDATED,
      INVALIDATED,
      OCCURRED,
    ]);
    expect(await statusesOf('ends', topic, [INVALIDATED])).toEqual([INVALIDATED, INVALIDATED]);
    const { consumer } = await suite.client.consumers.getConsumer({ name: 'ends' });
    expect(consumer?.settings?.filter?.statuses).toEqual([INVALIDATED]);
  });
});

describe('what is awaited', () => {
  it('is listed beside what occurred, in pages', async () => {
    const topic = newTopic();
    const waits = [await look(topic, { n: 1 }), await look(topic, { n: 2 }), await look(topic, { n: 3 })];
    const first = await occur(topic, { n: 2 });
    const second = await occur(topic, { other: true });
    const ids = [first.id, second.id, waits[0]?.id, waits[2]?.id];
    const all = [AWAITED, OCCURRED];
    expect((await list(topic, all, { pageSize: 1 })).map(({ id }) => id)).toEqual(ids);
    expect((await list(topic, all)).map(({ id }) => id)).toEqual(ids);
    expect((await list(topic, all, { newestFirst: true, pageSize: 1 })).map(({ id }) => id)).toEqual(ids.toReversed());
    expect((await list(topic, [AWAITED])).map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await list(topic, [])).map(({ id }) => id)).toEqual(ids.slice(0, 2));
  });
});

describe('a deadline', () => {
  const SOON = { waitTimeout: { seconds: 0n, nanos: 300_000_000 } };

  it('ends the wait by an entry of its own', async () => {
    const topic = newTopic();
    const wait = await look(topic, { a: 1 }, SOON);
    await waitUntil(async () => (await get(wait.id)).status === EXPIRED, { what: 'the wait to expire' });
    expect(await read(topic, [EXPIRED])).toMatchObject([
      { id: wait.id, status: EXPIRED, expiresAt: wait.event.expiresAt },
    ]);
    expect((await occur(topic, { a: 1 })).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await refusalOf(suite.client.events.invalidateEvent({ id: wait.id }))).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'WRONG_STATE',
      fields: ['id'],
    });
  });

  it('that passed while no server ran ends the wait when one starts', async () => {
    const database = await createTestDatabase();
    const topic = newTopic();
    const first = await startServer({ databaseUrl: database.url });
    const firstClient = new TestClient(first.address);
    const { event } = await firstClient.events.pushEvent({ event: described(topic, { a: 1 }), ...SOON });
    firstClient.close();
    await first.stop();
    const dueMs = Number(event?.expiresAt?.seconds) * 1000 + (event?.expiresAt?.nanos ?? 0) / 1_000_000;
    await waitUntil(() => Date.now() > dueMs, { what: 'the deadline to pass' });
    const second = await startServer({ databaseUrl: database.url });
    const client = new TestClient(second.address);
    const status = async () =>
      (await client.events.getEvent({ key: { $case: 'id', value: event?.id ?? 0n } })).event?.status;
    await waitUntil(async () => (await status()) === EXPIRED, { what: 'the wait to expire' });
    client.close();
    await second.stop();
    await database.drop();
  });

  it('is over for a payload that comes after it, expired or not', async () => {
    const topic = newTopic();
    const wait = await look(topic, { a: 1 }, { waitTimeout: { seconds: 0n, nanos: 1_000 } });
    expect((await occur(topic, { a: 1 })).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await get(wait.id)).toMatchObject({ status: EXPIRED });
  });
});

describe('a server that has just started', () => {
  it('finds with its first push what others stored', async () => {
    const topic = newTopic();
    const before = [await occur(topic, { order: 0 }), await look(topic, { order: 1 })];
    for (const [order, { id }] of before.entries()) {
      const server = await startServer({ databaseUrl: suite.database.url });
      const client = new TestClient(server.address);
      const answer = await client.events.pushEvent({ event: described(topic, { order }) });
      expect(answer).toMatchObject({ outcome: Outcome.OUTCOME_FOUND, event: { id } });
      client.close();
      await server.stop();
    }
  });
});

describe('two servers', () => {
  const other = useServerBeside(suite);

  it('await one event and end it once, whoever comes first', async () => {
    const topic = newTopic();
    const clients = [suite.client, other.client];
    const calls = Array.from({ length: 60 }, (_, n) => {
      const description = { order: n % 10 };
      const event = n % 3 === 2 ? happened(topic, { ...description, n }) : described(topic, description);
      return (clients[n % 2] as TestClient).events.pushEvent({ event });
    });
    const results = await Promise.all(calls);
    for (let order = 0; order < 10; order += 1) {
      const mine = results.filter((_, n) => n % 10 === order);
      const awaited = mine.filter(({ outcome }) => outcome === Outcome.OUTCOME_AWAITED);
      const satisfied = mine.filter(({ outcome }) => outcome === Outcome.OUTCOME_SATISFIED);
      expect(awaited.length).toBeLessThanOrEqual(1);
      expect(satisfied.length).toBe(awaited.length);
      const looked = mine.filter(
        ({ outcome }) => outcome === Outcome.OUTCOME_AWAITED || outcome === Outcome.OUTCOME_FOUND,
      );
      expect(new Set(looked.map(({ event }) => event?.id)).size).toBe(1);
    }
    expect(await list(topic, [AWAITED])).toEqual([]);
  });

  it('end what is waited for by streams of either, whichever stored it', async () => {
    const topic = newTopic();
    const waits = await Promise.all(Array.from({ length: 30 }, (_, n) => look(topic, { n })));
    const ended = waits.map(async ({ id }, n) => {
      const { cawins } = n % 2 === 0 ? suite.client : other.client;
      for await (const frame of cawins.waitForEvent({ eventId: id, endOnly: true })) return frame.event?.payload;
      return undefined;
    });
    const pushed = waits.map((_, n) =>
      (n % 3 === 0 ? other.client : suite.client).events.pushEvent({ event: happened(topic, { n, seen: n }) }),
    );
    await Promise.all(pushed);
    for (const [n, payload] of (await Promise.all(ended)).entries())
      expect(payload).toEqual(jsonPayload({ n, seen: n }));
  });

  it('miss nothing while the index of a new description is built', async () => {
    const topic = newTopic();
    const count = 300;
    const before = Array.from({ length: 100 }, (_, n) => ({ event: happened(topic, { n }) }));
    await suite.client.events.pushEvents({ events: before });
    const pushing = Promise.all(
      Array.from({ length: count - 100 }, (_, n) =>
        other.client.events.pushEvent({ event: happened(topic, { n: n + 100 }) }),
      ),
    );
    const clients = [suite.client, other.client];
    const looking = await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        const { event } = await clients[n % 2]!.events.pushEvent({ event: described(topic, { n }) });
        return event as Event;
      }),
    );
    await pushing;
    for (const { id } of looking) expect(await get(id)).toMatchObject({ status: OCCURRED });
    expect(await list(topic, [AWAITED])).toEqual([]);
  });
});
