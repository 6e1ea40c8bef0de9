// Several servers, each a process of its own, on one database, with what is in use on each of them.

import { createTestDatabase, type TestDatabase } from '../database/database.js';
import { ServerProcess, TestClient, type TestSettings } from './server.js';

export interface Instance {
  readonly server: ServerProcess;
  readonly client: TestClient;
}

export class Cluster {
  readonly database: TestDatabase;
  readonly #settings: TestSettings;
  readonly instances: Instance[] = [];

  private constructor(database: TestDatabase, settings: TestSettings) {
    this.database = database;
    this.#settings = settings;
  }

  /** Starts so many servers on a database of their own. */
  static async start(count: number, settings: TestSettings = {}): Promise<Cluster> {
    const cluster = new Cluster(await createTestDatabase(), settings);
    // One after the other: the first one makes the schema.
    for (let n = 0; n < count; n += 1) await cluster.add();
    return cluster;
  }

  async add(settings: TestSettings = {}): Promise<Instance> {
    const server = await ServerProcess.start({ databaseUrl: this.database.url, ...this.#settings, ...settings });
    // A frozen server is found out by keep-alive, as in production.
    const client = new TestClient(server.address, {
      'grpc.keepalive_time_ms': 2_000,
      'grpc.keepalive_timeout_ms': 2_000,
    });
    const instance = { server, client };
    this.instances.push(instance);
    return instance;
  }

  at(index: number): Instance {
    const instance = this.instances[index];
    if (instance === undefined) throw new Error(`there is no instance ${index}`);
    return instance;
  }

  async stop(): Promise<void> {
    for (const { server, client } of this.instances) {
      client.close();
      if (server.running) server.signal('SIGCONT');
      await server.kill();
    }
    await this.database.drop();
  }
}
