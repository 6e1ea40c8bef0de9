// Subscribers that are frozen, never read, never acknowledge, or come back as their own ghost: their events go elsewhere, the
// server's memory stays bounded, the dead are found out, and idle ones cost no queries.

import { readFile } from 'node:fs/promises';
import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Consumer, ConsumerSettings, SubscribeRequest } from '../../generated/madeleine/v1/consumer_service.js';
import { bytesPayload, newEvent } from '../support/builders.js';
import { pushNumbers, TestSubscriber } from '../support/consumer.js';
import { History } from '../support/history.js';
import { PrivateMariadb } from '../support/private-mariadb.js';
import { TestProcess } from '../support/process.js';
import { ServerProcess, TestClient } from '../support/server.js';
import { waitUntil } from '../support/wait-until.js';
import { Worker } from '../support/worker.js';

const mariadb = new PrivateMariadb();
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
  const file = 'test/support/frozen-subscriber.ts';
  frozenProcess = new TestProcess({ file, arguments: [server.address, 'frozen', 'stopped'] });
  await frozenProcess.printed(/opened/);
  return frozenProcess;
}

function worker(history: History, consumer: string, member: string): Worker {
  const made = new Worker({ request: { consumer, member, settings }, history, client: () => client });
  running.push(() => made.stop());
  made.start();
  return made;
}

async function residentBytes(): Promise<number> {
  const [, pages] = (await readFile(`/proc/${server.pid}/statm`, 'utf8')).split(' ');
  return Number(pages) * 4096;
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
    const history = new History();
    worker(history, 'frozen', 'awake');
    worker(history, 'beside it', 'awake');
    await pushNumbers(client.events, 50, (n) => ({ stream: `frozen ${n % 7}` }));
    await frozen.printed(/acknowledged/);
    process.kill(frozen.pid, 'SIGSTOP');
    stoppedAt = performance.now();
    await pushNumbers(client.events, 500, (n) => ({ stream: `frozen ${n % 7}` }), 51);
    await acknowledgedAll('beside it');
    await acknowledgedAll('frozen');
    expect(history.deliveredCount('beside it')).toBe(550);
    // Long before keep-alive can have found it out: by the ack timeout of 1 s.
    expect(performance.now() - stoppedAt).toBeLessThan(15_000);
    expect((await get('frozen')).members.map(({ name }) => name)).toContain('stopped');
  });
});

describe('a subscriber that neither reads nor acknowledges', () => {
  it('holds up nobody, and no more memory than its credit', async () => {
    const before = await residentBytes();
    const text = `"${'x'.repeat(10_000)}"`;
    const signal = new AbortController();
    running.push(() => signal.abort());
    const deafen = async (consumer: string) => {
      const request = SubscribeRequest.fromPartial({ consumer, member: 'deaf', maxInFlight: 65_536, settings });
      const frames = client.consumers.subscribe(request, { signal: signal.signal })[Symbol.asyncIterator]();
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
    expect((await residentBytes()) - before).toBeLessThan(250 * 1024 * 1024);
    signal.abort();
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

describe('a thousand idle subscribers', () => {
  it('cost no queries, and little memory', async () => {
    const quiet = { filter: { topics: ['nobody pushes it'] }, ephemeral: true };
    const clients = Array.from({ length: 10 }, () => new TestClient(server.address));
    running.push(...clients.map((each) => () => each.close()));
    const subscribe = (n: number) => {
      const request = { consumer: `idle ${n}`, settings: ConsumerSettings.fromPartial(quiet) };
      const subscriber = new TestSubscriber((clients[n % 10] as TestClient).consumers, request);
      running.push(() => subscriber.cancel());
      return subscriber.frame('caughtUp');
    };
    await subscribe(0);
    const alone = await queriesOf(3_000);
    const before = await residentBytes();
    for (let from = 1; from < 1_000; from += 111) {
      await Promise.all(Array.from({ length: 111 }, (_, n) => subscribe(from + n)));
    }
    const grown = (await residentBytes()) - before;
    const together = await queriesOf(3_000);
    // Leases are renewed in one statement for all; the tail polls for all.
    expect(together).toBeLessThan(alone * 1.3 + 5);
    // A session, its stream and its HTTP/2 state: some 40 kB each, and the garbage of their creation.
    expect(grown).toBeLessThan(150 * 1024 * 1024);
    const { positions, ms } = await pushedAndDelivered();
    expect(positions).toBe(200);
    expect(ms).toBeLessThan(5_000);
  });

  /** Others go on as if the idle ones were not there. */
  async function pushedAndDelivered(): Promise<{ positions: number; ms: number }> {
    const busy = new TestSubscriber(client.consumers, {
      consumer: 'busy',
      settings: ConsumerSettings.fromPartial({ filter: { topics: ['busy'] } }),
      maxInFlight: 1_000,
    });
    running.push(() => busy.cancel());
    await busy.opened();
    const startedAt = performance.now();
    await pushNumbers(client.events, 200, { topic: 'busy' });
    const deliveries = await busy.first(200);
    return {
      positions: new Set(deliveries.map(({ event }) => event?.position)).size,
      ms: performance.now() - startedAt,
    };
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
