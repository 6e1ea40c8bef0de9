// kill -9 of the instance that counts, in the middle: another one, or its own next life, goes on, and in the end every event is counted
// once.

import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GetStatsResponse } from '../../generated/madeleine/v1/admin_service.js';
import { newEvent } from '../support/events/builders.js';
import { Cluster, type Instance } from '../support/server/cluster.js';
import { waitUntil } from '../support/wait-until.js';

const ROUNDS = 4;
const BATCHES = 12;
const BATCH = 1_000;
const TOPICS = 7;
const STREAMS = 300;

let cluster: Cluster;
/** What each instance is called by the others. */
const addresses = new Map<string, Instance>();
let pushed = 0;
let head = 0n;

beforeAll(async () => {
  cluster = await Cluster.start(0);
}, 120_000);
afterAll(() => cluster?.stop());

async function add(): Promise<void> {
  const address = `127.0.0.1:${20_000 + addresses.size}`;
  addresses.set(address, await cluster.add({ advertise: address }));
}

const eventOf = (n: number) => ({
  event: newEvent({ topic: `topic ${n % TOPICS}`, stream: n % 2 === 0 ? `stream ${n % STREAMS}` : '' }),
});

async function push({ client }: Instance): Promise<void> {
  const events = Array.from({ length: BATCH }, (_, n) => eventOf(pushed + n));
  const { results } = await client.events.pushEvents({ events });
  pushed += BATCH;
  head = results.at(-1)?.event?.position ?? head;
}

const stats = ({ client }: Instance): Promise<GetStatsResponse> =>
  client.admin.getStats({ topTopics: 1_000, topStreams: 100 });

/** The instance that counts now, by what it is called in the database. */
async function counting(): Promise<Instance> {
  const connection = await createConnection(cluster.database.url);
  try {
    return await waitUntil(
      async () => {
        const [rows] = await connection.query(
          `SELECT i.address FROM count_cursor c JOIN instance i ON i.id = c.owner WHERE c.lease_until > UNIX_TIMESTAMP(NOW(6)) * 1000000`,
        );
        const [row] = rows as { address: Buffer }[];
        const instance = addresses.get(row?.address.toString() ?? '');
        return instance?.server.running ? instance : undefined;
      },
      { what: 'a living instance counts', timeoutMs: 40_000 },
    );
  } finally {
    await connection.end();
  }
}

describe('kill -9 of the instance that counts', () => {
  it('leaves every event counted once', { timeout: 240_000 }, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      // Two live, so that another one goes on.
      while (cluster.instances.filter(({ server }) => server.running).length < 2) await add();
      const victim = await counting();
      const others = cluster.instances.filter(({ server }) => server.running && server !== victim.server);
      const pushing = (async () => {
        for (let batch = 0; batch < BATCHES; batch += 1) await push(others[0] as Instance);
      })();
      const { asOfPosition: before } = await stats(others[0] as Instance);
      await waitUntil(async () => (await stats(others[0] as Instance)).asOfPosition > before, {
        what: 'it counts',
        timeoutMs: 30_000,
      });
      await victim.server.kill();
      await pushing;
    }
    const witness = cluster.instances.find(({ server }) => server.running) as Instance;
    await waitUntil(async () => (await stats(witness)).asOfPosition >= head, {
      what: 'all is counted',
      timeoutMs: 60_000,
    });
    const { events, topics, streams, days } = await stats(witness);
    expect(Number(events)).toBe(pushed);
    expect(days.reduce((sum, day) => sum + day.events, 0n)).toBe(events);
    const numbers = Array.from({ length: pushed }, (_, n) => n);
    for (const { name, events: count } of topics) {
      expect(Number(count), name).toBe(numbers.filter((n) => `topic ${n % TOPICS}` === name).length);
    }
    expect(topics).toHaveLength(TOPICS);
    for (const { name, events: count } of streams) {
      expect(Number(count), name).toBe(numbers.filter((n) => n % 2 === 0 && `stream ${n % STREAMS}` === name).length);
    }
    expect(streams).toHaveLength(100);
  });
});
