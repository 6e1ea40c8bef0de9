// The largest answer of every unary call, to a client with gRPC's own limit of 4 MiB: each arrives, and what was cut is said to be.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { SearchEventsRequest } from '../../../generated/madeleine/v1/admin_service.js';
import { CheckOrWaitRequest, CreateCawinRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { ConsumerSettings, FetchRequest, Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import {
  type Event,
  type NewEvent,
  NewEvent as NewEventMessage,
  PayloadEncoding,
} from '../../../generated/madeleine/v1/event.js';
import {
  type PushEventRequest,
  type PushEventResponse,
  PushEventRequest as PushMessage,
} from '../../../generated/madeleine/v1/event_service.js';
import { UnregisteredTopics } from '../../../generated/madeleine/v1/topic_service.js';
import { DEFAULT_SETTINGS } from '../../../src/domain/consumers/consumer.js';
import { consumerToWire } from '../../../src/grpc/consumers/consumer-wire.js';
import { Descriptors } from '../../support/contract/descriptors.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const MIB = 1024 * 1024;
const suite = useServer({ maxEventBytes: String(MIB), callbackAllow: '127.0.0.1', secretKey: 'ab'.repeat(32) });
const NOBODY = { url: 'http://127.0.0.1:9/', secret: '', headers: {}, timeout: undefined };
const BYTES = PayloadEncoding.PAYLOAD_ENCODING_BYTES;

/** A name of the greatest length, its number at the end. */
const name = (n: number | string) => String(n).padStart(255, 'n');
let made = 0;
const fresh = (prefix: string) => `${prefix} ${++made}`;

/** All that an event may have besides its payload. */
const ENVELOPE = NewEventMessage.fromPartial({
  sessionId: 's'.repeat(64),
  correlationId: 'c'.repeat(64),
  to: name('to'),
  replyTo: name('reply'),
  tag: name('tag'),
  entityType: name('entity'),
  organization: name('organization'),
  unit: name('unit'),
  subject: 4,
});
const NAMES = { topic: name('topic'), issuer: name('issuer') };
/** 16 KiB of them. */
const PROPERTIES = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`k${n}`, 'p'.repeat(4_090)]));

function requestOf(event: Partial<NewEvent>): PushEventRequest {
  return PushMessage.fromPartial({ event: newEvent(event) } as PushEventRequest);
}

/** As many answers to deliveries as a request may have. */
const manyAnswers = () =>
  Array.from({ length: 10_000 }, (_, n) => ({ position: BigInt(n % 50) + 1n, lease: BigInt(n) }));

/** Events that are looked for by their number. */
const LOOKED_FOR = Array.from({ length: 240 }, (_, n) => ({ number: n }));

function looks(topic: string): PushEventRequest[] {
  return Array.from({ length: 1_000 }, (_, n) =>
    requestOf({
      topic,
      issuer: 'looker',
      payload: undefined as never,
      description: LOOKED_FOR[n % LOOKED_FOR.length] as never,
    }),
  );
}

/** Each event that is answered without its payload is said to be shortened, and no other. */
function expectSaid(results: readonly PushEventResponse[]): void {
  for (const { event, shortened } of results) expect(shortened).toBe(event?.payload === undefined);
}

/** The event as it is whole, and as it was answered: as much as there is of it is right. */
async function expectPart(answered: Event | undefined): Promise<void> {
  const { event } = await suite.client.events.getEvent({ key: { $case: 'id', value: answered?.id ?? 0n } });
  expect(event).toMatchObject({
    id: answered?.id,
    position: answered?.position,
    issuer: answered?.issuer,
    topic: answered?.topic,
  });
  expect(event?.messageId).toBe(answered?.messageId);
  expect(event?.createdAt).toEqual(answered?.createdAt);
}

