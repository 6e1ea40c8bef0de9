// Subscribers that are frozen, never read, never acknowledge, or come back as their own ghost: their events go elsewhere, the
// server's memory stays bounded, the dead are found out, and idle ones cost no queries.

import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Consumer, ConsumerSettings, SubscribeRequest } from '../../generated/madeleine/v1/consumer_service.js';
import type { Event as EventMessage } from '../../generated/madeleine/v1/event.js';
import { pushNumbers, TestSubscriber } from '../support/consumers/consumer.js';
import { Worker } from '../support/consumers/worker.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { bytesPayload, newEvent } from '../support/events/builders.js';
import { History, type StoredEvent } from '../support/events/history.js';
import { TestProcess } from '../support/server/process.js';
import { residentBytes } from '../support/server/resources.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const mariadb = new PrivateDatabase();
let server: ServerProcess;
let client: TestClient;
let frozenProcess: TestProcess | undefined;
let stoppedAt = 0;
/** What a test started and has to end. */
const running: (() => unknown)[] = [];

const settings = ConsumerSettings.fromPartial({ ackTimeout: { seconds: 1n } });

beforeAll(async () => {
  await mariadb.start();
  const connection = await createConnection(mariadb.adminUrl);
  await connection.query('CREATE DATABASE subscribers');
  await connection.end();
  server = await ServerProcess.start({ databaseUrl: `${mariadb.adminUrl}subscribers` });
  client = new TestClient(server.address);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((end) => end()));
});
afterAll(async () => {
  await frozenProcess?.end('SIGKILL');
  client.close();
  await server.stop();
  await mariadb.stop();
});

async function get(name: string): Promise<Consumer> {
  const { consumer } = await client.consumers.getConsumer({ name });
  return consumer as Consumer;
}

/** A member in a process of its own, which lives until the end of the file. */
async function startFrozen(): Promise<TestProcess> {
  const file = 'test/support/consumers/frozen-subscriber.ts';
  frozenProcess = new TestProcess({ file, arguments: [server.address, 'frozen', 'stopped'] });
  await frozenProcess.printed(/opened/);
  return frozenProcess;
}

function worker(history: History, consumer: string, member: string, of = settings): Worker {
  const made = new Worker({ request: { consumer, member, settings: of }, history, client: () => client });
  running.push(() => made.stop());
  made.start();
  return made;
}

async function storedEvents(): Promise<EventMessage[]> {
  const stored: EventMessage[] = [];
  for await (const { events } of client.events.readEvents({})) stored.push(...events);
  return stored;
}

async function acknowledgedAll(consumer: string, timeoutMs = 20_000): Promise<void> {
  let last: Consumer | undefined;
  await waitUntil(
    async () => {
      last = await get(consumer);
      return last.pending === 0n;
    },
    { what: `everything is acknowledged by ${consumer}: ${last?.activityCause}`, timeoutMs },
  );
}

describe('a subscriber that is frozen', () => {
  it('loses its events to the others', async () => {
    const frozen = await startFrozen();
    // What the frozen one was given and acknowledged is not in here.
    worker(new History(), 'frozen', 'awake');
    const besideIt = new History();
    worker(besideIt, 'beside it', 'awake');
    await pushNumbers(client.events, 50, (n) => ({ stream: `frozen ${n % 7}` }));
    await frozen.printed(/acknowledged/);
    process.kill(frozen.pid, 'SIGSTOP');
    stoppedAt = performance.now();
    await pushNumbers(client.events, 500, (n) => ({ stream: `frozen ${n % 7}` }), 51);
    await acknowledgedAll('beside it');
    await acknowledgedAll('frozen');
    const stored = await storedEvents();
    expect(stored).toHaveLength(550);
    expect(besideIt.faults(stored)).toEqual([]);
    // Long before keep-alive can have found it out: by the ack timeout of 1 s.
    expect(performance.now() - stoppedAt).toBeLessThan(15_000);
    expect((await get('frozen')).members.map(({ name }) => name)).toContain('stopped');
  });
});

