// Two hundred subscribers, one that reads nothing and one that acknowledges nothing: the others get everything, once, and what the
// two have is bounded by their credit. Counted; `make soak ARGS="--subscribers 1000"` measures.

import { setMaxListeners } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Consumer, ConsumerSettings, SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, TestSubscriber } from '../../support/consumers/consumer.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { metric } from '../../support/server/metrics.js';
import { StillCalls } from '../../support/server/still-calls.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const MIB = 1024 * 1024;
const OTHERS = 198;
const BATCHES = 5;
const BATCH = 40;
/** Of the one that acknowledges nothing. */
const CREDIT = 50;
const suite = useServer();
const settings = ConsumerSettings.fromPartial({ ackTimeout: { seconds: 600n } });
const leaving = new AbortController();
setMaxListeners(0, leaving.signal);
const running: Promise<void>[] = [];
let still: StillCalls;
let deaf: TestSubscriber;

beforeAll(async () => {
  still = new StillCalls(suite.server.address);
  const large = { maxInFlight: 65_536, maxInFlightBytes: BigInt(64 * MIB), settings };
  const request = SubscribeRequest.fromPartial({ consumer: 'reads nothing', ...large });
  still.open('/madeleine.v1.ConsumerService/Subscribe', SubscribeRequest.encode(request).finish());
  await waitUntil(() => still.answered === 1, { what: 'the one that reads nothing has begun' });
  deaf = new TestSubscriber(suite.client.consumers, {
    consumer: 'acknowledges nothing',
    maxInFlight: CREDIT,
    settings,
  });
  await deaf.opened();
}, 60_000);
afterAll(async () => {
  leaving.abort();
  await Promise.all(running);
  await deaf?.cancel();
  still?.close();
});

/** Takes and acknowledges everything; counts what came. */
async function take(consumer: string, counts: Map<string, number>): Promise<void> {
  const { consumers } = suite.client;
  for await (const { deliveries } of consumers.subscribe({ consumer, settings }, { signal: leaving.signal })) {
    if (deliveries.length === 0) continue;
    counts.set(consumer, (counts.get(consumer) ?? 0) + deliveries.length);
    await consumers.acknowledge({ consumer, acknowledgements: acknowledgements(deliveries) });
  }
}

it('the others get everything once, whatever one leaves unread and another unacknowledged', async () => {
  const counts = new Map<string, number>();
  const names = Array.from({ length: OTHERS }, (_, n) => `other ${n}`);
  running.push(...names.map((name) => take(name, counts).catch(() => {})));
  const viewed = async () => (await suite.client.consumers.listConsumers({ pageSize: 1_000 })).consumers;
  await waitUntil(async () => (await viewed()).filter(({ memberCount }) => memberCount > 0).length === OTHERS + 2, {
    what: 'all are there',
    timeoutMs: 60_000,
  });
  const payload = bytesPayload('x'.repeat(1_000), 'text/plain');
  const positions: bigint[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const events = Array.from({ length: BATCH }, () => ({ event: newEvent({ payload }) }));
    const { results } = await suite.client.events.pushEvents({ events });
    positions.push(...results.map(({ event }) => event?.position ?? 0n));
  }
  const [first = 0n, last = 0n] = [positions[0], positions.at(-1)];
  const isDone = (view: Consumer) => !view.name.startsWith('other') || view.offset >= last;
  await waitUntil(async () => (await viewed()).every(isDone), {
    what: 'all others have everything',
    timeoutMs: 60_000,
  });
  expect(new Set(counts.values())).toEqual(new Set([positions.length]));
  expect(counts.size).toBe(OTHERS);
  const silent = (await viewed()).filter(({ name }) => name.endsWith('nothing'));
  expect(silent.map(({ name }) => name)).toEqual(['acknowledges nothing', 'reads nothing']);
  for (const { offset } of silent) expect(offset).toBeLessThan(first);
  expect(silent[0]?.inFlight).toBe(CREDIT);
  expect(deaf.deliveries).toHaveLength(CREDIT);
  // What a stream may have at most, however much it is offered (still-readers.test.ts).
  expect(await metric(suite.server.httpAddress, /^madeleine_outgoing_bytes (\d+)$/)).toBeLessThanOrEqual(2 * MIB);
}, 120_000);