async function hugeEvent(changes: Partial<NewEvent> = {}): Promise<Event> {
  const payload = bytesPayload('x'.repeat(MIB), 'text/plain');
  const event = newEvent({ ...ENVELOPE, ...NAMES, properties: PROPERTIES, payload, ...changes });
  const answer = await suite.client.events.pushEvent({ event });
  if (answer.event === undefined) throw new Error('an answer without an event');
  return answer.event;
}

/** A snapshot of a consumer, both with the longest names. */
async function snapshot() {
  const request = { consumer: await consumer(), name: 's'.repeat(255), by: 'b'.repeat(255) };
  await suite.client.consumers.saveSnapshot(request);
  return request;
}

async function consumer(): Promise<string> {
  const list = (kind: string) => Array.from({ length: 100 }, (_, n) => name(`${kind}${n}`));
  const filter = {
    ...{ topics: list('t'), streams: list('s'), issuers: list('i'), tags: list('g'), entityTypes: list('e') },
    description: { text: 'd'.repeat(16_000) },
  };
  const own = name(fresh('consumer'));
  await suite.client.consumers.createConsumer({
    name: own,
    settings: ConsumerSettings.fromPartial({ filter } as never),
  });
  return own;
}

/** A consumer that has parked so many huge events, and the position of the first. */
async function parkedEvents(count: number): Promise<{ readonly own: string; readonly position: bigint | undefined }> {
  const own = name(fresh('parker'));
  const topic = fresh('parked');
  const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic] } });
  await suite.client.consumers.createConsumer({ name: own, settings });
  let position: bigint | undefined;
  for (let n = 0; n < count; n += 1) {
    const event = await hugeEvent({ topic, to: '' });
    position ??= event.position;
    await suite.client.consumers.fetch({ consumer: own });
    const rejections = [{ position: event.position, lease: 0n }];
    const said = { code: 'x'.repeat(64), reason: 'y'.repeat(1_024) };
    await suite.client.consumers.reject({ consumer: own, rejections, verdict: Verdict.VERDICT_PARK, ...said });
  }
  return { own, position };
}

function manyPositions(): bigint[] {
  return Array.from({ length: 1_000 }, (_, n) => BigInt(n) + 1n);
}

async function cawin(): Promise<bigint> {
  const { id: eventId } = await hugeEvent();
  const headers = Object.fromEntries(
    Array.from({ length: 32 }, (_, n) => [`x-${n}`.padEnd(120, 'h'), 'v'.repeat(100)]),
  );
  const request = CreateCawinRequest.fromPartial({ eventId, callback: { ...NOBODY, headers }, active: false } as never);
  return (await suite.client.cawins.createCawin(request)).cawin?.id ?? 0n;
}

