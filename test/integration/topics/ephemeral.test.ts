// Events that are for those only who listen now, on any instance.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  CreateConsumerRequest,
  FetchRequest,
  GetConsumerRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { Outcome, type PeekEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import { Database } from '../../../src/storage/mysql/sql/database.js';
import { TestSubscriber } from '../../support/consumers/consumer.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const beside = useServerBeside(suite);
const { occur, read, list, await_ } = eventCalls(suite);
const topic = newTopic();
let count = 0;

beforeAll(async () => {
  await suite.client.topics.registerTopic({ name: topic, settings: { ttl: 'ephemeral' } } as never);
  // Instances look every five seconds which topics these are.
  for (const { client } of [suite, beside]) {
    await waitUntil(
      async () => {
        await occur(topic, { n: 0 });
        return (await read({ topics: [topic] }, client)).length === 0;
      },
      { what: 'the topic to be known' },
    );
  }
});

async function consumer(): Promise<string> {
  const name = `listener ${++count}`;
  const request = { name, settings: { filter: { topics: [topic] } } } as Partial<CreateConsumerRequest>;
  await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request as CreateConsumerRequest));
  return name;
}

it('is told by its name where it is told how far retention is', async () => {
  const { topics } = await suite.client.topics.getRetentionState({});
  expect(topics.find(({ name }) => name === topic)).toMatchObject({ ttl: 'ephemeral' });
});

describe('an ephemeral event', () => {
  it('reaches who watches and who is subscribed, on every instance', async () => {
    const seen = [0, 0];
    const ends = new AbortController();
    const watches = [suite, beside].map(async ({ client }, index) => {
      const frames = client.events.watchEvents({ topics: [topic] } as never, { signal: ends.signal });
      for await (const { events } of frames) seen[index] = (seen[index] ?? 0) + events.length;
    });
    const here = new TestSubscriber(suite.client.consumers, { consumer: await consumer() });
    const there = new TestSubscriber(beside.client.consumers, { consumer: await consumer() });
    for (const member of [here, there]) await member.frame('caughtUp');
    await waitUntil(
      async () => {
        await occur(topic, { n: 1 });
        return seen.every((number) => number > 0);
      },
      { what: 'both watchers to see it' },
    );
    expect((await here.first(1)).length).toBe(1);
    expect((await there.first(1)).length).toBe(1);
    ends.abort();
    await Promise.allSettled(watches);
    await here.cancel();
    await there.cancel();
  });

  it('satisfies who waits for it', async () => {
    const n = randomUUID();
    const { id } = await await_(topic, { n });
    const event = await occur(topic, { n, more: true });
    expect(event.id).toBe(id);
  });

  it('is shown to nobody who comes later: no reader, list or consumer, and nothing is missing', async () => {
    const name = await consumer();
    const { position } = await occur(topic, { n: 2 });
    expect(await list({ topics: [topic] })).toEqual([]);
    expect(await read({ topics: [topic] })).toEqual([]);
    const peeked = await suite.client.events.peekEvent({
      topic,
      afterPosition: position - 1n,
    } as never as PeekEventRequest);
    expect([peeked.event, peeked.caughtUp, peeked.gap]).toEqual([undefined, true, undefined]);
    const fetched = await suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer: name }));
    expect([fetched.deliveries, fetched.gaps]).toEqual([[], []]);
    const { consumer: state } = await suite.client.consumers.getConsumer(GetConsumerRequest.fromPartial({ name }));
    expect(state?.expiredUnread).toBe(0n);
  });

  it('is gone once it is ten minutes old, and then still is a duplicate', async () => {
    const name = await consumer();
    const event = newEvent({ topic, messageId: randomUUID(), payload: jsonPayload({ n: 4 }) });
    const first = await suite.client.events.pushEvent({ event });
    const database = new Database({ url: suite.database.url, poolSize: 1, random: Math.random });
    try {
      await database.query('UPDATE log SET created_at = created_at - 660000000');
      await occur('the newest', {});
      const rows = () => database.query('SELECT position FROM log WHERE event_id = ?', [Number(first.event?.id)]);
      await waitUntil(async () => (await rows()).length === 0, { what: 'it is gone', timeoutMs: 30_000 });
    } finally {
      await database.close();
    }
    const again = await suite.client.events.pushEvent({ event });
    expect(again).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { id: first.event?.id } });
    const fetched = await suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer: name }));
    expect([fetched.deliveries, fetched.gaps]).toEqual([[], []]);
    const { consumer: state } = await suite.client.consumers.getConsumer(GetConsumerRequest.fromPartial({ name }));
    expect(state?.expiredUnread).toBe(0n);
  });

  it('may be pushed again safely', async () => {
    const event = newEvent({ topic, messageId: randomUUID(), payload: jsonPayload({ n: 3 }) });
    const first = await suite.client.events.pushEvent({ event });
    const again = await suite.client.events.pushEvent({ event });
    expect(again).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { id: first.event?.id } });
  });
});
