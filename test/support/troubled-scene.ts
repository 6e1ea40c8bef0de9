// A server process on a database server of its own, under load, for tests that do the database harm.

import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.js';
import { Follower } from './follower.js';
import { History } from './history.js';
import { PrivateMariadb, type PrivateMariadbOptions } from './private-mariadb.js';
import { logFaults, storedRows } from './proxied.js';
import { StreamPusher } from './pusher.js';
import { ServerProcess, TestClient } from './server.js';
import { waitUntil } from './wait-until.js';
import { Worker } from './worker.js';

const PUSHERS = 8;
/** More than a server under this load ever needs, and less than one that hoards what it cannot store. */
const MAX_RESIDENT_BYTES = 600 * 1024 * 1024;

export class TroubledScene {
  readonly mariadb: PrivateMariadb;
  readonly history = new History();
  #database: TestDatabase | undefined;
  #server: ServerProcess | undefined;
  #client: TestClient | undefined;
  #pushers: StreamPusher[] = [];
  #worker: Worker | undefined;
  readonly follower = new Follower(() => this.#client);

  private constructor(mariadb: PrivateMariadb) {
    this.mariadb = mariadb;
  }

  /** Starts everything; returns once pushes are answered. */
  static async start(options: PrivateMariadbOptions = {}): Promise<TroubledScene> {
    const scene = new TroubledScene(new PrivateMariadb(options));
    try {
      await scene.#start();
    } catch (error) {
      await scene.stop();
      throw error;
    }
    return scene;
  }

  get database(): TestDatabase {
    if (this.#database === undefined) throw new Error('not started');
    return this.#database;
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('not started');
    return this.#server;
  }

  get client(): TestClient {
    if (this.#client === undefined) throw new Error('not started');
    return this.#client;
  }

  async isReady(): Promise<boolean> {
    const answer = await fetch(`http://${this.server.httpAddress}/readyz`);
    await answer.text();
    return answer.status === 200;
  }

  becomesReady(timeoutMs = 15_000): Promise<unknown> {
    return waitUntil(() => this.isReady(), { what: 'the server is ready', timeoutMs });
  }

  becomesUnready(timeoutMs = 15_000): Promise<unknown> {
    return waitUntil(async () => !(await this.isReady()), { what: 'the server is not ready', timeoutMs });
  }

  /** Waits until so many more pushes are answered. */
  async pushesGoOn(count = 50, timeoutMs = 20_000): Promise<void> {
    const goal = this.history.answeredCount + count;
    await waitUntil(() => this.history.answeredCount >= goal, { what: `${goal} answered pushes`, timeoutMs });
  }

  /** Lets the load end and looks at everything that was answered, shown and stored. */
  async expectNothingLost(): Promise<void> {
    await Promise.all(this.#pushers.map((pusher) => pusher.stop()));
    const stored = await storedRows(this.database);
    expect(logFaults(stored)).toEqual([]);
    const all = () =>
      this.follower.position === stored.length && this.history.deliveredCount('worker') === stored.length;
    await waitUntil(all, { what: `follower and worker reach ${stored.length}`, timeoutMs: 30_000 });
    expect(this.follower.faults).toEqual([]);
    expect(this.history.faults(this.follower.events)).toEqual([]);
    expect(await residentBytes(this.server.pid)).toBeLessThan(MAX_RESIDENT_BYTES);
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await this.#server?.kill();
    await Promise.all(this.#pushers.map((pusher) => pusher.abandon()));
    await Promise.all([this.follower.stop(), this.#worker?.stop()]);
    client?.close();
    await this.mariadb.stop();
  }

  async #start(): Promise<void> {
    await this.mariadb.start();
    this.#database = await createTestDatabase(this.mariadb.adminUrl);
    this.#server = await ServerProcess.start({ databaseUrl: this.#database.url });
    this.#client = new TestClient(this.#server.address);
    const { history } = this;
    this.#pushers = Array.from(
      { length: PUSHERS },
      (_, n) => new StreamPusher({ stream: `stream-${n}`, history, client: () => this.#client }),
    );
    this.#worker = new Worker({ request: { consumer: 'worker' }, history, client: () => this.#client });
    for (const each of [...this.#pushers, this.#worker, this.follower]) each.start();
    await this.pushesGoOn();
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}
