// What time brings about: silence, idleness, and the figures that operators see.

import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AckStatus, type Delivery } from '../../../generated/madeleine/v1/consumer_service.js';
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

  const restart = async () => {
    client.close();
    await server.stop();
    server = await startServer({ databaseUrl: database.url, advertise: 'here:1' }, { clock });
    client = new TestClient(server.address);
  };
  const query = async (sql: string, values: unknown[]) => {
    const connection = await createConnection(database.url);
    const [rows] = await connection.query(sql, values);
    await connection.end();
    return rows as Record<string, unknown>[];
  };
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
    await pushNumbers(client.events, 5, { topic: 'of others' });
    const deliveries = await subscriber.first(2);
    await waitUntil(async () => (await metrics('measured')).in_flight === 2, { what: 'two in flight' });
    await client.consumers.acknowledge({ consumer: 'measured', acknowledgements: acknowledgements(deliveries) });
    await subscriber.first(3);
    const offset = Number((await get('measured'))?.offset);
    await waitUntil(async () => (await metrics('measured')).offset === offset, { what: 'the offset' });
    const [last = 0n] = await pushNumbers(client.events, 1, { topic: 'of others' });
    await waitUntil(async () => (await metrics('measured')).lag === Number(last) - offset, { what: 'the lag' });
    // It counts everybody's events; one is pending, as is counted now and then.
    clock.aheadMs += 11_000;
    await waitUntil(async () => (await metrics('measured')).pending === 1, { what: 'what is pending' });
    expect(await metrics('measured')).toMatchObject({ in_flight: 1, lag: Number(last) - offset, pending: 1 });
    const { consumers } = await client.consumers.listConsumers({ namePrefix: 'measured' });
    expect(consumers).toMatchObject([{ lag: last - BigInt(offset), pending: 1n, pendingIsMinimum: false }]);
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

  it('knows after a pause which leases it gave out: any other number loses no event', async () => {
    const name = 'paused';
    const settings = { filter: { topics: [name] } } as never;
    const ack = async (position: bigint, lease: bigint) => {
      const { results } = await client.consumers.acknowledge({
        consumer: name,
        acknowledgements: [{ position, lease }],
      });
      return results[0]?.status;
    };
    const [first] = await pushNumbers(client.events, 1, { topic: name });
    const subscriber = new TestSubscriber(client.consumers, { consumer: name, settings });
    const [delivery] = await subscriber.first(1);
    const lease = delivery?.lease ?? 0n;
    await subscriber.cancel();
    await waitUntil(async () => (await get(name))?.members.length === 0, { what: 'the member gone' });
    clock.aheadMs += 31_000;
    await waitUntil(async () => (await get(name))?.owner === '', { what: 'the consumer released' });
    const [second = 0n] = await pushNumbers(client.events, 1, { topic: name });
    for (const mistyped of [1n, 2n, 777n, lease, lease + 1n, lease * 2n, lease ^ (1n << 20n), 1n << 40n, 1n << 63n]) {
      expect(await ack(second, mistyped), `lease ${mistyped}`).toBe(AckStatus.ACK_STATUS_UNKNOWN);
    }
    expect(await ack(first ?? 0n, lease + 1n)).toBe(AckStatus.ACK_STATUS_UNKNOWN);
    expect(await ack(first ?? 0n, lease)).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    const { deliveries } = await client.consumers.fetch({ consumer: name });
    expect(deliveries.map(({ event }) => event?.position)).toEqual([second]);
  });

  it('moves the offset past what is acknowledged after a pause, without anybody who asks for events', async () => {
    const name = 'answered late';
    const settings = { filter: { topics: [name] } } as never;
    const others = () => pushNumbers(client.events, 2, { topic: 'of others' });
    const positions = await pushNumbers(client.events, 5, { topic: name });
    const { deliveries } = await client.consumers.fetch({ consumer: name, settings, limit: 5 });
    await others();
    const ack = async (some: readonly Delivery[]) => {
      const acknowledged = await client.consumers.acknowledge({
        consumer: name,
        acknowledgements: acknowledgements(some),
      });
      expect(acknowledged.results.every(({ status }) => status === AckStatus.ACK_STATUS_ACCEPTED)).toBe(true);
      expect((await get(name))?.offset).toBe(acknowledged.offset);
      return acknowledged.offset;
    };
    await restart();
    // Out of order, with a hole.
    expect(await ack(deliveries.slice(3))).toBe((positions[0] ?? 0n) - 1n);
    expect(await ack(deliveries.slice(0, 2))).toBe((positions[2] ?? 0n) - 1n);
    await restart();
    expect(await ack(deliveries.slice(2, 3))).toBeGreaterThanOrEqual(positions[4] ?? 0n);
    expect(await get(name)).toMatchObject({ pending: 0n });
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

  // Each waits for most of the time, on a server whose clock is its own.
  it.concurrent.each([-3_600_000, 3_600_000])(
    'waits, beats and lets go in time when the wall clock is set by %d ms',
    async (set) => {
      const clock = new TestClock();
      const server = await startServer({ databaseUrl: database.url, advertise: 'here:1' }, { clock });
      const client = new TestClient(server.address);
      const get = async (name: string) => (await client.consumers.getConsumer({ name })).consumer;
      const name = `set by ${set}`;
      const settings = { filter: { topics: [name] } } as never;
      const silent = new TestSubscriber(client.consumers, { consumer: name, settings });
      await silent.frame('caughtUp');
      clock.setAheadMs = set;
      const began = performance.now();
      const wait = { seconds: 2n, nanos: 0 };
      const { deliveries } = await client.consumers.fetch({ consumer: `${name} too`, settings, wait });
      expect(deliveries).toEqual([]);
      expect(performance.now() - began).toBeGreaterThan(1_900);
      expect(performance.now() - began).toBeLessThan(8_000);
      await silent.frame('heartbeat');
      await pushNumbers(client.events, 1, { topic: name });
      const [delivery] = await silent.first(1);
      await client.consumers.acknowledge({
        consumer: name,
        acknowledgements: acknowledgements([delivery as Delivery]),
      });
      // Offsets that nobody waits for are written in time too.
      await pushNumbers(client.events, 1, { topic: 'of others' });
      const stored = async () => {
        const [row] = await query('SELECT acked_to FROM consumer WHERE name = ?', [Buffer.from(name)]);
        return row?.acked_to === Number((await get(name))?.offset);
      };
      await waitUntil(stored, { what: 'the offset written' });
      await silent.cancel();
      await waitUntil(async () => (await get(name))?.members.length === 0, { what: 'the member gone' });
      clock.aheadMs += 31_000;
      await waitUntil(async () => (await get(name))?.owner === '', { what: 'the consumer released' });
      client.close();
      await server.stop();
    },
  );

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