describe('a subscriber that neither reads nor acknowledges', () => {
  it('holds up nobody, and no more memory than its credit', async () => {
    const before = await residentBytes(server.pid);
    const text = `"${'x'.repeat(10_000)}"`;
    const deafen = async (consumer: string) => {
      const abort = new AbortController();
      running.push(() => abort.abort());
      const request = SubscribeRequest.fromPartial({ consumer, member: 'deaf', maxInFlight: 65_536, settings });
      const frames = client.consumers.subscribe(request, { signal: abort.signal })[Symbol.asyncIterator]();
      await frames.next();
      frames.next().catch(() => {});
    };
    for (let n = 0; n < 20; n += 1) await deafen(`deaf ${n}`);
    // One more beside a member that works.
    await deafen('hearing');
    const history = new History();
    worker(history, 'hearing', 'one');
    for (let batch = 0; batch < 10; batch += 1) {
      const events = Array.from({ length: 200 }, () => ({ event: newEvent({ payload: bytesPayload(text) }) }));
      await client.events.pushEvents({ events });
    }
    await acknowledgedAll('hearing');
    // 20 consumers x 1 MiB of credit, each also encoded once and once more in HTTP/2 buffers, the tail's 64 MiB at three times
    // the payload (it counts 3 bytes for one), and what the collector leaves behind.
    expect((await residentBytes(server.pid)) - before).toBeLessThan(250 * 1024 * 1024);
  });
});

describe('a subscriber that comes back as its own ghost', () => {
  it('replaces the former one, and gets its events at once', async () => {
    const first = new TestSubscriber(client.consumers, { consumer: 'ghost', member: 'same', settings });
    running.push(() => first.cancel());
    await pushNumbers(client.events, 10, { topic: 'ghosts' });
    await waitUntil(() => first.deliveries.length > 0, { what: 'the first one is given events' });
    for (let round = 0; round < 20; round += 1) {
      const next = new TestSubscriber(client.consumers, { consumer: 'ghost', member: 'same', settings });
      running.push(() => next.cancel());
      await next.first(1);
      expect((await get('ghost')).members.map(({ name }) => name)).toEqual(['same']);
    }
    expect(await first.end()).toMatchObject({ code: 10 });
  });

  it('leaves none behind when 200 of one name race', async () => {
    const racers = Array.from(
      { length: 200 },
      () => new TestSubscriber(client.consumers, { consumer: 'raced', member: 'same', settings }),
    );
    running.push(...racers.map((racer) => () => racer.cancel()));
    await waitUntil(() => racers.filter(({ ended }) => ended === undefined).length === 1, { what: 'one is left' });
    expect((await get('raced')).members).toHaveLength(1);
  });
});

describe('a subscriber that reads and never acknowledges', () => {
  it('loses its events to the others when their time is over', async () => {
    const silent = new TestSubscriber(client.consumers, { consumer: 'silent', member: 'silent', settings });
    running.push(() => silent.cancel());
    await silent.opened();
    const topic = 'silent';
    const history = new History();
    const filtered = ConsumerSettings.fromPartial({ ...settings, filter: { topics: [topic] } });
    worker(new History(), 'silent', 'awake');
    worker(history, 'beside the silent', 'awake', filtered);
    await pushNumbers(client.events, 100, (n) => ({ topic, stream: `silent ${n % 7}` }));
    await acknowledgedAll('beside the silent');
    await waitUntil(() => silent.deliveries.length > 0, { what: 'the silent one is given events' });
    await acknowledgedAll('silent', 60_000);
    const stored = await storedEvents();
    const matching = { 'beside the silent': ({ stream }: StoredEvent) => stream.startsWith('silent ') };
    expect(history.faults(stored, { matching })).toEqual([]);
  });
});

