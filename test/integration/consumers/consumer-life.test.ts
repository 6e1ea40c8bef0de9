// What time brings about: silence, idleness, and the figures that operators see.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.js';
import { acknowledgements, numberOf, pushNumbers, TestSubscriber } from '../../support/consumers/consumer.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

/** The machine's clocks, but the test may let time pass, and may set the wall clock. */
class TestClock extends SystemClock {
  aheadMs = 0;
  setAheadMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.aheadMs;
  }

  override nowMs(): number {
    return super.nowMs() + this.aheadMs + this.setAheadMs;
  }
}

describe('the life of a consumer', () => {
  const clock = new TestClock();
  let database: TestDatabase;
  let server: TestServer;
  let client: TestClient;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url, advertise: 'here:1' }, { clock });
    client = new TestClient(server.address);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
    await database.drop();
  });

  const get = async (name: string) => (await client.consumers.getConsumer({ name })).consumer;
  const metrics = async (consumer: string) => {
    const text = await (await fetch(`http://${server.httpAddress}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.includes(`consumer="${consumer}"`));
    return Object.fromEntries(
      lines.map((line) => [/^madeleine_consumer_(\w+)/.exec(line)?.[1], Number(line.split(' ').at(-1))]),
    );
  };

  it('sends a heartbeat after 10 s of silence', async () => {
    const subscriber = new TestSubscriber(client.consumers, { consumer: 'silent' });
    await subscriber.frame('caughtUp');
    const began = performance.now();
    const { head, offset, lag } = await subscriber.frame('heartbeat');
    expect(performance.now() - began).toBeGreaterThan(9_500);
    expect(lag).toBe(head - offset);
    await subscriber.cancel();
  });

  it('shows offset, lag and events in flight as metrics while it is run here', async () => {
    await pushNumbers(client.events, 3, { topic: 'measured' });
    const settings = { filter: { topics: ['measured'] } } as never;
    const subscriber = new TestSubscriber(client.consumers, { consumer: 'measured', settings, maxInFlight: 2 });
    const deliveries = await subscriber.first(2);
    await waitUntil(async () => (await metrics('measured')).in_flight === 2, { what: 'two in flight' });
    await client.consumers.acknowledge({ consumer: 'measured', acknowledgements: acknowledgements(deliveries) });
    await subscriber.first(3);
    const offset = Number((await get('measured'))?.offset);
    await waitUntil(async () => (await metrics('measured')).offset === offset, { what: 'the offset' });
    expect(await metrics('measured')).toMatchObject({ in_flight: 1, lag: 1 });
    await subscriber.cancel();
    await client.consumers.deleteConsumer({ name: 'measured' });
    expect(await metrics('measured')).toEqual({});
  });

  it('is let go of when nobody uses it, with its place written', async () => {
    await pushNumbers(client.events, 2, { topic: 'idle' });
    const subscriber = new TestSubscriber(client.consumers, { consumer: 'idle' });
    const deliveries = await subscriber.first(2);
    const { offset } = await client.consumers.acknowledge({
      consumer: 'idle',
      acknowledgements: acknowledgements(deliveries),
    });
    await subscriber.cancel();
    expect((await get('idle'))?.owner).toBe('here:1');
    clock.aheadMs += 31_000;
    await waitUntil(async () => (await get('idle'))?.owner === '', { what: 'the consumer released' });
    expect((await get('idle'))?.offset).toBeGreaterThanOrEqual(offset);
    expect(await metrics('idle')).toEqual({});
    const again = new TestSubscriber(client.consumers, { consumer: 'idle' });
    expect((await again.opened()).consumer?.owner).toBe('here:1');
    await again.cancel();
  });

  it('takes no delivery back before its time when the wall clock is set ahead', async () => {
    const settings = { filter: { topics: ['ahead'] }, ackTimeout: { seconds: 600n, nanos: 0 } } as never;
    const subscriber = new TestSubscriber(client.consumers, { consumer: 'ahead', settings });
    await pushNumbers(client.events, 1, { topic: 'ahead' });
    await subscriber.first(1);
    clock.setAheadMs = 3_600_000;
    await pushNumbers(client.events, 1, { topic: 'ahead' });
    const deliveries = await subscriber.first(2);
    expect(deliveries.map((delivery) => [numberOf(delivery), delivery.attempt])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(new Set(deliveries.map(({ event }) => event?.position)).size).toBe(2);
    const deadline = Number(deliveries[1]?.deadline?.seconds);
    expect(Math.abs(deadline - clock.nowMs() / 1_000 - 600)).toBeLessThan(30);
    clock.setAheadMs = 0;
    await subscriber.cancel();
  });

  it('delivers again in time when the wall clock is set back', async () => {
    const settings = { filter: { topics: ['back'] }, ackTimeout: { seconds: 1n, nanos: 0 } } as never;
    const subscriber = new TestSubscriber(client.consumers, { consumer: 'back', settings });
    await pushNumbers(client.events, 1, { topic: 'back' });
    await subscriber.first(1);
    clock.setAheadMs = -3_600_000;
    const [, again] = await subscriber.first(2);
    expect(again).toMatchObject({ attempt: 2 });
    clock.setAheadMs = 0;
    await subscriber.cancel();
  });

  it('is kept while events that were fetched are in flight, and forgets the fetching member after', async () => {
    await pushNumbers(client.events, 1, { topic: 'fetched' });
    const settings = { filter: { topics: ['fetched'] }, ackTimeout: { seconds: 600n, nanos: 0 } } as never;
    const { deliveries } = await client.consumers.fetch({ consumer: 'fetched', settings });
    clock.aheadMs += 40_000;
    await waitUntil(async () => (await metrics('fetched')).in_flight === 1, { what: 'measured' });
    expect((await get('fetched'))?.members).toHaveLength(1);
    await client.consumers.acknowledge({ consumer: 'fetched', acknowledgements: acknowledgements(deliveries) });
    await waitUntil(
      async () => {
        clock.aheadMs += 10_000;
        return (await get('fetched'))?.owner === '';
      },
      { what: 'the consumer released' },
    );
  });
});
