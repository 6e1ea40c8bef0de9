// kill -9 of the server in the middle of pushes and deliveries: nothing that was answered is lost or doubled, every consumer goes
// on from its offset.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AckStatus } from '../../generated/madeleine/v1/consumer_service.js';
import type { Event as EventMessage } from '../../generated/madeleine/v1/event.js';
import { acknowledgements, pushNumbers } from '../support/consumers/consumer.js';
import { Worker } from '../support/consumers/worker.js';
import { refusalOf } from '../support/contract/refusals.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { History } from '../support/events/history.js';
import { StreamPusher } from '../support/events/pusher.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const KILLS = 3;
const STREAMS = 6;
const ANSWERED_A_LIFE = 150;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function storedEvents(client: TestClient): Promise<EventMessage[]> {
  const events: EventMessage[] = [];
  for await (const frame of client.events.readEvents({ context: 'all' })) events.push(...frame.events);
  return events;
}

describe('a server that is killed', () => {
  it('keeps every answered push once, and every consumer its place', async () => {
    const history = new History();
    let client: TestClient | undefined;
    const current = () => client;
    const pushers = Array.from(
      { length: STREAMS },
      (_, n) => new StreamPusher({ stream: `stream-${n}`, history, client: current }),
    );
    const workers = ['alone', 'group', 'group'].map(
      (consumer) => new Worker({ request: { consumer, maxInFlight: 20 }, history, client: current }),
    );
    for (const each of [...pushers, ...workers]) each.start();
    for (let life = 0; life < KILLS; life += 1) {
      const server = await ServerProcess.start({ databaseUrl: database.url });
      client = new TestClient(server.address);
      const goal = history.answeredCount + ANSWERED_A_LIFE;
      await waitUntil(() => history.answeredCount >= goal && history.deliveredCount('alone') > 0, {
        what: `${goal} answered pushes in life ${life}; ${workers.map(({ interruptions }) => interruptions.at(-1))}`,
        timeoutMs: 30_000,
      });
      await server.kill();
      client.close();
      client = undefined;
    }
    const server = await ServerProcess.start({ databaseUrl: database.url });
    client = new TestClient(server.address);
    await Promise.all(pushers.map((pusher) => pusher.stop()));
    const stored = await storedEvents(client);
    for (const consumer of ['alone', 'group']) {
      await waitUntil(
        async () => {
          const answer = await client?.consumers.getConsumer({ name: consumer }).catch(() => undefined);
          const { offset = 0n, head = 0n } = answer?.consumer ?? {};
          // The entries that tell of the consumers' creation are in the log as well.
          return offset === head && head >= BigInt(stored.length);
        },
        { what: `offset of ${consumer} reaches the head`, timeoutMs: 60_000 },
      );
    }
    await Promise.all(workers.map((worker) => worker.stop()));
    client.close();
    await server.stop();
    expect(history.faults(stored)).toEqual([]);
    expect(history.answeredCount).toBe(stored.length);
  });
});

describe('an instance that was killed', () => {
  const started = async (dataDir: string) => {
    const server = await ServerProcess.start({ databaseUrl: database.url, dataDir, advertise: 'same.example:50051' });
    return { server, client: new TestClient(server.address) };
  };

  it('takes up its own consumers at once when it comes back, and another one does not', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'madeleine-killed-'));
    const first = await started(join(parent, 'first'));
    const beside = await started(join(parent, 'beside'));
    const positions = await pushNumbers(first.client.events, 3, { topic: 'taken up' });
    const settings = { filter: { topics: ['taken up'] } } as never;
    const { deliveries } = await first.client.consumers.fetch({ consumer: 'own', settings, limit: 2 });
    await beside.client.consumers.fetch({ consumer: 'of the other', settings, limit: 1 });
    await first.server.kill();
    const refused = await refusalOf(beside.client.consumers.fetch({ consumer: 'own' }));
    expect(refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE' });
    const again = await started(join(parent, 'first'));
    expect((await again.client.consumers.getConsumer({ name: 'own' })).consumer?.owner).toBe('');
    const { results, offset } = await again.client.consumers.acknowledge({
      consumer: 'own',
      acknowledgements: acknowledgements(deliveries),
    });
    expect(results.map(({ status }) => status)).toEqual(Array(2).fill(AckStatus.ACK_STATUS_ACCEPTED));
    expect(offset).toBeGreaterThanOrEqual(positions[1] ?? 0n);
    // A living instance keeps what it has, whatever its address.
    const living = await refusalOf(again.client.consumers.fetch({ consumer: 'of the other' }));
    expect(living).toMatchObject({ reason: 'OWNED_ELSEWHERE' });
    for (const { server, client } of [beside, again]) {
      client.close();
      await server.stop();
    }
    first.client.close();
    await rm(parent, { recursive: true });
  });
});