describe('a thousand subscribers', () => {
  it('that are idle cost no queries, and little memory', async () => {
    const quiet = { filter: { topics: ['nobody pushes it'] }, ephemeral: true };
    const { one, others } = subscribeThousand('idle', quiet);
    await one.frame('caughtUp');
    const alone = await queriesOf(3_000);
    const before = await residentBytes(server.pid);
    await others((each) => each.frame('caughtUp'));
    const grown = (await residentBytes(server.pid)) - before;
    const together = await queriesOf(3_000);
    // Leases are renewed in one statement for all; the tail polls for all.
    expect(together).toBeLessThan(alone * 1.3 + 5);
    // A session, its stream and its HTTP/2 state: some 40 kB each, and the garbage of their creation.
    expect(grown).toBeLessThan(150 * 1024 * 1024);
  });

  it('that never acknowledge leave the others their rate', async () => {
    const alone = await millisecondsOfBusy('alone');
    const before = await residentBytes(server.pid);
    const topics = ['crowd'];
    const { one, others } = subscribeThousand('still', { filter: { topics }, ephemeral: true }, { maxInFlight: 10 });
    await one.opened();
    await others((each) => each.opened());
    await pushNumbers(client.events, 20, { topic: 'crowd' });
    await one.first(10);
    await others((each) => each.first(10));
    // Nothing more is given to them, so that it costs nobody anything that they are there.
    expect(await millisecondsOfBusy('together')).toBeLessThan(alone * 2 + 300);
    expect(one.deliveries).toHaveLength(10);
    expect((await residentBytes(server.pid)) - before).toBeLessThan(150 * 1024 * 1024);
  });

  /** A thousand consumers with one member each, over ten connections; all but the first only when told. */
  function subscribeThousand(
    name: string,
    of: Parameters<typeof ConsumerSettings.fromPartial>[0],
    changes: Partial<SubscribeRequest> = {},
  ) {
    const clients = Array.from({ length: 10 }, () => new TestClient(server.address));
    running.push(...clients.map((each) => () => each.close()));
    const subscribe = (n: number) => {
      const request = { consumer: `${name} ${n}`, settings: ConsumerSettings.fromPartial(of), ...changes };
      const subscriber = new TestSubscriber((clients[n % 10] as TestClient).consumers, request);
      running.push(() => subscriber.cancel());
      return subscriber;
    };
    const one = subscribe(0);
    let rest: TestSubscriber[] = [];
    const others = async (ready: (subscriber: TestSubscriber) => Promise<unknown>) => {
      if (rest.length > 0) return void (await Promise.all(rest.map(ready)));
      for (let from = 1; from < 1_000; from += 111) {
        const more = Array.from({ length: 111 }, (_, n) => subscribe(from + n));
        await Promise.all(more.map(ready));
        rest = [...rest, ...more];
      }
    };
    return { one, others };
  }

  /** How long 2,000 events take from the first push to the last delivery. */
  async function millisecondsOfBusy(consumer: string): Promise<number> {
    const busy = new TestSubscriber(client.consumers, {
      consumer,
      settings: ConsumerSettings.fromPartial({ filter: { topics: [consumer] } }),
      maxInFlight: 2_000,
    });
    running.push(() => busy.cancel());
    await busy.opened();
    const startedAt = performance.now();
    await pushNumbers(client.events, 2_000, { topic: consumer });
    const deliveries = await busy.first(2_000);
    expect(new Set(deliveries.map(({ event }) => event?.position)).size).toBe(2_000);
    return performance.now() - startedAt;
  }
});

describe('the frozen subscriber of the first test', () => {
  it('is found out by keep-alive', async () => {
    await waitUntil(async () => (await get('frozen')).members.every(({ name }) => name !== 'stopped'), {
      what: 'keep-alive ends the frozen subscriber',
      timeoutMs: 45_000,
    });
    // The server asks after 25 s and waits for 10 s.
    expect(performance.now() - stoppedAt).toBeGreaterThan(9_000);
    expect(performance.now() - stoppedAt).toBeLessThan(60_000);
  });
});

/** Statements that the database was sent in so many milliseconds. */
async function queriesOf(ms: number): Promise<number> {
  const connection = await createConnection(mariadb.adminUrl);
  const questions = async () => {
    const [rows] = await connection.query("SHOW GLOBAL STATUS LIKE 'Questions'");
    return Number((rows as { Value: string }[])[0]?.Value);
  };
  const first = await questions();
  const end = performance.now() + ms;
  await waitUntil(() => performance.now() > end, { what: 'the time is over', timeoutMs: ms + 5_000 });
  const count = (await questions()) - first;
  await connection.end();
  return count;
}
