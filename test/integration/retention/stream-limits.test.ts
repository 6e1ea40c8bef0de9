// Topics that keep only so much in each stream, through real clients and two instances: what goes, what stays, and what is told of it.

import { randomUUID } from 'node:crypto';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event, NewEvent } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { RetentionMode, type TopicSettings } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);
let connection: Connection;

beforeAll(async () => {
  connection = await createConnection(suite.database.adminUrl);
});
afterAll(() => connection?.end());

const newTopic = () => `topic ${randomUUID()}`;
const newStream = () => `stream ${randomUUID()}`;

async function registered(settings: Partial<TopicSettings>): Promise<string> {
  const name = newTopic();
  await suite.client.topics.registerTopic({ name, settings });
  return name;
}

async function push(topic: string, rest: Partial<NewEvent> = {}, client = suite.client): Promise<Event> {
  return (await client.events.pushEvent({ event: newEvent({ topic, ...rest }) })).event as Event;
}

async function pushes(topic: string, stream: string, count: number): Promise<Event[]> {
  const events: Event[] = [];
  for (let n = 0; n < count; n += 1) events.push(await push(topic, { stream, payload: jsonPayload({ n }) }));
  return events;
}

const placesOf = (events: readonly Event[]) => events.map(({ position }) => position);

async function positions(topic: string, client = suite.client): Promise<bigint[]> {
  return placesOf((await client.events.listEvents({ filter: { topics: [topic] }, pageSize: 1_000 })).events);
}

const becomes = (topic: string, expected: readonly Event[]) =>
  waitUntil(async () => (await positions(topic)).join() === placesOf(expected).join(), {
    what: `of ${topic} there is ${placesOf(expected).join()}`,
    timeoutMs: 60_000,
  });

async function createConsumer(topic: string): Promise<string> {
  const name = `c ${topic}`;
  await suite.client.consumers.createConsumer({ name, settings: { filter: { topics: [topic] } } });
  return name;
}

