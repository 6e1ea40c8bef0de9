// What the database is asked when events are acknowledged by ids: nothing where none is named, else a few statements for all of them;
// and what happens where it does not answer them.

import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { AckStatus, ConsumerSettings } from '../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, TestSubscriber } from '../support/consumers/consumer.js';
import { refusalOf } from '../support/contract/refusals.js';
import { useProxiedServer } from '../support/database/proxied.js';
import { newEvent } from '../support/events/builders.js';

const EVENTS = 1_000;
const suite = useProxiedServer();

/** Statements that look up what is named. */
async function lookUpsOf(work: () => Promise<unknown>): Promise<string[]> {
  suite.proxy.statements.length = 0;
  await work();
  const texts = suite.proxy.statements.map(({ text }) => text);
  return texts.filter((text) => /^SELECT[\s\S]* (\w+_id|position) IN \(/.test(text));
}

it('no look-up where positions with leases are acknowledged, and few for a thousand ids', async () => {
  const { consumers, events } = suite.client;
  const messageIds = Array.from({ length: EVENTS }, () => randomUUID());
  const drafts = messageIds.map((messageId) => ({ event: newEvent({ messageId }) }));
  const { results } = await events.pushEvents({ events: drafts });
  const eventIds = results.map(({ event }) => event?.id ?? 0n);
  const settings = ConsumerSettings.fromPartial({ ackTimeout: { seconds: 3_600n } });
  const subscriber = new TestSubscriber(consumers, { consumer: 'asked', settings, maxInFlight: EVENTS });
  const deliveries = await subscriber.first(EVENTS);
  const leased = { consumer: 'asked', acknowledgements: acknowledgements(deliveries.slice(0, 100)) };
  expect(await lookUpsOf(() => consumers.acknowledge(leased))).toEqual([]);
  expect(await lookUpsOf(() => consumers.acknowledge({ consumer: 'asked', upTo: 1n }))).toEqual([]);
  const named = { consumer: 'asked', eventIds, messageIds };
  // Two for the message ids, four for where 2,000 events lie, and four for which of those that were done are the consumer's own.
  const first = await lookUpsOf(async () => {
    const { eventResults } = await consumers.acknowledge(named);
    expect(eventResults.filter(({ status }) => status === AckStatus.ACK_STATUS_ACCEPTED)).toHaveLength(EVENTS - 100);
  });
  expect(first.length).toBeLessThanOrEqual(10);
  expect(first.length).toBeGreaterThan(0);
  await subscriber.cancel();
});

it('nothing is acknowledged where ids cannot be looked up, and everything when it is asked again', async () => {
  const { consumers, events } = suite.client;
  const { event } = await events.pushEvent({ event: newEvent({ topic: 'looked up' }) });
  const settings = ConsumerSettings.fromPartial({ filter: { topics: ['looked up'] } });
  const subscriber = new TestSubscriber(consumers, { consumer: 'cut off', settings });
  const [delivery] = await subscriber.first(1);
  const { position = 0n, id = 0n } = event ?? {};
  const request = {
    ...{ consumer: 'cut off', eventIds: [id] },
    acknowledgements: [{ position, lease: delivery?.lease ?? 0n }],
  };
  const isLookUp = ({ text }: { readonly text: string }) => /FROM wait w FORCE INDEX/.test(text);
  const fault = suite.proxy.inject({ harm: { kind: 'cut before' }, when: isLookUp, times: 1_000 });
  const unavailable = { status: 'UNAVAILABLE', reason: 'STORAGE_UNAVAILABLE' };
  expect(await refusalOf(consumers.acknowledge(request))).toMatchObject(unavailable);
  expect(fault.hits).toBeGreaterThan(0);
  expect((await consumers.getConsumer({ name: 'cut off' })).consumer).toMatchObject({ inFlight: 1, pending: 1n });
  fault.end();
  expect(await consumers.acknowledge(request)).toMatchObject({
    results: [{ status: AckStatus.ACK_STATUS_ACCEPTED }],
    eventResults: [{ position, status: AckStatus.ACK_STATUS_ALREADY }],
  });
  await subscriber.cancel();
});
