// The operation log of random schedules on a real server and database: nothing that was answered is lost, every consumer gets
// every event, streams keep their order, no offset passes what nobody acknowledged.

import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event as EventMessage } from '../../generated/madeleine/v1/event.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { History } from '../support/events/history.js';
import { Schedule } from '../support/events/schedule.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';
import { seededRandom } from '../support/random.js';
import { startServer, TestClient, type TestServer } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const mariadb = new PrivateDatabase();
const { numRuns = 200, seed = Date.now() % 1_000_000 } = propertyParameters(200);
/** Each takes seconds, not milliseconds: few runs are a fifth as many here, hundreds are meant. */
const schedules = numRuns > 1 && numRuns < 200 ? Math.ceil(numRuns / 5) : numRuns;
/** One takes some 3 s; what is not over by then hangs, and says where. */
const MAX_SCHEDULE_MS = 120_000;
/** Most of a schedule is waiting. */
const AT_ONCE = 4;

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

/** What a schedule does at present. */
interface Progress {
  phase: string;
}

/** What is wrong after the schedule of a seed. */
async function faultsOf(runSeed: number, databaseUrl: string, progress: Progress): Promise<string[]> {
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
        progress.phase = 'the server stops';
        await stop();
        progress.phase = 'the server starts';
        await start();
        progress.phase = 'load';
      }
    }
    progress.phase = 'the last pushes are answered';
    await schedule.stopPushing();
    progress.phase = 'everything is read';
    const stored = await storedEvents(client as unknown as TestClient);
    progress.phase = 'everything is acknowledged';
    await allAcknowledged(client as unknown as TestClient, schedule.consumers, BigInt(stored.length));
    progress.phase = 'the members stop';
    await schedule.stop();
    return [...schedule.faults, ...history.faults(stored, { unordered: ['loose'] })];
  } finally {
    progress.phase += ', then the end';
    await schedule.stop();
    await stop();
  }
}

async function inTime(runSeed: number, databaseUrl: string): Promise<string[]> {
  const progress = { phase: 'load' };
  const over = new AbortController();
  const late = sleep(MAX_SCHEDULE_MS, undefined, { signal: over.signal }).then(
    () => [`not over within ${MAX_SCHEDULE_MS} ms: ${progress.phase}`],
    () => [],
  );
  try {
    return await Promise.race([faultsOf(runSeed, databaseUrl, progress), late]);
  } finally {
    over.abort();
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
    `loses nothing, and keeps every order that was promised (SEED=${seed}, ${schedules} schedules)`,
    async () => {
      // At once: of a run that is killed nothing else is seen.
      process.stderr.write(`SEED=${seed}, ${schedules} schedules\n`);
      let next = 0;
      let failed = false;
      const lane = async () => {
        for (let run = next++; run < schedules && !failed; run = next++) {
          const faults = await inNewDatabase(`run_${run}`, (url) =>
            inTime(seed + run, url).catch((error: Error) => [error.stack ?? error.message]),
          );
          failed ||= faults.length > 0;
          expect(faults, `repeat it with SEED=${seed + run} RUNS=1`).toEqual([]);
        }
      };
      const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
      for (const each of lanes) if (each.status === 'rejected') throw each.reason;
    },
    PROPERTY_TIMEOUT_MS,
  );
});
