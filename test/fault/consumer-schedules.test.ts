// The random schedules of test/property/consumer-schedules.test.ts with what only processes can suffer: instances are killed and
// frozen, the database is killed. Nothing that was answered is lost, and everything goes on.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { ConsumerSchedule } from '../support/operations/consumer-schedule.js';
import type { Instances, LiveInstance } from '../support/operations/instances.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';
import { RandomChoices } from '../support/random.js';
import { ServerProcess, TestClient } from '../support/server/server.js';

const { numRuns = 6, seed = Date.now() % 1_000_000 } = propertyParameters(6);
/** Schedules on one pair of servers, which suffer together. */
const AT_ONCE = 6;
/** Troubles of a group, one after the other. */
const TROUBLES = 4;
const KINDS = { killAndStart: 4, killAndWait: 1, freeze: 2, freezeLong: 1, killDatabase: 2 };

const mariadb = new PrivateDatabase();
let parent: string;
beforeAll(async () => {
  await mariadb.start();
  parent = await mkdtemp(join(tmpdir(), 'madeleine-schedules-'));
});
afterAll(async () => {
  await mariadb.stop();
  await rm(parent, { recursive: true, force: true });
});

/** Two instances with data directories of their own, which are killed and frozen. */
class Victims implements Instances {
  readonly live: LiveInstance[] = [];
  readonly #database: TestDatabase;
  readonly #servers = new Map<LiveInstance, { readonly server: ServerProcess; readonly dataDir: string }>();

  constructor(database: TestDatabase) {
    this.#database = database;
  }

  async add(dataDir: string): Promise<void> {
    const server = await ServerProcess.start({ databaseUrl: this.#database.url, dataDir });
    // A frozen instance is found out by keep-alive, as in production.
    const options = { 'grpc.keepalive_time_ms': 2_000, 'grpc.keepalive_timeout_ms': 2_000 };
    const instance = { address: server.address, client: new TestClient(server.address, options) };
    this.#servers.set(instance, { server, dataDir });
    this.live.push(instance);
  }

  async suffer(kind: keyof typeof KINDS, random: RandomChoices): Promise<void> {
    const instance = random.of(this.live) as LiveInstance;
    if (kind === 'killDatabase') {
      await mariadb.kill();
      await sleep(random.between(0, 1_500));
      await mariadb.run();
    } else if (kind === 'killAndStart') await this.add(await this.#kill(instance));
    else if (kind === 'killAndWait') {
      const dataDir = await this.#kill(instance);
      // Longer than its leases last: the other one takes its consumers over.
      await sleep(17_000);
      await this.add(dataDir);
    } else await this.#freeze(instance, kind === 'freeze' ? random.between(500, 6_000) : 18_000);
  }

  async stop(): Promise<void> {
    for (const instance of [...this.live]) await this.#kill(instance);
  }

  async #kill(instance: LiveInstance): Promise<string> {
    const { server, dataDir } = this.#servers.get(instance) as { server: ServerProcess; dataDir: string };
    this.live.splice(this.live.indexOf(instance), 1);
    await server.kill();
    instance.client.close();
    return dataDir;
  }

  async #freeze(instance: LiveInstance, ms: number): Promise<void> {
    const server = this.#servers.get(instance)?.server;
    server?.signal('SIGSTOP');
    await sleep(ms);
    server?.signal('SIGCONT');
  }
}

async function trouble(victims: Victims, group: readonly ConsumerSchedule[], random: RandomChoices): Promise<void> {
  for (let count = 0; count < TROUBLES; count += 1) {
    await sleep(random.between(500, 3_000));
    const spans = group.map(({ log }) => ({ log, span: log.begin() }));
    for (const { log, span } of spans) log.troubles.push(span);
    await victims.suffer(random.weighted(KINDS), random);
    // What was under way when it was over may come a little later.
    await sleep(500);
    for (const { log, span } of spans) log.end(span);
  }
}

async function faultsOf(seeds: readonly number[]): Promise<string[]> {
  const random = new RandomChoices(seeds[0] ?? 0);
  const database = await createTestDatabase(mariadb.adminUrl);
  const victims = new Victims(database);
  const group = seeds.map((each) => new ConsumerSchedule(each, victims, { pauseMs: 100, events: 60 }));
  try {
    for (const name of ['one', 'two']) await victims.add(join(parent, `${name} of ${seeds[0]}`));
    await Promise.all(group.map((schedule) => schedule.start()));
    await Promise.all([trouble(victims, group, random), ...group.map((schedule) => schedule.work(5_000))]);
    const faults = await Promise.all(group.map((schedule) => schedule.settle()));
    return faults.flatMap((ofOne, index) => ofOne.map((fault) => `seed ${seeds[index]}: ${fault}`));
  } finally {
    await Promise.all(group.map((schedule) => schedule.abandon()));
    await victims.stop();
    await database.drop();
  }
}

describe('consumers whose servers and database are killed and frozen', () => {
  it(
    `keep every promise (SEED=${seed}, ${numRuns} schedules)`,
    async () => {
      process.stderr.write(`SEED=${seed}, ${numRuns} schedules\n`);
      const seeds = Array.from({ length: numRuns }, (_, run) => seed + run);
      for (let first = 0; first < numRuns; first += AT_ONCE) {
        const group = seeds.slice(first, first + AT_ONCE);
        expect(await faultsOf(group), `repeat it with SEED=${group[0]} RUNS=${group.length}`).toEqual([]);
      }
    },
    PROPERTY_TIMEOUT_MS,
  );
});
