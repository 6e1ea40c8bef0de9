// Clients that vanish: whatever they had open ends on the server, and nothing of it stays.

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerSettings, FetchRequest, SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { pushNumbers } from '../../support/consumers/consumer.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { metric, openCalls as openCallsOf } from '../../support/server/metrics.js';
import { Pipe } from '../../support/server/pipe.js';
import { TestClient } from '../../support/server/server.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const ROUNDS = 40;
/** Consumers that calls of one kind share. Each waits for events for half a minute after its last use. */
const CONSUMERS = 5;
/** The server's own: those who wake waiters, those who make firings, and those who count events. */
const OWN_WAITERS = 3;
const ephemeral = ConsumerSettings.fromPartial({ ephemeral: true });
let rounds = 0;
let awaitedId = 0n;

type Call = (client: TestClient, signal: AbortSignal) => AsyncIterable<unknown> | Promise<unknown>;

const CALLS: Readonly<Record<string, Call>> = {
  'ReadEvents that follows': ({ events }, signal) => events.readEvents({ follow: true }, { signal }),
  WatchEvents: ({ events }, signal) => events.watchEvents({}, { signal }),
  Subscribe: ({ consumers }, signal) =>
    consumers.subscribe(SubscribeRequest.fromPartial({ consumer: `gone ${rounds % CONSUMERS}`, settings: ephemeral }), {
      signal,
    }),
  'Fetch that waits': ({ consumers }, signal) => {
    const wait = { seconds: 60n, nanos: 0 };
    const request = { consumer: `fetched ${rounds % CONSUMERS}`, start: { at: { $case: 'latest', value: {} } }, wait };
    return consumers.fetch(FetchRequest.fromPartial(request as FetchRequest), { signal });
  },
  WaitForEvent: ({ cawins }, signal) => cawins.waitForEvent({ eventId: awaitedId }, { signal }),
  PushEventStream: ({ events }, signal) => events.pushEventStream(endless(), { signal }),
};

async function* endless() {
  for (let batchId = 1n; ; batchId += 1n) {
    yield { batchId, events: [{ event: newEvent({ topic: 'endless' }) }] };
    await sleep(2);
  }
}

async function consume(answer: AsyncIterable<unknown> | Promise<unknown>): Promise<void> {
  if (answer instanceof Promise) await answer;
  else for await (const _ of answer);
}

async function rest(frames: AsyncIterator<unknown>): Promise<void> {
  while (!(await frames.next()).done);
}

/** A call whose client goes in the given way; the moment is a different one each time. */
async function vanish(call: Call, how: string): Promise<void> {
  rounds += 1;
  const pipe = await Pipe.to(suite.server.address);
  const client = new TestClient(pipe.address);
  const abort = new AbortController();
  const open = consume(call(client, abort.signal)).catch(() => {});
  await sleep((rounds * 7) % 23);
  if (how === 'cancels') abort.abort();
  if (how === 'closes its channel') client.close();
  pipe.cut();
  await open;
  client.close();
}

const openCalls = () => openCallsOf(suite.server.httpAddress);
const waiters = () => metric(suite.server.httpAddress, /^madeleine_tail_waiters (\d+)$/);

