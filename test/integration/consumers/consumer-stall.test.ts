// Consumers of a real server that stand still, as a wake-up or the answer to a read was lost inside of it: they go on by themselves, and
// that is counted and told. The server's time runs ten times as fast as the test's.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { AckStatus } from '../../../generated/madeleine/v1/consumer_service.js';
import { LogReader } from '../../../src/engine/log/log-reader.js';
import type { Wake } from '../../../src/engine/log/log-source.js';
import { SystemClock, type Timer } from '../../../src/lib/clock.js';
import { acknowledgements, numberOf, pushNumbers, TestSubscriber } from '../../support/consumers/consumer.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { consumerStalls } from '../../support/server/metrics.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

const HASTE = 10;

class HastyClock extends SystemClock {
  readonly #beganMs = super.monotonicMs();

  override monotonicMs(): number {
    return this.#beganMs + (super.monotonicMs() - this.#beganMs) * HASTE;
  }

  override after(delayMs: number, work: () => void): Timer {
    return super.after(delayMs / HASTE, work);
  }

  override every(periodMs: number, work: () => void): Timer {
    return super.every(periodMs / HASTE, work);
  }
}

describe('a consumer of a server that lost something on the way', () => {
  const logged: string[] = [];
  let database: TestDatabase;
  let server: TestServer;
  let client: TestClient;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url }, { clock: new HastyClock(), logged });
    client = new TestClient(server.address);
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(async () => {
    client.close();
    await server.stop();
    await database.drop();
  });

  const settingsOf = (topic: string) =>
    ({ filter: { topics: [topic] }, ackTimeout: { seconds: 3_600n, nanos: 0 } }) as never;
  const told = (consumer: string) =>
    logged
      .map((line) => JSON.parse(line))
      .filter((line) => line.msg === 'consumer stood still' && line.consumer === consumer);

  it('gets what came when a wake-up was lost', async () => {
    const { onBeyond } = LogReader.prototype;
    let lost = 0;
    vi.spyOn(LogReader.prototype, 'onBeyond').mockImplementation(function (this: LogReader, position, wake, selection) {
      const lossy: Wake = (passed) => {
        const goOn = wake(passed);
        if (lost > 0 || selection?.criteria.consumer !== 'unwoken') return goOn;
        lost += 1;
        return () => {};
      };
      return onBeyond.call(this, position, lossy, selection);
    });
    const before = await consumerStalls(server.httpAddress);
    const wait = { seconds: 60n, nanos: 0 };
    const fetched = client.consumers.fetch({ consumer: 'unwoken', settings: settingsOf('unwoken'), wait });
    await waitUntil(
      async () => {
        const { consumers } = await client.consumers.listConsumers({ namePrefix: 'unwoken' });
        return consumers[0]?.memberCount === 1;
      },
      { what: 'the caller waits' },
    );
    await pushNumbers(client.events, 3, { topic: 'unwoken' });
    expect((await fetched).deliveries.map(numberOf)).toEqual([1, 2, 3]);
    expect(lost).toBe(1);
    expect(await consumerStalls(server.httpAddress)).toBe(before + 1);
    expect(told('unwoken')).toMatchObject([{ level: 40, mended: 'prodded', inFlight: 0, members: 1 }]);
  });

  it('begins anew after its offset when a read never answered', async () => {
    const { read } = LogReader.prototype;
    const consumer = 'unanswered';
    const subscriber = new TestSubscriber(client.consumers, { consumer, settings: settingsOf(consumer) });
    await pushNumbers(client.events, 3, { topic: consumer });
    const [first] = await subscriber.first(3);
    await client.consumers.acknowledge({ consumer, acknowledgements: acknowledgements([first as never]) });
    let hung = 0;
    vi.spyOn(LogReader.prototype, 'read').mockImplementation(function (this: LogReader, selection, options) {
      if (hung > 0 || selection.criteria.consumer !== consumer) return read.call(this, selection, options);
      hung += 1;
      return new Promise(() => {});
    });
    const before = await consumerStalls(server.httpAddress);
    await pushNumbers(client.events, 2, { topic: consumer }, 4);
    const deliveries = await waitUntil(() => subscriber.deliveries.length === 7 && subscriber.deliveries, {
      what: 'what was in flight comes again, and what came since',
      timeoutMs: 20_000,
    });
    expect(deliveries.map(numberOf)).toEqual([1, 2, 3, 2, 3, 4, 5]);
    expect(hung).toBe(1);
    expect(await consumerStalls(server.httpAddress)).toBe(before + 1);
    expect(told(consumer)).toMatchObject([{ mended: 'begun_anew', waitsForDatabase: true, inFlight: 2 }]);
    // As after a change of the owner: a lease of before is stale once its event is leased anew.
    const { results } = await client.consumers.acknowledge({
      consumer,
      acknowledgements: acknowledgements(deliveries.slice(1)),
    });
    const { ACK_STATUS_STALE: stale, ACK_STATUS_ACCEPTED: accepted } = AckStatus;
    expect(results.map(({ status }) => status)).toEqual([stale, stale, accepted, accepted, accepted, accepted]);
    const { consumer: view } = await client.consumers.getConsumer({ name: consumer });
    expect(view).toMatchObject({ generation: 1n, pending: 0n, inFlight: 0 });
    await subscriber.cancel();
  });
});
