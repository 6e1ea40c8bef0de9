// The barrier: InnoDB shows a commit before its redo log is on disk, so what was read may be gone after a crash. A write of our own
// that is committed afterwards takes everything before it to the disk with it.
//
// Invariant: what was read between the opening of a barrier connection and a barrier on it was read in one life of the database. Had
// the database ended in between, so would the connection have, and the barrier fails. On a connection that was opened later it would
// succeed, and vouch for what the database has lost.

import { type Connection, type ConnectionOptions, createConnection } from 'mysql2';
import { storageUnavailable } from '../../../domain/errors.js';
import { SharedRun } from '../../../lib/shared-run.js';
import type { DurableReads, Instance } from '../../ports/log-storage.js';
import type { Names } from '../names/name-cache.js';
import { ConnectionQueries, connectionOptions, type Queries } from '../sql/database.js';
import { SESSION_SETTINGS } from '../sql/dialect.js';
import { ServerChange } from '../sql/server-change.js';
import { translateSqlError } from '../sql/sql-errors.js';

/** Changes a row, since an update that changes nothing writes no redo. */
const BARRIER = `INSERT INTO instance (id, address, seq, started_at, seen_at) VALUES (?, ?, 1, SYSDATE(6), SYSDATE(6))
  ON DUPLICATE KEY UPDATE seq = seq + 1, seen_at = SYSDATE(6)`;

/** Makes durable what was committed before, and was read on this connection, by a write to the instance's row. Not within a transaction. */
export async function writeBarrier(queries: Queries, { id, address }: Instance): Promise<void> {
  await queries.write(BARRIER, [id, address]);
}

export interface MysqlDurableReadsOptions {
  readonly url: string;
  readonly names: Names;
  readonly instance: Instance;
  /** Shared with the other parts that connect to the same database. */
  readonly serverChange?: ServerChange;
}

export class MysqlDurableReads implements DurableReads {
  readonly #options: MysqlDurableReadsOptions;
  readonly #serverChange: ServerChange;
  #connection: BarrierConnection | undefined;
  #barrierConnection: Promise<BarrierConnection> | undefined;
  #closed = false;

  constructor(options: MysqlDurableReadsOptions) {
    this.#options = options;
    this.#serverChange = options.serverChange ?? new ServerChange();
    this.#serverChange.onChange(() => this.#connection?.retire());
  }

  /** See DurableReads.durable. */
  async durable<T>(read: () => Promise<T>, needsBarrier: (result: T) => boolean): Promise<T> {
    const connection = await this.#opened();
    const result = await read();
    if (needsBarrier(result)) await connection.barrier();
    // Parts of it may be of two lives.
    else connection.assertAlive();
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const connection = await this.#barrierConnection?.catch(() => undefined);
    connection?.close();
  }

  #opened(): Promise<BarrierConnection> {
    if (this.#closed) return Promise.reject(storageUnavailable('closing'));
    if (this.#barrierConnection !== undefined) return this.#barrierConnection;
    const { url, instance, names } = this.#options;
    const connection = new BarrierConnection({
      url,
      instance,
      serverChange: this.#serverChange,
      onLost: () => {
        if (this.#barrierConnection === opening) this.#barrierConnection = undefined;
      },
    });
    this.#connection = connection;
    const opening: Promise<BarrierConnection> = connection.open().then(() => {
      names.renew();
      return connection;
    });
    this.#barrierConnection = opening;
    return opening;
  }
}

interface BarrierConnectionOptions {
  readonly url: string;
  readonly instance: Instance;
  readonly serverChange: ServerChange;
  readonly onLost: () => void;
}

/** Throws STORAGE_UNAVAILABLE where a file that the URL names cannot be read now. */
function optionsOf(url: string): ConnectionOptions {
  try {
    return connectionOptions(url);
  } catch (error) {
    throw translateSqlError(error);
  }
}

/** One connection, for barriers only. */
class BarrierConnection {
  readonly #connection: Connection;
  readonly #queries: ConnectionQueries;
  readonly #options: BarrierConnectionOptions;
  readonly #barrier = new SharedRun(() => this.#write());
  #opening = true;
  #lost = false;

  constructor(options: BarrierConnectionOptions) {
    this.#connection = createConnection(optionsOf(options.url));
    this.#queries = new ConnectionQueries(this.#connection);
    this.#options = options;
    this.#connection.on('error', () => this.close());
    // To destroy it here would keep the driver from telling the statement that is under way.
    this.#connection.on('end', () => this.#lose());
  }

  /** Throws STORAGE_UNAVAILABLE when the connection is known to be lost. */
  assertAlive(): void {
    if (this.#lost) throw storageUnavailable('the connection was lost');
  }

  async open(): Promise<void> {
    try {
      await this.#queries.query(SESSION_SETTINGS);
      this.assertAlive();
    } catch (error) {
      this.close();
      throw translateSqlError(error);
    } finally {
      this.#opening = false;
    }
  }

  /** Makes what was committed before the call durable. */
  async barrier(): Promise<void> {
    await this.#barrier.run();
    // Retired meanwhile: parts of what was read may be of another server.
    this.assertAlive();
  }

  /** Vouches for nothing more, and closes as soon as the statement under way has been told how it ended. */
  retire(): void {
    this.#lose();
    if (!this.#opening && this.#barrier.isIdle) this.#connection.destroy();
  }

  close(): void {
    this.#connection.destroy();
    this.#lose();
  }

  #lose(): void {
    this.#lost = true;
    this.#options.onLost();
  }

  async #write(): Promise<void> {
    try {
      await writeBarrier(this.#queries, this.#options.instance);
    } catch (error) {
      if (this.#options.serverChange.endsConnection(error)) this.close();
      throw translateSqlError(error);
    } finally {
      if (this.#lost) this.#connection.destroy();
    }
  }
}
