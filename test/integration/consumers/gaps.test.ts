// What was deleted before it was read: gaps of readers and of consumers, on one instance and over a take-over.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CreateConsumerRequest,
  type Delivery,
  FetchRequest,
  GetConsumerRequest,
  type ReplayParkedEventsRequest,
  SeekConsumerRequest,
  type StartPosition,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { Event } from '../../../generated/madeleine/v1/event.js';
import type { Gap, PeekEventRequest, ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { TestSubscriber } from '../../support/consumers/consumer.js';
import { TestDeletion } from '../../support/events/deletion.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const beside = useServerBeside(suite);
const { occur } = eventCalls(suite);
let deletion: TestDeletion;
let count = 0;

beforeAll(() => {
  deletion = new TestDeletion(suite.database.url);
});
afterAll(() => deletion.close());

async function pushed(topic: string, number: number): Promise<Event[]> {
  const events: Event[] = [];
  for (let n = 0; n < number; n += 1) events.push(await occur(topic, { n }));
  return events;
}

const at = (events: readonly Event[]) => events.map(({ position }) => position);
const remove = (events: readonly Event[]) => deletion.remove(at(events));
const newName = () => `consumer ${++count}`;

async function consumer(topic: string, start?: StartPosition) {
  const name = newName();
  const request = { name, settings: { filter: { topics: [topic] } }, start } as Partial<CreateConsumerRequest>;
  await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request as CreateConsumerRequest));
  return name;
}

const get = async (name: string, client = suite.client) =>
  (await client.consumers.getConsumer(GetConsumerRequest.fromPartial({ name }))).consumer;
const expired = async (name: string, client = suite.client) => (await get(name, client))?.expiredUnread;
const subscribe = (name: string, client = suite.client) => new TestSubscriber(client.consumers, { consumer: name });
const fetch = (name: string, more: Partial<FetchRequest> = {}) =>
  suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer: name, ...more } as FetchRequest));
const seek = (name: string, to: StartPosition) =>
  suite.client.consumers.seekConsumer(SeekConsumerRequest.fromPartial({ name, to } as SeekConsumerRequest));
const acknowledge = (name: string, deliveries: readonly Delivery[]) =>
  suite.client.consumers.acknowledge({
    consumer: name,
    acknowledgements: deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease })),
  });
const spans = (gaps: readonly Gap[]) => gaps.map((gap) => [gap.firstPosition, gap.lastPosition, gap.events]);
const gapsOf = ({ frames }: TestSubscriber) =>
  spans(frames.flatMap((frame) => (frame.$case === 'gap' ? [frame.value] : [])));

/** Frames of a reading to its end. */
async function read(request: object) {
  const events: bigint[] = [];
  const gaps: Gap[] = [];
  for await (const frame of suite.client.events.readEvents(request as ReadEventsRequest)) {
    events.push(...frame.events.map(({ position }) => position));
    if (frame.frame?.$case === 'gap') gaps.push(frame.frame.value);
  }
  return { events, gaps: spans(gaps) };
}

/** Instances look every 50 ms how far deletions reach. */
async function noticed(topic: string, events: readonly Event[], left: readonly Event[]): Promise<void> {
  // From before them, where memory has them still.
  const afterPosition = (events[0]?.position ?? 1n) - 1n;
  await waitUntil(async () => (await read({ topics: [topic], afterPosition })).events.length === left.length, {
    what: 'the deletion to be noticed',
  });
}