/** The largest answers of each call, or as large as those that it shares its message with. Lists have tests of their own. */
const LARGEST: Readonly<Record<string, () => Promise<unknown>>> = {
  'EventService/PushEvent': () => hugeEvent(),
  'EventService/PushEvents': async () => {
    const topic = fresh('batch');
    const events = Array.from({ length: 1_000 }, () =>
      requestOf({ topic, payload: bytesPayload('x'.repeat(4_100), 'text/plain') }),
    );
    const { results } = await suite.client.events.pushEvents({ events });
    expectSaid(results);
    expect(results.filter(({ shortened }) => !shortened).length).toBeGreaterThan(700);
    await expectPart(results.at(-1)?.event);
  },
  'EventService/GetEvent': async () => {
    // As a Value each of these zeros takes eleven bytes.
    const zeros = await hugeEvent({ payload: bytesPayload(`[${'0,'.repeat(MIB / 2 - 2)}0]`) });
    await suite.client.events.getEvent({ key: { $case: 'id', value: zeros.id } });
    const { id } = await hugeEvent();
    return suite.client.events.getEvent({ key: { $case: 'id', value: id } });
  },
  'EventService/InvalidateEvent': async () => {
    const { id } = await hugeEvent();
    return suite.client.events.invalidateEvent({ id, reason: 'r'.repeat(1_024) });
  },
  'EventService/EraseEvents': async () => {
    const dataSubject = name(fresh('subject'));
    await hugeEvent({ dataSubject });
    return suite.client.events.eraseEvents({ target: { $case: 'dataSubject', value: dataSubject } });
  },
  'EventService/PeekEvent': async () => {
    const { position } = await hugeEvent({ topic: fresh('peek') });
    return suite.client.events.peekEvent({ afterPosition: position - 1n, payloadEncoding: BYTES });
  },
  'EventService/ListEvents': async () => {
    const topic = fresh('listed');
    for (let n = 0; n < 5; n += 1) await hugeEvent({ topic });
    return suite.client.events.listEvents({ filter: { topics: [topic] }, pageSize: 1_000 });
  },
  'ConsumerService/Fetch': async () => {
    const topic = name(fresh('fetched'));
    for (let n = 0; n < 2; n += 1) {
      const payload = bytesPayload('x'.repeat(2_900), 'text/plain');
      const events = Array.from({ length: 500 }, () => requestOf({ ...ENVELOPE, ...NAMES, to: '', topic, payload }));
      await suite.client.events.pushEvents({ events });
    }
    for (const payloadEncoding of [BYTES, PayloadEncoding.PAYLOAD_ENCODING_JSON]) {
      const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic] } });
      const request = { consumer: fresh('fetcher'), limit: 1_000, payloadEncoding, settings };
      const { deliveries } = await suite.client.consumers.fetch(FetchRequest.fromPartial(request));
      expect(deliveries.length).toBeGreaterThan(400);
    }
  },
  'ConsumerService/Acknowledge': async () => {
    const own = await consumer();
    const eventIds = Array.from({ length: 1_000 }, (_, n) => BigInt(n) + 1n);
    const messageIds = Array.from({ length: 1_000 }, () => randomUUID());
    return suite.client.consumers.acknowledge({ consumer: own, acknowledgements: manyAnswers(), eventIds, messageIds });
  },
  'ConsumerService/Reject': async () => {
    const request = { consumer: await consumer(), rejections: manyAnswers(), verdict: Verdict.VERDICT_PARK };
    return suite.client.consumers.reject({ ...request, code: 'x'.repeat(64), reason: 'y'.repeat(1_024) });
  },
  'ConsumerService/ExtendAckDeadline': async () => {
    const extension = { seconds: 60n, nanos: 0 };
    return suite.client.consumers.extendAckDeadline({
      consumer: await consumer(),
      positions: manyAnswers(),
      extension,
    });
  },
  'ConsumerService/ListParkedEvents': async () => {
    const { own } = await parkedEvents(5);
    const { events, nextPageToken } = await suite.client.consumers.listParkedEvents({ consumer: own, pageSize: 1_000 });
    expect(events.length).toBeLessThan(5);
    expect(nextPageToken).not.toBe('');
  },
  'ConsumerService/ReplayParkedEvents': async () => {
    const { own } = await parkedEvents(1);
    return suite.client.consumers.replayParkedEvents({ consumer: own, positions: manyPositions() });
  },
  'ConsumerService/DiscardParkedEvents': async () => {
    const { own } = await parkedEvents(1);
    return suite.client.consumers.discardParkedEvents({ consumer: own, positions: manyPositions() });
  },
  'ConsumerService/ReplayEditedEvent': async () => {
    const { own, position = 0n } = await parkedEvents(1);
    const payload = bytesPayload('y'.repeat(MIB), 'text/plain');
    const event = newEvent({ topic: '', issuer: 'editor', payload });
    return suite.client.consumers.replayEditedEvent({ consumer: own, position, event });
  },
  'ConsumerService/CreateConsumer': consumer,
  'ConsumerService/GetConsumer': async () => suite.client.consumers.getConsumer({ name: await consumer() }),
  'ConsumerService/UpdateConsumer': async () => {
    const settings = ConsumerSettings.fromPartial({ maxAttempts: 5 });
    return suite.client.consumers.updateConsumer({ name: await consumer(), settings, updateMask: ['max_attempts'] });
  },
  'ConsumerService/ListConsumers': async () => {
    for (let n = 0; n < 30; n += 1) await consumer();
    return suite.client.consumers.listConsumers({ pageSize: 1_000 });
  },
  'ConsumerService/DeleteConsumer': async () => suite.client.consumers.deleteConsumer({ name: await consumer() }),
  'ConsumerService/PauseConsumer': async () => {
    const reason = '\u0001'.repeat(1_024);
    return suite.client.consumers.pauseConsumer({ consumer: await consumer(), reason, by: 'b'.repeat(255) });
  },
  'ConsumerService/ResumeConsumer': async () =>
    suite.client.consumers.resumeConsumer({ consumer: await consumer(), by: 'b'.repeat(255) }),
  'ConsumerService/ListOffsetMoves': async () => {
    const own = await consumer();
    const to = { at: { $case: 'earliest', value: {} } } as const;
    for (let n = 0; n < 30; n += 1) {
      await suite.client.consumers.seekConsumer({ name: own, to, by: 'b'.repeat(255), reason: 'r'.repeat(1_024) });
    }
    return suite.client.consumers.listOffsetMoves({ consumer: own, pageSize: 1_000 });
  },
  'ConsumerService/SaveSnapshot': async () => suite.client.consumers.saveSnapshot(await snapshot()),
  'ConsumerService/RestoreSnapshot': async () => {
    const reason = 'r'.repeat(1_024);
    return suite.client.consumers.restoreSnapshot({ ...(await snapshot()), reason });
  },
  'ConsumerService/ListSnapshots': async () => {
    const { consumer: own } = await snapshot();
    for (let n = 0; n < 99; n += 1) {
      await suite.client.consumers.saveSnapshot({
        consumer: own,
        name: `${n}`.padStart(255, 's'),
        by: 'b'.repeat(255),
      });
    }
    return suite.client.consumers.listSnapshots({ consumer: own, pageSize: 1_000 });
  },
  'ConsumerService/DeleteSnapshot': async () => suite.client.consumers.deleteSnapshot(await snapshot()),
  'ConsumerService/SeekConsumer': async () =>
    suite.client.consumers.seekConsumer({ name: await consumer(), to: { at: { $case: 'latest', value: {} } } }),
  'StreamService/GetStream': async () => {
    const stream = name(fresh('stream'));
    await hugeEvent({ stream });
    return suite.client.streams.getStream({ name: stream });
  },
  'AdminService/GetServerInfo': () => suite.client.admin.getServerInfo({}),
  'StreamService/TransferStream': async () => {
    const stream = name(fresh('stream'));
    const [owner, newOwner] = [name(fresh('owner')), name(fresh('owner'))];
    await hugeEvent({ stream, issuer: owner });
    return suite.client.streams.transferStream({ stream, owner, newOwner });
  },
  'StreamService/TruncateStream': async () => {
    const stream = name(fresh('stream'));
    const owner = name(fresh('owner'));
    await hugeEvent({ stream, issuer: owner });
    return suite.client.streams.truncateStream({ stream, upToSequence: 1n, dryRun: true });
  },
  'AdminService/GetStats': () => suite.client.admin.getStats({ context: 'all', topTopics: 1_000, topStreams: 100 }),
  'AdminService/SearchEvents': async () => {
    const topic = fresh('searched');
    const events = Array.from({ length: 100 }, () =>
      requestOf({ ...ENVELOPE, ...NAMES, topic, properties: PROPERTIES, payload: bytesPayload('1') }),
    );
    for (let n = 0; n < 4; n += 1) await suite.client.events.pushEvents({ events });
    const request = SearchEventsRequest.fromPartial({ query: 'p', filter: { topics: [topic] }, pageSize: 1_000 });
    const page = await suite.client.admin.searchEvents(request);
    expect(page.hits.length).toBeGreaterThan(100);
    expect(page.nextPageToken).not.toBe('');
    return page;
  },
  'StreamService/ListStreams': () => suite.client.streams.listStreams({ pageSize: 1_000 }),
  'TopicService/RegisterTopic': () => topic(),
  'TopicService/UpdateTopic': async () => {
    const descriptionPaths = Array.from({ length: 16 }, (_, n) => `/${String(n).padStart(1_000, 'q')}`);
    const request = { name: await topic(), settings: { descriptionPaths }, updateMask: ['description_paths'] };
    return suite.client.topics.updateTopic(request);
  },
  'TopicService/UnregisterTopic': async () => suite.client.topics.unregisterTopic({ name: await topic() }),
  'TopicService/GetTopic': async () => suite.client.topics.getTopic({ name: await topic() }),
  'TopicService/ListTopics': () => suite.client.topics.listTopics({ pageSize: 1_000 }),
  'TopicService/GetContext': () => suite.client.topics.getContext({}),
  'TopicService/UpdateContext': () =>
    suite.client.topics.updateContext({ context: name(fresh('context')), updateMask: ['unregistered_topics'] }),
  'TopicService/ListArchives': () => suite.client.topics.listArchives({ context: 'all', pageSize: 1_000 }),
  'TopicService/ListDiscardedSamples': () => discarded(),
  'TopicService/PreviewRetention': async () =>
    suite.client.topics.previewRetention({ name: await topic(), settings: { ttl: '1day' } }),
  'TopicService/GetRetentionState': () => suite.client.topics.getRetentionState({ pageSize: 1_000 }),
  'TopicService/ResumeRetention': () => suite.client.topics.resumeRetention({}),
  'TopicService/ListShapes': () => suite.client.topics.listShapes({ pageSize: 1_000 }),
  'TopicService/DropShape': async () => suite.client.topics.dropShape({ id: await wideShape() }),
  'TopicService/GetSchema': async () => suite.client.topics.getSchema({ topic: await topic() }),
  'TopicService/ListSchemas': async () => suite.client.topics.listSchemas({ topic: await topic(), pageSize: 1_000 }),
  'TopicService/CheckSchema': async () => {
    const own = await topic();
    const schema = JSON.stringify({
      ...SCHEMA,
      ...Object.fromEntries(Array.from({ length: 200 }, (_, n) => [String(n).padStart(100, 'k'), n])),
    });
    const properties = Object.fromEntries(Object.keys(SCHEMA.properties).map((key) => [key, { type: 'string' }]));
    await suite.client.topics.checkSchema({ topic: own, schema: JSON.stringify({ properties }) });
    return suite.client.topics.checkSchema({ topic: own, schema });
  },
  'CawinService/CreateCawin': cawin,
  'CawinService/CheckOrWait': async () => {
    const topic = fresh('checked');
    await hugeEvent({ topic, payload: bytesPayload(`{"a":1,"b":"${'x'.repeat(MIB - 20)}"}`) });
    const request = { topic, issuer: 'shop', description: { a: 1 }, callback: NOBODY };
    return suite.client.cawins.checkOrWait(CheckOrWaitRequest.fromPartial(request as never));
  },
  'CawinService/GetCawin': async () => suite.client.cawins.getCawin({ id: await cawin() }),
  'CawinService/UpdateCawin': async () =>
    suite.client.cawins.updateCawin({ id: await cawin(), active: false, updateMask: ['active'] }),
  'CawinService/ListCawins': () => suite.client.cawins.listCawins({ pageSize: 1_000 }),
  'CawinService/DeleteCawin': async () => suite.client.cawins.deleteCawin({ id: await cawin() }),
  'CawinService/ListAttempts': async () => suite.client.cawins.listAttempts({ cawinId: await cawin() }),
  'CawinService/RetryCawin': async () => suite.client.cawins.retryCawin({ id: await cawin() }),
  'CawinService/ExplainWait': async () => {
    const topic = fresh('explained');
    for (let n = 0; n < 12; n += 1) {
      await hugeEvent({ topic, payload: bytesPayload(`{"a":1,"b":2,"c":"${'x'.repeat(MIB / 2)}"}`) });
    }
    const description = { a: 1, b: 3 };
    const awaited = requestOf({ topic, payload: undefined as never, description });
    const { event } = await suite.client.events.pushEvent(awaited);
    const { nearMisses } = await suite.client.cawins.explainWait({ eventId: event?.id ?? 0n, limit: 20 });
    expect(nearMisses).toHaveLength(12);
    for (const miss of nearMisses) expect(miss.shortened).toBe(miss.event?.payload === undefined);
    expect(nearMisses[0]?.shortened).toBe(false);
    expect(nearMisses.at(-1)?.shortened).toBe(true);
    expect(nearMisses.at(-1)).toMatchObject({ matchingLeaves: 1, leaves: 2, difference: { path: '/b' } });
  },
};

