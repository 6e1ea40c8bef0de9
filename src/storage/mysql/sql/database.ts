// One pool of connections to the database, and how a statement runs on it: time-outs, retries, translation of failures.
// Groups do not use the pool, they have connections of their own (group-committer.ts).

import knexPackage, { type Knex } from 'knex';
import type { Connection, ConnectionOptions, ResultSetHeader } from 'mysql2';
import { type Backoff, backoffMs, JITTER } from '../../../domain/backoff.js';
import { systemClock } from '../../../lib/clock.js';
import { within } from '../../../lib/within.js';
import { parseDatabaseUrl } from '../../../settings/database-url.js';
import type { Millis } from '../../../units.js';
import { tlsOptions } from './database-tls.js';
import { ROW_HOLDER_SETTINGS } from './dialect.js';
import { IdleConnections } from './idle-connections.js';
import { ServerChange } from './server-change.js';
import { classifySqlError, isConnectionError, translateSqlError } from './sql-errors.js';

const { knex: createKnex } = knexPackage;

export type SqlValue = string | number | bigint | Buffer | Uint8Array | null;

/** Statements on one connection. */
export interface Queries {
  /** Text protocol: for statements whose shape varies. `?` stands for a value. */
  query<T>(sql: string, values?: readonly SqlValue[]): Promise<T[]>;
  /** Prepared: for statements of few shapes. */
  execute<T>(sql: string, values?: readonly SqlValue[]): Promise<T[]>;
  /** Prepared, for changes; counts the rows that matched, changed or not. */
  write(sql: string, values?: readonly SqlValue[]): Promise<{ affectedRows: number }>;
}

export interface DatabaseOptions {
  /** mysql://user:password@host:port/database */
  readonly url: string;
  readonly poolSize: number;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** Shared with the other parts that connect to the same database. */
  readonly serverChange?: ServerChange;
}

/** A statement may take this long, then its connection is given up. Shorter than any caller's patience. */
const STATEMENT_TIMEOUT_MS = 5_000;
const CLOSE_MS = 2_000;
const ACQUIRE_TIMEOUT_MS = 3_000;
const TRANSACTION_ATTEMPTS = 6;
const RETRIES: Backoff = { baseMs: 10, capMs: 160, jitter: JITTER.withinHalf };

/** How every connection of ours talks: exact numbers, UTC, UTF-8, bounded statement cache. */
export function connectionOptions(url: string): ConnectionOptions {
  const target = parseDatabaseUrl(url);
  const { host, port, user, password, database } = target;
  return {
    ...{ host, port, user, password, database },
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    connectTimeout: 3_000,
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    maxPreparedStatements: 200,
    ...tlsOptions(target),
  };
}

export class Database implements Queries {
  readonly knex: Knex;
  readonly #random: () => number;
  readonly #serverChange: ServerChange;
  /** Rises when the server is not the one to talk to any more: connections of former generations are given up. */
  #generation = 0;
  readonly #generations = new WeakMap<Connection, number>();
  readonly #idle = new IdleConnections();

  constructor({ url, poolSize, random, serverChange = new ServerChange() }: DatabaseOptions) {
    this.#random = random;
    this.#serverChange = serverChange;
    serverChange.onChange(() => {
      this.#generation += 1;
    });
    this.knex = createKnex({
      client: 'mysql2',
      connection: connectionOptions(url) as Knex.StaticConnectionConfig,
      pool: {
        min: 0,
        max: poolSize,
        createTimeoutMillis: 3_500,
        afterCreate: (connection: Connection, done: (error: Error | null) => void) => {
          this.#generations.set(connection, this.#generation);
          connection.query(ROW_HOLDER_SETTINGS, (error) => {
            if (!error) this.#idle.add(connection);
            done(error);
          });
        },
        validate: (connection: Connection) => !this.#idle.isStale(connection),
      },
      acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
      log: { warn() {}, error() {}, deprecate() {}, debug() {} },
    });
  }