function resources(): Record<string, number> {
  const counts: Record<string, number> = { Timeout: 0 };
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

async function connections(): Promise<number> {
  const connection = await createConnection(suite.database.adminUrl);
  const [rows] = await connection.query('SELECT id FROM information_schema.processlist WHERE db = ?', [
    suite.database.name,
  ]);
  await connection.end();
  return (rows as unknown[]).length - 1;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of the heap that are in use, after several collections. */
async function heap(): Promise<number> {
  for (let n = 0; n < 5; n += 1) {
    collectGarbage();
    await sleep(10);
  }
  return process.memoryUsage().heapUsed;
}

beforeAll(async () => {
  await pushNumbers(suite.client.events, 500);
  const event = newEvent({ topic: 'never', payload: undefined, description: { never: true } });
  awaitedId = (await suite.client.events.pushEvent({ event })).event?.id ?? 0n;
});

afterEach(async () => {
  await waitUntil(async () => (await openCalls()) === 0, { what: 'every call has ended on the server' });
});

describe.each(['cancels', 'closes its channel', 'is cut off'])('a client that %s', (how) => {
  it.each(Object.keys(CALLS))('in the middle of %s leaves nothing', async (name) => {
    const call = CALLS[name] as Call;
    // Whatever is made once is there after the first ones.
    for (let n = 0; n < 5; n += 1) await vanish(call, how);
    await waitUntil(async () => (await openCalls()) === 0, { what: 'the first calls have ended' });
    const before = {
      waiting: Math.max(await settledWaiters(), CONSUMERS + OWN_WAITERS),
      ...resources(),
      connections: await connections(),
    };
    for (let n = 0; n < ROUNDS / 2; n += 1) await vanish(call, how);
    await waitUntil(async () => (await openCalls()) === 0, { what: 'every call has ended on the server' });
    await waitUntil(async () => (await settledWaiters()) <= before.waiting, {
      what: `${before.waiting} waiters at most`,
    });
    const kinds = ['Timeout', 'TCPSocketWrap', 'TCPServerWrap'] as const;
    // Each consumer may have set its alarm meanwhile; a timer left behind by each of the calls would be twice as many.
    const spare = CONSUMERS + 2;
    await waitUntil(
      () => kinds.every((kind) => (resources()[kind] ?? 0) <= ((before as Record<string, number>)[kind] ?? 0) + spare),
      {
        what: `no more than ${JSON.stringify(before)}; there are ${JSON.stringify(resources())}`,
      },
    );
    expect(await connections()).toBeLessThanOrEqual(before.connections + 2);
    const { consumers } = await suite.client.consumers.listConsumers({ namePrefix: 'gone' });
    expect(consumers.flatMap(({ members }) => members)).toEqual([]);
  });
});

/** The gauge is brought up to date at each poll of the tail. */
async function settledWaiters(): Promise<number> {
  await sleep(120);
  return waiters();
}

describe('memory', () => {
  it('is flat however many clients come and go', async () => {
    const everyone = async (times: number) => {
      for (let n = 0; n < times; n += 1) for (const call of Object.values(CALLS)) await vanish(call, 'is cut off');
      await waitUntil(async () => (await openCalls()) === 0, { what: 'every call has ended on the server' });
    };
    await everyone(20);
    const before = await heap();
    await everyone(ROUNDS);
    // 200 calls: one that left its frames, its call and its connection behind would be some 20 kB.
    expect((await heap()) - before).toBeLessThan(3 * 1024 * 1024);
  });
});

describe('found before', () => {
  it('a connection serves on, however many of its calls were cut off with frames unread', async () => {
    const { events } = suite.client;
    const payload = bytesPayload('x'.repeat(50_000), 'text/plain');
    for (let n = 0; n < 10; n += 1)
      await events.pushEvents({
        events: Array.from({ length: 40 }, () => ({ event: newEvent({ context: 'wide', payload }) })),
      });
    // 64 MB of what was not sent, all together, used to be too much for a connection: it was never taken off.
    const reader = new TestClient(suite.server.address);
    for (let n = 0; n < 180; n += 1) {
      const abort = new AbortController();
      const frames = reader.events.readEvents({ context: 'wide' }, { signal: abort.signal })[Symbol.asyncIterator]();
      await frames.next();
      await sleep(5);
      abort.abort();
      // Frames that the client has already may still come.
      await expect(rest(frames)).rejects.toMatchObject({ name: 'AbortError' });
    }
    await reader.events.listEvents({ pageSize: 1 });
    reader.close();
  });

  it('any number of readers wait for the drain', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const { events } = suite.client;
    const abort = new AbortController();
    setMaxListeners(0, abort.signal);
    // A context of their own: the log is large by now.
    const following = { context: 'followed', follow: true };
    const followers = Array.from({ length: 30 }, () =>
      events.readEvents(following, { signal: abort.signal })[Symbol.asyncIterator](),
    );
    await events.pushEvent({ event: newEvent({ context: 'followed' }) });
    for (const frames of followers) {
      let frame = await frames.next();
      while (frame.value?.events.length !== 1) frame = await frames.next();
    }
    abort.abort();
    await Promise.allSettled(followers.map(rest));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});