// Each waits for most of its time until something goes.
describe.concurrent('a topic that keeps so many events in each stream', () => {
  it('has the newest of each, whatever else is in the streams', async () => {
    const topic = await registered({ maxEventsPerStream: 2n });
    const beside = await registered({ maxEventsPerStream: 1n });
    const permanent = newTopic();
    const [one, two] = [newStream(), newStream()];
    const alone = await push(topic);
    const first = await pushes(topic, one, 2);
    const othersOne = await pushes(beside, one, 2);
    const all = await pushes(permanent, one, 3);
    const second = await pushes(topic, two, 3);
    const last = await pushes(topic, one, 1);
    await becomes(topic, [alone, first[1], ...second.slice(1), ...last] as Event[]);
    await becomes(beside, othersOne.slice(1));
    expect(await positions(permanent)).toEqual(placesOf(all));
    for (const { client } of [suite, other]) {
      const gone = client.events.getEvent({ key: { $case: 'id', value: first[0]?.id ?? 0n } });
      expect((await refusalOf(gone)).reason).toBe('EVENT_UNKNOWN');
      const { stream } = await client.streams.getStream({ name: two });
      expect(stream).toMatchObject({ lastSequence: 3n });
    }
    // Sequences go on, and are expected to.
    const event = newEvent({ topic, stream: two });
    const refused = suite.client.events.pushEvent({ event, expectedSequence: 2n });
    expect((await refusalOf(refused)).reason).toBe('SEQUENCE_CONFLICT');
    expect((await suite.client.events.pushEvent({ event, expectedSequence: 3n })).event?.sequence).toBe(4n);
  });

  it('answers a push of what is gone as a duplicate', async () => {
    const topic = await registered({ maxEventsPerStream: 1n });
    const stream = newStream();
    const event = newEvent({ topic, stream, messageId: randomUUID(), payload: jsonPayload({ once: true }) });
    const first = await suite.client.events.pushEvent({ event });
    const newest = await push(topic, { stream });
    await becomes(topic, [newest]);
    for (const { client } of [suite, other]) {
      const again = await client.events.pushEvent({ event });
      expect(again).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { id: first.event?.id, position: 0n } });
    }
    await becomes(topic, [newest]);
  });

  it('has them while two instances push', async () => {
    const topic = await registered({ maxEventsPerStream: 3n });
    const streams = [newStream(), newStream(), newStream()];
    const writers = streams.flatMap((stream) =>
      [suite.client, other.client].map(async (client) => {
        const events: Event[] = [];
        for (let n = 0; n < 15; n += 1) events.push(await push(topic, { stream }, client));
        return events;
      }),
    );
    const all = (await Promise.all(writers)).flat().sort((a, b) => Number(a.position - b.position));
    const newest = streams.flatMap((stream) => all.filter((event) => event.stream === stream).slice(-3));
    await becomes(
      topic,
      newest.sort((a, b) => Number(a.position - b.position)),
    );
  });

  it('keeps as many bytes of payloads, and the newest event however large it is', async () => {
    const topic = await registered({ maxBytesPerStream: 100n });
    const [small, large] = [newStream(), newStream()];
    const data = (bytes: number) => ({
      payload: { contentType: 'text/plain', body: { $case: 'data' as const, value: Buffer.alloc(bytes, 'x') } },
    });
    const smalls = [];
    for (let n = 0; n < 4; n += 1) smalls.push(await push(topic, { stream: small, ...data(40) }));
    await push(topic, { stream: large, ...data(10) });
    const alone = await push(topic, { stream: large, ...data(101) });
    await becomes(topic, [...smalls.slice(2), alone]);
  });

  it('loses by its age, too', async () => {
    const topic = await registered({ maxEventsPerStream: 2n, ttl: '1h' });
    const stream = newStream();
    const [, , old, young] = (await pushes(topic, stream, 4)) as [Event, Event, Event, Event];
    const alone = await push(topic);
    await becomes(topic, [old, young, alone]);
    await connection.query('UPDATE log SET created_at = created_at - 7200000000 WHERE position <= ?', [old.position]);
    await becomes(topic, [young, alone]);
  });
});

describe.concurrent('what a durable consumer has not passed', () => {
  it('is not taken by a new or smaller limit unless it is forced, and is told then', async () => {
    const topic = await registered({ maxEventsPerStream: 5n });
    const stream = newStream();
    const consumer = await createConsumer(topic);
    const events = await pushes(topic, stream, 4);
    const update = { name: topic, settings: { maxEventsPerStream: 1n }, updateMask: ['max_events_per_stream'] };
    const isRefused = { status: 'FAILED_PRECONDITION', reason: 'SETTINGS_DIFFER' };
    expect(await refusalOf(suite.client.topics.updateTopic(update))).toMatchObject({
      ...{ ...isRefused, fields: ['settings.max_events_per_stream'] },
    });
    await expect(suite.client.topics.updateTopic(update)).rejects.toThrow(
      `takes 3 events that consumer "${consumer}" in "default" has not passed`,
    );
    const bytes = { name: topic, settings: { maxBytesPerStream: 8n }, updateMask: ['max_bytes_per_stream'] };
    expect(await refusalOf(suite.client.topics.updateTopic({ ...bytes, dryRun: true }))).toMatchObject({
      ...{ ...isRefused, fields: ['settings.max_bytes_per_stream'] },
    });
    await suite.client.topics.updateTopic({ ...update, settings: { maxEventsPerStream: 4n } });
    const used = newTopic();
    await createConsumer(used);
    await pushes(used, stream, 2);
    const register = { name: used, settings: { maxEventsPerStream: 1n } };
    expect(await refusalOf(suite.client.topics.registerTopic(register))).toMatchObject(isRefused);
    await suite.client.topics.updateTopic({ ...update, force: true });
    await becomes(topic, events.slice(3));
    expect((await suite.client.consumers.getConsumer({ name: consumer })).consumer?.expiredUnread).toBe(3n);
    const { gaps, deliveries } = await suite.client.consumers.fetch({ consumer, limit: 10 });
    expect(gaps.reduce((sum, gap) => sum + (gap.events ?? 0n), 0n)).toBe(3n);
    expect(deliveries.map(({ event }) => event?.position)).toEqual(placesOf(events.slice(3)));
  });

  it('is held with HOLD, with what came after it in its stream, until it is passed', async () => {
    const topic = await registered({
      maxEventsPerStream: 1n,
      retentionMode: RetentionMode.RETENTION_MODE_HOLD,
    });
    const [held, free] = [newStream(), newStream()];
    const consumer = `c ${topic}`;
    await suite.client.consumers.createConsumer({
      name: consumer,
      settings: { filter: { topics: [topic], streams: [held] } },
    });
    const ofHeld = await pushes(topic, held, 3);
    const ofFree = await pushes(topic, free, 3);
    await becomes(topic, [...ofHeld, ...ofFree.slice(2)]);
    const preview = await suite.client.topics.previewRetention({ name: topic });
    expect(preview).toMatchObject({ events: 2n, heldFrom: ofHeld[0]?.position });
    expect(preview.notPassed).toMatchObject([{ consumer, events: 2n, atLeast: false }]);
    const { deliveries } = await suite.client.consumers.fetch({ consumer, limit: 1 });
    await suite.client.consumers.acknowledge({
      consumer,
      acknowledgements: deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease })),
    });
    await becomes(topic, [...ofHeld.slice(1), ...ofFree.slice(2)]);
  });
});