  query<T>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
    return this.#onConnection((queries) => queries.query(sql, values));
  }

  execute<T>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
    return this.#onConnection((queries) => queries.execute(sql, values));
  }

  write(sql: string, values: readonly SqlValue[] = []): Promise<{ affectedRows: number }> {
    return this.#onConnection((queries) => queries.write(sql, values));
  }

  /** Prepared, rows as arrays in column order: for wide rows that are read by the thousand. */
  executeRows(sql: string, values: readonly SqlValue[]): Promise<unknown[][]> {
    return this.#onConnection((queries) => queries.executeRows(sql, values));
  }

  /**
   * Runs the work in one READ COMMITTED transaction. It is repeated as a whole after a deadlock or lock wait, so it has to
   * keep its effects to the database.
   */
  async transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#onConnection((queries) => inTransaction(queries, work), { translate: false });
      } catch (error) {
        if (classifySqlError(error) !== 'retry' || attempt === TRANSACTION_ATTEMPTS) throw translateSqlError(error);
        await new Promise((resolve) => setTimeout(resolve, backoffMs(RETRIES, attempt, this.#random)));
      }
    }
  }

  /** Closes the connections; those with a statement under way after a moment are left to its time-out. */
  async close(): Promise<void> {
    await within(systemClock, CLOSE_MS, this.knex.destroy(), () => undefined);
    this.#idle.clear();
  }

  /** Runs the work on a connection of its own that is kept open all the time, for a lock that is the session's. */
  withSession<T>(work: (queries: Queries) => Promise<T>, timeoutMs: Millis): Promise<T> {
    return this.#onConnection(work, { timeoutMs, isKept: true });
  }

  async #acquire(): Promise<Connection> {
    for (;;) {
      const connection = (await this.knex.client.acquireConnection()) as Connection;
      if (this.#generations.get(connection) === this.#generation) return connection;
      retire(connection);
      await this.#giveBack(connection);
    }
  }

  async #onConnection<T>(
    work: (queries: ConnectionQueries) => Promise<T>,
    { translate = true, timeoutMs = STATEMENT_TIMEOUT_MS, isKept = false } = {},
  ): Promise<T> {
    let connection: Connection | undefined;
    let queries: ConnectionQueries | undefined;
    try {
      connection = await this.#acquire();
      queries = new ConnectionQueries(connection, timeoutMs);
      if (!isKept) this.#idle.remove(connection);
      return await work(queries);
    } catch (error) {
      // The pool looks at this mark when the connection comes back, and makes another one.
      if (connection !== undefined && this.#serverChange.endsConnection(error)) retire(connection);
      throw translate ? translateSqlError(error) : error;
    } finally {
      if (connection !== undefined) await this.#giveBack(connection, queries?.spokeAt);
    }
  }

  #giveBack(connection: Connection, spokeAt?: number): Promise<void> {
    if ((connection as Marked)._fatalError) this.#idle.remove(connection);
    else this.#idle.add(connection, spokeAt);
    return this.knex.client.releaseConnection(connection);
  }
}

/** What the pool looks at before it uses a connection again. */
type Marked = Connection & { _fatalError?: Error };

function retire(connection: Connection): void {
  connection.destroy();
  (connection as Marked)._fatalError ??= new Error('given up');
}

async function inTransaction<T>(queries: ConnectionQueries, work: (queries: Queries) => Promise<T>): Promise<T> {
  await queries.query('START TRANSACTION');
  try {
    const result = await work(queries);
    await queries.query('COMMIT');
    return result;
  } catch (error) {
    if (!isConnectionError(error)) await queries.query('ROLLBACK');
    throw error;
  }
}

/** Promises over one connection of the driver, each statement with a time-out. */
export class ConnectionQueries implements Queries {
  readonly #connection: Connection;
  readonly #timeoutMs: Millis;
  /** When something was last sent, by performance.now(). */
  spokeAt = performance.now();

  constructor(connection: Connection, timeoutMs = STATEMENT_TIMEOUT_MS) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  query<T>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
    return this.#inTime((done) => this.#connection.query({ sql, values: values as SqlValue[] }, done));
  }

  execute<T>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
    return this.#execute({ sql, values: values as SqlValue[] });
  }

  executeRows(sql: string, values: readonly SqlValue[]): Promise<unknown[][]> {
    return this.#execute({ sql, values: values as SqlValue[], rowsAsArray: true });
  }

  async write(sql: string, values: readonly SqlValue[] = []): Promise<{ affectedRows: number }> {
    const result: unknown = await this.execute(sql, values);
    return { affectedRows: (result as ResultSetHeader).affectedRows };
  }

  /** Says that we are there, without a statement. */
  async ping(): Promise<void> {
    await this.#inTime((done) => this.#connection.ping((error) => done(error, [])));
  }

  #execute<T>(options: { sql: string; values: SqlValue[]; rowsAsArray?: boolean }): Promise<T[]> {
    return this.#inTime((done) => this.#connection.execute(options, done));
  }

  /** The driver's own time-out begins with the execution: a connection that is silent while it prepares would hang for ever. */
  #inTime<T>(send: (done: (error: Error | null, rows: unknown) => void) => void): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(Object.assign(new Error('the database did not answer in time'), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' }));
        this.#connection.destroy();
      }, this.#timeoutMs);
      this.spokeAt = performance.now();
      send((error, rows) => {
        clearTimeout(timer);
        if (error) reject(withoutStatement(error));
        else resolve(rows as T[]);
      });
    });
  }
}

/** The driver adds the statement with its values, which would come into the log with the error. */
function withoutStatement(error: Error & { sql?: string }): Error {
  delete error.sql;
  return error;
}
