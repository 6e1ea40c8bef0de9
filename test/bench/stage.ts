// What a run needs: one private MariaDB, databases on it, and the processes that rows ask for, each started when it is first
// asked for.

import { cpus, totalmem } from 'node:os';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { PrivateDatabase } from '../support/database/private-database.js';
import { RawClient } from './load.js';
import {
  type BenchProcess,
  serverFlags,
  startAbuser,
  startClient,
  startDelayProxy,
  startNoop,
  startReceiver,
  startServer,
} from './processes.js';

export class Stage {
  readonly #mariadb: PrivateDatabase;
  readonly #databases = new Map<string, Promise<string>>();
  readonly #processes = new Map<string, Promise<BenchProcess>>();

  private constructor(mariadb: PrivateDatabase) {
    this.#mariadb = mariadb;
  }

  /** `bufferPoolMiB`: memory of the database for its pages. */
  static async open({ bufferPoolMiB }: { bufferPoolMiB: number }): Promise<Stage> {
    const sizes = [`--innodb-buffer-pool-size=${bufferPoolMiB}M`, '--innodb-log-file-size=512M'];
    const mariadb = new PrivateDatabase({ arguments: sizes });
    await mariadb.start();
    return new Stage(mariadb);
  }

  /** URL of a database, which is empty until a server was started on it. */
  database(name: string): Promise<string> {
    return once(this.#databases, name, async () => {
      await this.query(`CREATE DATABASE \`${name}\``);
      return `${this.#mariadb.adminUrl}${name}`;
    });
  }

  /** URL of a database with our tables and no server. */
  tables(name: string): Promise<string> {
    return once(this.#databases, name, async () => {
      await this.query(`CREATE DATABASE \`${name}\``);
      const url = `${this.#mariadb.adminUrl}${name}`;
      // A server that is stopped at once leaves the tables behind.
      await (await startServer(url)).stop();
      return url;
    });
  }

  /** The instance of a name; `main`, on the database that all rows share, unless told. */
  server(name = 'main', options: { database?: string; delayMs?: number } = {}): Promise<BenchProcess> {
    const { database = 'bench', delayMs } = options;
    return once(this.#processes, `server ${name}`, async () => {
      return startServer(await (delayMs === undefined ? this.database(database) : this.through(database, delayMs)));
    });
  }

  noop(): Promise<BenchProcess> {
    return once(this.#processes, 'noop', startNoop);
  }

  /** A receiver that takes every callback. */
  receiver(): Promise<BenchProcess> {
    return once(this.#processes, 'receiver', startReceiver);
  }

  /** A caller that does harm, from an address of its own. */
  abuser(): Promise<BenchProcess> {
    return once(this.#processes, 'abuser', startAbuser);
  }

  /** The client process of a number. */
  client(number: number): Promise<BenchProcess> {
    return once(this.#processes, `client ${number}`, startClient);
  }

  /** Ends all processes: what is measured next has machine and database to itself. */
  async clear(): Promise<void> {
    const processes = [...this.#processes.values()];
    this.#processes.clear();
    // In the order of their start, the proxies after the servers that talk through them.
    const started = await Promise.allSettled(processes);
    for (const one of started) if (one.status === 'fulfilled') await one.value.stop();
  }

  async close(): Promise<void> {
    try {
      await this.clear();
    } finally {
      await this.#mariadb.stop();
    }
  }

  /** Statements that the database was asked to run so far. */
  async questions(): Promise<number> {
    const [row] = await this.query("SHOW GLOBAL STATUS LIKE 'Questions'");
    return Number(row?.['Value']);
  }

  /** Settings that figures depend on, by name. */
  async settings(): Promise<Record<string, string>> {
    const [row] = await this.query(
      `SELECT VERSION() AS version, @@innodb_flush_log_at_trx_commit AS flush, @@innodb_doublewrite AS doublewrite,
         @@log_bin AS log_bin, @@innodb_buffer_pool_size DIV 1048576 AS pool, @@innodb_log_file_size DIV 1048576 AS redo`,
    );
    return {
      machine: machine(),
      node: `${process.version} ${serverFlags().join(' ')}`,
      database: `MariaDB ${row?.['version']}, innodb_flush_log_at_trx_commit=${row?.['flush']}, doublewrite=${row?.['doublewrite']}, log_bin=${row?.['log_bin']}, buffer pool ${row?.['pool']} MiB, redo log ${row?.['redo']} MiB`,
    };
  }

  query(sql: string): Promise<RowDataPacket[]> {
    return this.onConnection((run) => run(sql));
  }

  /** Statements that share a connection. */
  async onConnection<T>(work: (run: (sql: string) => Promise<RowDataPacket[]>) => Promise<T>): Promise<T> {
    const connection = await createConnection(this.#mariadb.adminUrl);
    try {
      return await work(async (sql) => (await connection.query<RowDataPacket[]>(sql))[0]);
    } finally {
      await connection.end();
    }
  }

  /** URL of a database through a proxy that holds its answers for so many milliseconds. */
  async through(database: string, delayMs: number): Promise<string> {
    const url = new URL(await this.database(database));
    const proxy = await once(this.#processes, `proxy ${delayMs} ms`, () => startDelayProxy(url.host, delayMs));
    url.host = proxy.address;
    return url.href;
  }
}

/** What two runs have to have in common to be compared. */
export function machine(): string {
  const all = cpus();
  return `${all.length} cores (${all[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
}

/** A client for as long as the work takes. */
export async function withClient<T>(server: BenchProcess, work: (client: RawClient) => Promise<T>): Promise<T> {
  const client = new RawClient(server.address);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** The value of the name, made when it is first asked for. */
function once<T>(made: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(name) ?? make();
  made.set(name, known);
  return known;
}
