// A server process on a database server of its own, under load, for tests that do the database harm.

import {
  HealthDefinition,
  HealthCheckResponse_ServingStatus as Serving,
} from 'nice-grpc-server-health/lib/proto/grpc/health/v1/health.js';
import { expect } from 'vitest';
import { Worker } from '../consumers/worker.js';
import { Follower } from '../events/follower.js';
import { History } from '../events/history.js';
import { StreamPusher } from '../events/pusher.js';
import { openCalls } from '../server/metrics.js';
import { ResourceWatch } from '../server/resources.js';
import { ServerProcess, TestClient } from '../server/server.js';
import { waitUntil } from '../wait-until.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { PrivateDatabase, type PrivateDatabaseOptions } from './private-database.js';
import { storedEvents } from './proxied.js';

const PUSHERS = 8;
/** More than a server under this load ever needs, and less than one that hoards what it cannot store. */
const MAX_RESIDENT_BYTES = 600 * 1024 * 1024;
/** The pool's, one a committer, and one that is being replaced. */
const MAX_CONNECTIONS = 10 + 2 + 1;

export class TroubledScene {
  readonly mariadb: PrivateDatabase;
  readonly history = new History();
  #database: TestDatabase | undefined;
  #server: ServerProcess | undefined;
  #client: TestClient | undefined;
  #pushers: StreamPusher[] = [];
  #worker: Worker | undefined;
  #watches: ResourceWatch[] = [];
  readonly follower = new Follower(() => this.#client, this.history);

  private constructor(mariadb: PrivateDatabase) {
    this.mariadb = mariadb;
  }

  /** Starts everything; returns once pushes are answered. */
  static async start(options: PrivateDatabaseOptions = {}): Promise<TroubledScene> {
    const scene = new TroubledScene(new PrivateDatabase(options));
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

  /** Readiness over HTTP and health over gRPC; undefined while they differ. */
  async #readiness(): Promise<boolean | undefined> {
    const answer = await fetch(`http://${this.server.httpAddress}/readyz`);
    await answer.text();
    const { status } = await this.client.of(HealthDefinition).check({ service: '' });
    const serves = status === Serving.SERVING;
    return serves === (answer.status === 200) ? serves : undefined;
  }

  becomesReady(timeoutMs = 15_000): Promise<unknown> {
    const what = 'the server is ready and healthy';
    return waitUntil(async () => (await this.#readiness()) === true, { what, timeoutMs });
  }

  becomesUnready(timeoutMs = 15_000): Promise<unknown> {
    const what = 'the server is neither ready nor healthy';
    return waitUntil(async () => (await this.#readiness()) === false, { what, timeoutMs });
  }

  /** Waits until so many more pushes are answered. */
  async pushesGoOn(count = 50, timeoutMs = 20_000): Promise<void> {
    const goal = this.history.answeredCount + count;
    await waitUntil(() => this.history.answeredCount >= goal, { what: `${goal} answered pushes`, timeoutMs });
  }

  /** kill -9 of the server. */
  async killServer(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await this.server.kill();
    client?.close();
  }

  async startServer(): Promise<void> {
    this.#server = await ServerProcess.start({ databaseUrl: this.database.url });
    this.#client = new TestClient(this.#server.address);
    this.#watches.push(new ResourceWatch(this.#server.pid, this.mariadb.port));
  }

  /** Lets the load end, and looks at everything that was answered, shown and stored, and at what is left behind. */
  async expectNothingLost(): Promise<void> {
    await Promise.all(this.#pushers.map((pusher) => pusher.stop()));
    const stored = await storedEvents(this.database);
    const all = () =>
      this.follower.position === stored.length && this.history.deliveredCount('worker') === stored.length;
    await waitUntil(all, { what: `follower and worker reach ${stored.length}`, timeoutMs: 30_000 });
    await Promise.all([this.follower.stop(), this.#worker?.stop()]);
    expect(this.follower.faults).toEqual([]);
    expect(this.history.faults(stored)).toEqual([]);
    const open = () => openCalls(this.server.httpAddress);
    await waitUntil(async () => (await open()) === 0, { what: 'every call has ended on the server' });
    await Promise.all(this.#watches.map((watch) => watch.stop()));
    for (const { maxResidentBytes, maxConnections } of this.#watches) {
      expect(maxResidentBytes).toBeLessThan(MAX_RESIDENT_BYTES);
      expect(maxConnections).toBeGreaterThan(0);
      expect(maxConnections).toBeLessThanOrEqual(MAX_CONNECTIONS);
    }
  }

  async stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await this.#server?.kill();
    await Promise.all(this.#pushers.map((pusher) => pusher.abandon()));
    await Promise.all([this.follower, this.#worker, ...this.#watches].map((each) => each?.stop()));
    client?.close();
    await this.mariadb.stop();
  }

  async #start(): Promise<void> {
    await this.mariadb.start();
    this.#database = await createTestDatabase(this.mariadb.adminUrl);
    await this.startServer();
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
