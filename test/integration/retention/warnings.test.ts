// Events of `madeleine.retention`: told before something goes that a durable consumer has not passed.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { CreateConsumerRequest, FetchRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { Database } from '../../../src/storage/mysql/sql/database.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
useServerBeside(suite);
const { occur, read } = eventCalls(suite);
let database: Database;

beforeAll(() => {
  database = new Database({ url: suite.database.url, poolSize: 1, random: Math.random });
});
afterAll(() => database.close());

async function consumer(name: string, topic: string): Promise<string> {
  const request = { name, settings: { filter: { topics: [topic] } } };
  await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request));
  return name;
}

async function pass(name: string): Promise<void> {
  const { deliveries } = await suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer: name }));
  const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
  await suite.client.consumers.acknowledge({ consumer: name, acknowledgements });
}

const warnings = async (topic: string) =>
  (await read({ topics: ['madeleine.retention'] })).filter(({ payload }) => {
    const body = payload?.body;
    return body?.$case === 'json' && (body.value as { topic: string }).topic === topic;
  });

it('are one for each consumer that is about to lose something, and say what and when', {
  timeout: 60_000,
}, async () => {
  const topic = newTopic();
  const behind = await consumer(`behind ${topic}`, topic);
  const ready = await consumer(`ready ${topic}`, topic);
  const { position } = await occur(topic, { n: 1 });
  await occur(topic, { n: 2 });
  await pass(ready);
  await database.query('UPDATE log SET created_at = created_at - 3600000000');
  await occur(topic, { n: 3 });
  const settings = { ttl: '2h', unreadWarning: '90min' };
  await suite.client.topics.registerTopic({ name: topic, settings });
  await waitUntil(async () => (await warnings(topic)).length > 0, { what: 'a warning', timeoutMs: 40_000 });
  const [warning, ...others] = await warnings(topic);
  expect(others).toEqual([]);
  expect(warning).toMatchObject({ tag: behind, entityType: 'consumer', issuer: 'madeleine', context: 'default' });
  expect(warning?.payload?.body).toMatchObject({
    value: {
      ...{ consumer: behind, consumer_context: 'default', topic, events: 2, events_is_minimum: false },
      first_position: Number(position),
    },
  });
});