describe.concurrent('what is told of the limits', () => {
  it('is before what goes then', async () => {
    const topic = newTopic();
    const [one, two] = [newStream(), newStream()];
    const events = [...(await pushes(topic, one, 5)), ...(await pushes(topic, two, 2))];
    await push(topic);
    const settings = { maxEventsPerStream: 3n, maxBytesPerStream: 16n };
    const preview = await suite.client.topics.previewRetention({ name: topic, settings });
    // Payloads of 7 bytes: two are within 16.
    expect(preview).toMatchObject({ events: 3n, bytes: 21n, oldestPosition: events[0]?.position, atLeast: false });
    expect(preview).toMatchObject({ newestPosition: events[2]?.position, notPassed: [], heldFrom: 0n });
    expect(await suite.client.topics.previewRetention({ name: topic })).toMatchObject({ events: 0n });
    await suite.client.topics.registerTopic({ name: topic, settings });
    await waitUntil(async () => (await positions(topic)).length === 5, { what: 'three went', timeoutMs: 60_000 });
    const { topics } = await other.client.topics.getRetentionState({ pageSize: 1_000 });
    expect(topics.find(({ name }) => name === topic)).toMatchObject({
      ...{ ...settings, ttl: '', deletedEvents: 3n, deletedBytes: 21n },
    });
    expect(await suite.client.topics.previewRetention({ name: topic })).toMatchObject({ events: 0n });
  });

  it('is what is wrong with them', async () => {
    for (const settings of [{ maxEventsPerStream: 1_000_000_001n }, { maxBytesPerStream: 2n ** 63n }]) {
      const [field] = Object.keys(settings).map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
      const refusal = await refusalOf(suite.client.topics.registerTopic({ name: newTopic(), settings }));
      expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', fields: [`settings.${field}`] });
      const preview = await refusalOf(suite.client.topics.previewRetention({ name: newTopic(), settings }));
      expect(preview).toMatchObject({ reason: 'FIELD_INVALID', fields: [`settings.${field}`] });
    }
  });
});

describe('a limit of streams', () => {
  it('is obeyed while the clock is not to be trusted', async () => {
    await connection.query('UPDATE retention_cursor SET stopped_at = 1000000, leapt_by = 86401000000');
    const topic = await registered({ maxEventsPerStream: 1n });
    const events = await pushes(topic, newStream(), 3);
    await becomes(topic, events.slice(2));
    expect(await suite.client.topics.resumeRetention({})).toEqual({ resumed: true });
  });
});
