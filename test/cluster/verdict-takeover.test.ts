// What a consumer said about events, and the time that it asked for, hold at the next owner when the one that took it is killed.

import { afterEach, describe, expect, it } from 'vitest';
import { AckStatus, type Delivery, Ordering, Verdict } from '../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, numberOf, pushNumbers, TestSubscriber } from '../support/consumers/consumer.js';
import { Cluster } from '../support/server/cluster.js';
import type { TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const { VERDICT_RETRY, VERDICT_PARK, VERDICT_SKIP } = Verdict;
const CONSUMER = 'moving';
/** The take-over takes 15 s: these are after it. */
const DELAY_S = 25;
const EXTENSION_S = 29;

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

/** Subscribes at the other instance again and again, until it has taken the consumer over. */
async function subscribeOnceTaken(client: TestClient): Promise<TestSubscriber> {
  let subscriber = new TestSubscriber(client.consumers, { consumer: CONSUMER });
  await waitUntil(
    () => {
      if (subscriber.ended !== undefined) subscriber = new TestSubscriber(client.consumers, { consumer: CONSUMER });
      return subscriber.frames.length > 0 && subscriber.ended === undefined;
    },
    { what: 'the other instance takes the consumer over', timeoutMs: 30_000, intervalMs: 200 },
  );
  return subscriber;
}

describe('after kill -9 of the owner', () => {
  it('verdicts and extensions hold at the next one', async () => {
    cluster = await Cluster.start(2);
    const [owner, other] = [cluster.at(0), cluster.at(1)];
    await pushNumbers(owner.client.events, 8, (n) => ({ stream: `stream-${n % 2}` }));
    const settings = {
      ...{ filter: undefined, ackTimeout: { seconds: 60n, nanos: 0 }, maxAttempts: 2, retryBackoff: undefined },
      ordering: Ordering.ORDERING_NONE,
    };
    await owner.client.consumers.createConsumer({ name: CONSUMER, settings });
    const before = new TestSubscriber(owner.client.consumers, { consumer: CONSUMER });
    const deliveries = await before.first(8);
    const given = (n: number) => acknowledgements(deliveries.filter((one) => numberOf(one) === n));
    const reject = async (n: number, verdict: Verdict, delayS?: number) => {
      const delay = delayS === undefined ? undefined : { seconds: BigInt(delayS), nanos: 0 };
      const request = { consumer: CONSUMER, rejections: given(n), verdict, delay, code: `NO_${n}` };
      return (await owner.client.consumers.reject(request)).results[0]?.status;
    };
    const extension = { seconds: BigInt(EXTENSION_S), nanos: 0 };
    const positions = [...given(5), ...given(6)];
    await owner.client.consumers.extendAckDeadline({ consumer: CONSUMER, positions, extension });
    const extendedAt = Date.now();
    expect(await reject(1, VERDICT_RETRY, DELAY_S)).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    const delayedAt = Date.now();
    expect(await reject(2, VERDICT_PARK)).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    expect(await reject(3, VERDICT_SKIP)).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    expect(await reject(7, VERDICT_RETRY, 600)).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    expect(await reject(4, VERDICT_RETRY, 0)).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    await owner.server.kill();

    const after = await subscribeOnceTaken(other.client);
    const { consumers } = other.client;
    const of = async (n: number): Promise<Delivery> => {
      await waitUntil(() => after.numbers.includes(n), { what: `${n} after the take-over`, timeoutMs: 40_000 });
      return after.deliveries.find((one) => numberOf(one) === n) as Delivery;
    };
    expect([(await of(4)).attempt, (await of(8)).attempt]).toEqual([2, 1]);
    // The repeated call of a client that did not hear the answer: that delivery has counted, else it would be parked now.
    const delay = { seconds: 1n, nanos: 0 };
    const repeated = await consumers.reject({
      consumer: CONSUMER,
      rejections: given(7),
      verdict: VERDICT_RETRY,
      delay,
    });
    expect(repeated.results[0]?.status).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    expect((await of(7)).attempt).toBe(2);
    // The former lease of what was extended is good.
    const acknowledged = await consumers.acknowledge({ consumer: CONSUMER, acknowledgements: given(5) });
    expect(acknowledged.results[0]?.status).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    expect((await of(1)).attempt).toBe(2);
    expect(Date.now() - delayedAt).toBeGreaterThan((DELAY_S - 1) * 1_000);
    expect((await of(6)).attempt).toBe(1);
    expect(Date.now() - extendedAt).toBeGreaterThan((EXTENSION_S - 1) * 1_000);
    expect([...after.numbers].map(Number).sort()).toEqual([1, 4, 6, 7, 8]);
    // One rejection more, and it has used up its attempts.
    const last = { consumer: CONSUMER, rejections: acknowledgements([await of(1)]), verdict: VERDICT_RETRY };
    expect((await consumers.reject(last)).results[0]?.status).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    await consumers.acknowledge({ consumer: CONSUMER, upTo: 8n });
    const { consumer } = await consumers.getConsumer({ name: CONSUMER });
    // After the events comes the entry that tells of the consumer's creation.
    expect(consumer).toMatchObject({ parked: 2n, offset: 9n, inFlight: 0, pending: 0n });
    await after.cancel();
  }, 90_000);

  it('tells elsewhere how many events are parked', async () => {
    cluster = await Cluster.start(2);
    const [owner, other] = [cluster.at(0), cluster.at(1)];
    await pushNumbers(owner.client.events, 3);
    const subscriber = new TestSubscriber(owner.client.consumers, { consumer: CONSUMER });
    const rejections = acknowledgements(await subscriber.first(2));
    await owner.client.consumers.reject({ consumer: CONSUMER, rejections, verdict: VERDICT_PARK });
    for (const { consumers } of [owner.client, other.client]) {
      expect((await consumers.getConsumer({ name: CONSUMER })).consumer?.parked).toBe(2n);
      expect((await consumers.listConsumers({})).consumers.map(({ parked }) => parked)).toEqual([2n]);
    }
    await subscriber.cancel();
  });
});