/** Samples that are as large as they get, of more topics than an answer has room for. */
async function discarded() {
  const context = fresh('discarding');
  const settings = { unregisteredTopics: UnregisteredTopics.UNREGISTERED_TOPICS_DISCARD };
  await suite.client.topics.updateContext({ context, settings, updateMask: ['unregistered_topics'] });
  const payload = bytesPayload('x'.repeat(4_096), 'text/plain');
  for (let from = 0; from < 1_000; from += 50) {
    const events = Array.from({ length: 50 }, (_, n) => ({
      event: newEvent({ context, topic: name(`t${from + n}`), payload }),
    }));
    await suite.client.events.pushEvents({ events });
  }
  const listed = () => suite.client.topics.listDiscardedSamples({ context, pageSize: 1_000 });
  await waitUntil(async () => (await listed()).samples.length > 0, { what: 'samples are kept' });
  return listed();
}
/** A schema of nearly 64 KiB. */
const SCHEMA = {
  properties: Object.fromEntries(
    Array.from({ length: 60 }, (_, n) => [String(n).padStart(300, 'p'), { type: 'number' }]),
  ),
  $comment: 'x'.repeat(10_000),
};

async function topic(): Promise<string> {
  const descriptionPaths = Array.from({ length: 16 }, (_, n) => `/${String(n).padStart(1_000, 'p')}`);
  const own = name(fresh('topic'));
  const schema = JSON.stringify(SCHEMA);
  await suite.client.topics.registerTopic({ name: own, settings: { descriptionPaths, schema } });
  return own;
}

