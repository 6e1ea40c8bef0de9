// The operation log of random schedules on a real server and database: nothing that was answered is lost, every consumer gets
// every event, streams keep their order, no offset passes what nobody acknowledged.

import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event as EventMessage } from '../../generated/madeleine/v1/event.js';
import { History } from '../support/history.js';
import { PrivateMariadb } from '../support/private-mariadb.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';
import { seededRandom } from '../support/random.js';
import { Schedule } from '../support/schedule.js';
import { startServer, TestClient, type TestServer } from '../support/server.js';
import { waitUntil } from '../support/wait-until.js';

const mariadb = new PrivateMariadb();
const { numRuns = 25, seed = Date.now() % 1_000_000 } = propertyParameters(25);
/** Each takes seconds, not milliseconds: few runs are a fifth as many here, hundreds are meant. */
const schedules = numRuns < 200 ? Math.ceil(numRuns / 5) : numRuns;

beforeAll(() => mariadb.start());
afterAll(() => mariadb.stop());

async function storedEvents(client: TestClient): Promise<EventMessage[]> {
  const events: EventMessage[] = [];
  for await (const frame of client.events.readEvents({ context: 'all' })) events.push(...frame.events);
  return events;
}

async function allAcknowledged(client: TestClient, consumers: readonly string[], head: bigint): Promise<void> {
  for (const name of consumers) {
    let seen = '';
    await waitUntil(
      async () => {
        const { consumer } = await client.consumers.getConsumer({ name });
        seen = `${consumer?.offset} of ${head}, ${consumer?.activityCause}`;
        return consumer?.offset === head || seen === '';
      },
      { what: `${name} acknowledges everything`, timeoutMs: 30_000 },
    ).catch((error: Error) => {
      throw new Error(`${error.message}; it is at ${seen}`);
    });
  }
}

/** What is wrong after the schedule of a seed. */
async function faultsOf(runSeed: number, databaseUrl: string): Promise<string[]> {
  const random = seededRandom(runSeed);
  const history = new History();
  let server: TestServer | undefined;
  let client: TestClient | undefined;
  const start = async () => {
    server = await startServer({ databaseUrl, tailBytes: String(1024 * 1024), drainMs: '100' });
    client = new TestClient(server.address);
  };
  const stop = async () => {
    const [oldClient, oldServer] = [client, server];
    client = undefined;
    await oldServer?.stop();
    oldClient?.close();
  };
  const schedule = new Schedule({ random, history, client: () => client });
  await start();
  try {
    schedule.start();
    for (let step = 0; step < 4; step += 1) {
      await sleep(100 + random() * 400);
      const chance = random();
      if (chance < 0.4) await schedule.seekBack();
      else if (chance < 0.6) {
        await stop();
        await start();
      }
    }
    await schedule.stopPushing();
    const stored = await storedEvents(client as unknown as TestClient);
    await allAcknowledged(client as unknown as TestClient, schedule.consumers, BigInt(stored.length));
    await schedule.stop();
    return [...schedule.faults, ...history.faults(stored, { unordered: ['loose'] })];
  } finally {
    await schedule.stop();
    await stop();
  }
}

async function inNewDatabase(name: string, work: (url: string) => Promise<string[]>): Promise<string[]> {
  const connection = await createConnection(mariadb.adminUrl);
  try {
    await connection.query(`CREATE DATABASE ${name}`);
    return await work(`${mariadb.adminUrl}${name}`);
  } finally {
    await connection.query(`DROP DATABASE ${name}`);
    await connection.end();
  }
}

describe('a random schedule', () => {
  it(
    'loses nothing, and keeps every order that was promised',
    async () => {
      for (let run = 0; run < schedules; run += 1) {
        const faults = await inNewDatabase(`run_${run}`, (url) =>
          faultsOf(seed + run, url).catch((error: Error) => [error.stack ?? error.message]),
        );
        expect(faults, `repeat it with SEED=${seed + run} RUNS=1`).toEqual([]);
      }
    },
    PROPERTY_TIMEOUT_MS,
  );
});