describe('a durable consumer', () => {
  it('is told what was deleted before it read it, in its place, and once', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 10);
    const name = await consumer(topic);
    const [p] = at(events);
    await remove(events.slice(2, 5));
    expect(await expired(name)).toBe(3n);
    await noticed(topic, events, [...events.slice(0, 2), ...events.slice(5)]);

    const first = subscribe(name);
    expect((await first.opened()).consumer?.expiredUnread).toBe(3n);
    const deliveries = await first.first(7);
    expect(first.numbers).toEqual([0, 1, 5, 6, 7, 8, 9]);
    expect(gapsOf(first)).toEqual([[(p ?? 0n) + 2n, (p ?? 0n) + 4n, 3n]]);
    await acknowledge(name, deliveries);
    await first.cancel();

    await seek(name, { at: { $case: 'earliest', value: {} } });
    const second = subscribe(name);
    await second.first(7);
    expect(gapsOf(second)).toEqual([]);
    expect(await expired(name)).toBe(3n);
    await second.cancel();
  });

  it('is told while it waits at the head, and of what it has in flight', async () => {
    const topic = newTopic();
    const name = await consumer(topic);
    const events = await pushed(topic, 3);
    const member = subscribe(name);
    const deliveries = await member.first(3);
    await acknowledge(name, deliveries.slice(0, 1));
    await remove(events);
    await member.frame('gap');
    expect(gapsOf(member).map(([, , number]) => number)).toEqual([2n]);
    const { results } = await acknowledge(name, deliveries);
    expect(results).toHaveLength(3);
    await waitUntil(async () => (await get(name))?.pending === 0n, { what: 'nothing is pending' });
    expect(await expired(name)).toBe(2n);
    await member.cancel();
  });

  it('is told of what it was moved back to and is gone, without a count', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 4);
    const name = await consumer(topic);
    const one = subscribe(name);
    await acknowledge(name, await one.first(4));
    await one.cancel();
    await remove(events.slice(0, 3));
    expect(await expired(name)).toBe(0n);
    await noticed(topic, events, events.slice(3));
    const [first = 0n, , third = 0n] = at(events);
    await seek(name, { at: { $case: 'afterPosition', value: first - 1n } });
    const two = subscribe(name);
    await two.first(1);
    expect(two.numbers).toEqual([3]);
    expect(gapsOf(two)).toEqual([[first, third, undefined]]);
    expect(await expired(name)).toBe(0n);
    await two.cancel();
  });

  it('is told of what lies after its start, and of nothing if it starts with the oldest event', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 4);
    await remove(events.slice(0, 2));
    await noticed(topic, events, events.slice(2));
    const [first = 0n, second = 0n] = at(events);
    const after = await consumer(topic, { at: { $case: 'afterPosition', value: first - 1n } });
    const time = await consumer(topic, { at: { $case: 'afterTime', value: { seconds: 1n, nanos: 0 } } });
    const earliest = await consumer(topic);
    expect(spans((await fetch(after)).gaps)).toEqual([[first, second, undefined]]);
    expect(spans((await fetch(time)).gaps)).toEqual([[1n, second, undefined]]);
    const { gaps, deliveries } = await fetch(earliest);
    expect([gaps, deliveries.length]).toEqual([[], 2]);
  });

  it('that fetches is told with its events, or at once where nothing is left', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 3);
    const name = await consumer(topic);
    await remove(events.slice(0, 1));
    await noticed(topic, events, events.slice(1));
    const { gaps, deliveries } = await fetch(name);
    expect(spans(gaps)).toEqual([[events[0]?.position, events[0]?.position, 1n]]);
    expect(deliveries).toHaveLength(2);
    await acknowledge(name, deliveries);
    expect((await fetch(name)).gaps).toEqual([]);
    const more = await pushed(topic, 1);
    await remove(more);
    await noticed(topic, more, []);
    const begin = performance.now();
    const alone = await fetch(name, { wait: { seconds: 50n, nanos: 0 } });
    expect(performance.now() - begin).toBeLessThan(20_000);
    expect([alone.deliveries, spans(alone.gaps)]).toEqual([[], [[more[0]?.position, more[0]?.position, 1n]]]);
  });

  it('that is paused counts what it loses, and is told of it once it goes on', async () => {
    const topic = newTopic();
    const name = await consumer(topic);
    const member = subscribe(name);
    await member.opened();
    await suite.client.consumers.pauseConsumer({ consumer: name });
    await remove(await pushed(topic, 2));
    await waitUntil(async () => (await expired(name)) === 2n, { what: 'the count', timeoutMs: 15_000 });
    expect(gapsOf(member)).toEqual([]);
    await suite.client.consumers.resumeConsumer({ consumer: name });
    await member.frame('gap');
    expect(gapsOf(member).map(([, , number]) => number)).toEqual([2n]);
    await member.cancel();
  });

  it('is told of what its stream lost before what is left of that, though it was held back', async () => {
    const topic = newTopic();
    const stream = `stream ${topic}`;
    const events: Event[] = [];
    for (let n = 0; n < 3; n += 1) events.push(await occur(topic, { n }, { stream }));
    const name = await consumer(topic);
    const [first] = (await fetch(name, { limit: 1 })).deliveries;
    const rejections = [{ position: first?.event?.position ?? 0n, lease: first?.lease ?? 0n }];
    const later = { verdict: Verdict.VERDICT_RETRY, delay: { seconds: 2n, nanos: 0 } };
    await suite.client.consumers.reject({ consumer: name, rejections, ...later });
    // The others of the stream wait for it.
    expect((await fetch(name)).deliveries).toEqual([]);
    await remove(events.slice(1, 2));
    await noticed(topic, events, [events[0], events[2]] as Event[]);
    const wait = { seconds: 20n, nanos: 0 };
    const again = await fetch(name, { limit: 1, wait });
    await acknowledge(name, again.deliveries);
    const rest = await fetch(name, { wait });
    expect([...again.deliveries, ...rest.deliveries].map(({ event }) => event?.sequence)).toEqual([1n, 3n]);
    const lost = events[1]?.position;
    expect(spans([...again.gaps, ...rest.gaps])).toEqual([[lost, lost, 1n]]);
  });

  it('that nobody has run is told by whoever runs it first, on any instance', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 3);
    const name = await consumer(topic);
    await remove(events.slice(0, 2));
    expect(await expired(name, beside.client)).toBe(2n);
    const member = subscribe(name, beside.client);
    await member.first(1);
    expect(gapsOf(member).map(([, , number]) => number)).toEqual([2n]);
    await member.cancel();
  });

  it('that lost a parked event is told of that, and does not get it again', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 1);
    const name = await consumer(topic);
    const [delivery] = (await fetch(name)).deliveries;
    const [position = 0n] = at(events);
    const rejection = { position, lease: delivery?.lease ?? 0n };
    await suite.client.consumers.reject({ consumer: name, rejections: [rejection], verdict: 2, reason: 'cannot' });
    expect((await get(name))?.parked).toBe(1n);
    await remove(events);
    await waitUntil(async () => (await fetch(name)).gaps.length === 1, { what: 'the gap', timeoutMs: 15_000 });
    expect(await expired(name)).toBe(1n);
    const replay = { name, positions: [position] } as unknown as ReplayParkedEventsRequest;
    await suite.client.consumers.replayParkedEvents(replay).catch(() => {});
    expect((await fetch(name)).deliveries).toEqual([]);
  });
});