/** A shape whose paths are as long as a description may have them, and that nothing is awaited by. */
async function wideShape(): Promise<bigint> {
  const topic = fresh('shaped');
  const description = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [String(n).padStart(1_000, 'p'), n]));
  const { event } = await suite.client.events.pushEvent(requestOf({ topic, payload: undefined as never, description }));
  await suite.client.events.invalidateEvent({ id: event?.id ?? 0n });
  const { shapes } = await suite.client.topics.listShapes({ topic });
  return shapes[0]?.id ?? 0n;
}

const unary = new Descriptors().methods.filter(
  ({ requestStream, responseStream }) => !requestStream && !responseStream,
);

describe('the largest answer', () => {
  it('is known of every unary call', () => {
    expect(Object.keys(LARGEST).sort()).toEqual(unary.map((method) => method.name).sort());
  });

  it.each(unary)('of $name arrives', async (method) => {
    await LARGEST[method.name]?.();
  });
});

describe('PushEvents', () => {
  const push = (events: PushEventRequest[]) => suite.client.events.pushEvents({ events });
  /** As many as a request holds. */
  const wide = (topic: string) =>
    Array.from({ length: 240 }, (_, n) => {
      const properties = { ...PROPERTIES };
      return requestOf({ topic, messageId: uuid(), properties, payload: bytesPayload(JSON.stringify(LOOKED_FOR[n])) });
    });

  it('cuts envelopes where they alone are too long', async () => {
    const events = wide(fresh('wide'));
    const { results } = await push(events);
    expect(results).toHaveLength(240);
    expect(results.filter(({ shortened }) => shortened).length).toBeGreaterThan(0);
    for (const { event } of results) expect(event?.position).toBeGreaterThan(0n);
    await expectPart(results.at(-1)?.event);
    // A retry is answered in the same way.
    const again = await push(events);
    expect(again.results.map(({ event }) => event?.id)).toEqual(results.map(({ event }) => event?.id));
  });

  it('cuts what small descriptions find', async () => {
    const topic = fresh('found');
    await push(wide(topic));
    const { results } = await push(looks(topic));
    expect(results).toHaveLength(1_000);
    expect(new Set(results.map(({ event }) => event?.id)).size).toBe(240);
    expect(results[0]).toMatchObject({ shortened: false, event: { properties: PROPERTIES } });
    expect(results.at(-1)).toMatchObject({ shortened: true, event: { properties: {} } });
    await expectPart(results.at(-1)?.event);
  });

  it('cuts what is awaited, whose descriptions are long', async () => {
    const topic = fresh('awaited');
    const description = { text: 'd'.repeat(15_000) };
    await push([requestOf({ ...NAMES, topic, payload: undefined as never, description })]);
    const request = () => requestOf({ topic, issuer: 'x', payload: undefined as never, description });
    const { results } = await push(Array.from({ length: 270 }, request));
    expect(results.filter(({ shortened }) => shortened).length).toBeGreaterThan(0);
    expect(results.at(-1)?.event?.expiresAt).toEqual(results[0]?.event?.expiresAt);
  });

  it('cuts nothing of what fits', async () => {
    const topic = fresh('fits');
    const { results } = await push(wide(topic).slice(0, 100));
    for (const { shortened, event } of results) {
      expect(shortened).toBe(false);
      expect(event?.properties).toEqual(PROPERTIES);
    }
  });
});

