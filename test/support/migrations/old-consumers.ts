// The consumers that an old server is made to keep: at different places, with acknowledgements above the offset, events in flight,
// events that gave trouble, one that is deleted.

import type { Delivery } from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements } from '../consumers/consumer.js';
import { waitUntil } from '../wait-until.js';
import type { ContractClient } from './contract.js';

const EARLIEST = { at: { $case: 'earliest', value: {} } } as const;
const LONG_SECONDS = 12n * 3_600n;

export async function makeConsumers(client: ContractClient): Promise<void> {
  await makeFinished(client);
  await makeHalfway(client);
  await makeSettings(client);
  await loseMember(client, 'troubled', 5);
  await loseMember(client, 'given-up', 1);
  await client.consumers.createConsumer({ name: 'deleted', start: EARLIEST });
  await client.consumers.deleteConsumer({ name: 'deleted' });
  await client.consumers.createConsumer({ context: 'all', name: 'auditor', start: EARLIEST });
  await client.consumers.createConsumer({ context: '日本 🎉', name: "consumer '%_\\ ü", start: EARLIEST });
}

async function fetchFrom(client: ContractClient, consumer: string, limit: number): Promise<readonly Delivery[]> {
  const { deliveries } = await client.consumers.fetch({ consumer, limit, start: EARLIEST });
  return deliveries;
}

async function acknowledge(client: ContractClient, consumer: string, deliveries: readonly Delivery[]): Promise<void> {
  await client.consumers.acknowledge({ consumer, acknowledgements: acknowledgements(deliveries) });
}

async function makeFinished(client: ContractClient): Promise<void> {
  for (;;) {
    const deliveries = await fetchFrom(client, 'finished', 100);
    if (deliveries.length === 0) return;
    await acknowledge(client, 'finished', deliveries);
  }
}

/** Two are acknowledged, one is not, of the next ones every second one is; all others of the ten are in flight. */
async function makeHalfway(client: ContractClient): Promise<void> {
  const settings = { ackTimeout: { seconds: LONG_SECONDS, nanos: 0 }, ordering: 2 };
  await client.consumers.createConsumer({ name: 'halfway', start: EARLIEST, settings });
  const deliveries = await fetchFrom(client, 'halfway', 10);
  await acknowledge(
    client,
    'halfway',
    deliveries.filter((_, index) => index < 2 || index % 2 === 1),
  );
}

async function makeSettings(client: ContractClient): Promise<void> {
  const filter = {
    topics: ['orders', 'payloads'],
    streams: ['order-7', '訂單 8 🎉'],
    issuers: ['shop', 'Zoë & co'],
    subjects: [4],
    tags: ['größer 🎉'],
    entityTypes: ['order'],
  };
  const settings = { filter, ackTimeout: { seconds: 7n, nanos: 0 }, maxAttempts: 9, ordering: 2, ignoreOwn: true };
  await client.consumers.createConsumer({ name: 'particular', settings, start: EARLIEST });
  await client.consumers.createConsumer({ name: 'latest', start: { at: { $case: 'latest', value: {} } } });
}

/** A member that got events and left without an answer, which the server has written down. */
async function loseMember(client: ContractClient, consumer: string, maxAttempts: number): Promise<void> {
  const settings = { maxAttempts };
  const leaving = new AbortController();
  const stream = client.consumers.subscribe(
    { consumer, start: EARLIEST, settings, maxInFlight: 3 },
    { signal: leaving.signal },
  );
  try {
    for await (const { deliveries } of stream) if (deliveries.length > 0) leaving.abort();
  } catch (error) {
    if (!leaving.signal.aborted) throw error;
  }
  const left = async () => (await client.consumers.getConsumer({ name: consumer })).consumer?.members.length === 0;
  await waitUntil(left, { what: `the member of ${consumer} has left` });
}
