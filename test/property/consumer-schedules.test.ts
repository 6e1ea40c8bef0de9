// Random schedules on real servers and a database, judged by their operation logs: consumers whose members come and go, forget, are
// frozen and replaced, that are seeked, changed and made anew, while the servers that run them stop and start.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/database/database.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { ConsumerSchedule } from '../support/operations/consumer-schedule.js';
import type { Instances, LiveInstance } from '../support/operations/instances.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';
import { RandomChoices } from '../support/random.js';
import { startServer, TestClient, type TestServer } from '../support/server/server.js';

const { numRuns = 200, seed = Date.now() % 1_000_000 } = propertyParameters(200);
/** Each takes seconds, not milliseconds: few runs are a fifth as many here, hundreds are meant. */
const schedules = numRuns > 1 && numRuns < 200 ? Math.ceil(numRuns / 5) : numRuns;
/** RUNS of so many schedules, no more than a group. */
const runsOf = (count: number) => (count === 1 ? 1 : 5 * count);
/** Schedules on one pair of servers. Most of a schedule is waiting. */
const AT_ONCE = 10;

/** No process is killed here, so the disk need not be waited for. */
const mariadb = new PrivateDatabase({ arguments: ['--innodb-flush-log-at-trx-commit=0'] });
beforeAll(() => mariadb.start());
afterAll(() => mariadb.stop());

/** Two servers in this process on one database, of which one stops and starts now and then. */
class ServerPair implements Instances {
  readonly live: LiveInstance[] = [];
  readonly #databaseUrl: string;
  readonly #servers = new Map<LiveInstance, TestServer>();

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  /** Starts a server; again, as whoever supervises it would, if the database is too slow to answer. */
  async add(): Promise<void> {
    const own = { databaseUrl: this.#databaseUrl, tailBytes: String(1024 * 1024), drainMs: '100', allowLossy: 'true' };
    const server = await startServer(own).catch(() => startServer(own));
    const instance = { address: server.address, client: new TestClient(server.address) };
    this.#servers.set(instance, server);
    this.live.push(instance);
  }

  async remove(instance = this.live[0]): Promise<void> {
    if (instance === undefined) return;
    this.live.splice(this.live.indexOf(instance), 1);
    await this.#servers.get(instance)?.stop();
    this.#servers.delete(instance);
    instance.client.close();
  }

  async stop(): Promise<void> {
    while (this.live.length > 0) await this.remove();
  }
}

/** Restarts one of the servers again and again for the time of the load. */
async function restart(pair: ServerPair, group: readonly ConsumerSchedule[], random: RandomChoices): Promise<void> {
  for (let restarts = random.between(0, 2); restarts > 0; restarts -= 1) {
    await sleep(random.between(300, 900));
    const spans = group.map(({ log }) => ({ log, span: log.begin() }));
    for (const { log, span } of spans) log.troubles.push(span);
    await pair.remove(random.of(pair.live));
    if (random.chance(0.5)) await sleep(random.between(0, 500));
    await pair.add();
    for (const { log, span } of spans) log.end(span);
  }
}

/** What is wrong after the schedules of some seeds, by seed. */
async function faultsOf(seeds: readonly number[]): Promise<string[]> {
  const random = new RandomChoices(seeds[0] ?? 0);
  const database = await createTestDatabase(mariadb.adminUrl);
  const pair = new ServerPair(database.url);
  const group = seeds.map((each) => new ConsumerSchedule(each, pair));
  try {
    await pair.add();
    await pair.add();
    await Promise.all(group.map((schedule) => schedule.start()));
    await Promise.all([restart(pair, group, random), ...group.map((schedule) => schedule.work(2_000))]);
    const faults = await Promise.all(group.map((schedule) => schedule.settle()));
    return faults.flatMap((ofOne, index) => ofOne.map((fault) => `seed ${seeds[index]}: ${fault}`));
  } finally {
    await Promise.all(group.map((schedule) => schedule.abandon()));
    await pair.stop();
    await database.drop();
  }
}

describe('consumers', () => {
  it(
    `keep every promise, whatever happens in whatever order (SEED=${seed}, ${schedules} schedules)`,
    async () => {
      // At once: of a run that is killed nothing else is seen.
      process.stderr.write(`SEED=${seed}, ${schedules} schedules\n`);
      const seeds = Array.from({ length: schedules }, (_, run) => seed + run);
      for (let first = 0; first < schedules; first += AT_ONCE) {
        const group = seeds.slice(first, first + AT_ONCE);
        const faults = await faultsOf(group);
        expect(faults, `repeat it with SEED=${group[0]} RUNS=${runsOf(group.length)}`).toEqual([]);
      }
    },
    PROPERTY_TIMEOUT_MS,
  );
});