describe('PushEventStream', () => {
  it('answers a batch of refusals below what clients take', async () => {
    const events = Array.from({ length: 1_000 }, () =>
      requestOf({
        topic: ' ',
        issuer: '',
        to: 'n'.repeat(300),
        replyTo: '\u0001',
        tag: 't'.repeat(300),
        properties: { ' ': '' },
      }),
    );
    const requests = (async function* () {
      yield { batchId: 1n, events, atomic: false };
    })();
    for await (const { results } of suite.client.events.pushEventStream(requests)) {
      expect(results).toHaveLength(1_000);
      for (const { result } of results) expect(result?.$case).toBe('error');
    }
  });
});

describe('a consumer of very many members', () => {
  it('is told with a thousand of them, and how many there are', () => {
    const member = {
      ...{ inFlight: 1, inFlightBytes: 1, maxInFlight: 100, maxInFlightBytes: MIB, subscribedAtMs: 1_763_735_280_123 },
    };
    const members = Array.from({ length: 30_000 }, (_, n) => ({ ...member, name: name(n) }));
    const wire = consumerToWire({ ...VIEW, members } as never);
    expect(wire.members).toHaveLength(1_000);
    expect(wire.memberCount).toBe(30_000);
  });
});

/** What else a consumer has is not looked at. */
const VIEW = {
  ...{
    context: 'default',
    name: 'c',
    offset: 0,
    head: 0,
    inFlight: 0,
    parked: 0,
    expiredUnread: 0,
    oldestUnacknowledged: 0,
    createdAt: 0,
  },
  ...{
    activity: 'IDLE',
    activityCause: '',
    activeSinceMs: 0,
    expiredUnread: 0,
    blockedPosition: 0,
    mendCommand: '',
    lagMs: 0,
  },
  ...{ generation: 1, owner: '' },
  settings: DEFAULT_SETTINGS,
};

beforeAll(async () => {
  // Positions for what acknowledges them.
  await suite.client.events.pushEvents({
    events: Array.from({ length: 50 }, () => requestOf({ topic: 'acknowledged' })),
  });
});

function uuid(): string {
  return `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`;
}