describe('a reader', () => {
  it('is told where events of its topics were deleted, once, and gets what is left', async () => {
    const topic = newTopic();
    const other = newTopic();
    const events = await pushed(topic, 6);
    const others = await pushed(other, 2);
    await remove([events[1], events[3]] as Event[]);
    const left = [0, 2, 4, 5].map((n) => events[n] as Event);
    await noticed(topic, events, left);
    const [p = 0n] = at(events);
    expect(await read({ topics: [topic], batchSize: 1 })).toEqual({
      events: at(left),
      gaps: [[1n, p + 3n, undefined]],
    });
    expect(await read({ topics: [topic], afterPosition: p + 3n })).toEqual({ events: at(left.slice(2)), gaps: [] });
    expect((await read({ topics: [other] })).gaps).toEqual([]);
    expect((await read({ topics: [other] })).events).toEqual(at(others));
  });

  it('that peeks is told beside the next event', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 3);
    await remove(events.slice(0, 2));
    await noticed(topic, events, events.slice(2));
    const [p = 0n] = at(events);
    const peek = (afterPosition: bigint) =>
      suite.client.events.peekEvent({ topic, afterPosition } as unknown as PeekEventRequest);
    const { event, gap } = await peek(p - 1n);
    expect([event?.position, gap]).toEqual([p + 2n, { firstPosition: p, lastPosition: p + 1n, events: undefined }]);
    expect((await peek(p + 1n)).gap).toBeUndefined();
  });

  it('that lists sees what is left', async () => {
    const topic = newTopic();
    const events = await pushed(topic, 3);
    await remove(events.slice(0, 1));
    const listed = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    expect(at(listed.events)).toEqual(at(events.slice(1)));
  });
});
