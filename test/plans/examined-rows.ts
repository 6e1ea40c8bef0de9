// Counts what a database really reads: rows and entries of indexes, whether they are returned or passed over.

import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';

export class ExaminedRows {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  static async on(url: string): Promise<ExaminedRows> {
    return new ExaminedRows(await createConnection(url));
  }

  /** What the server reads while the work runs, and nothing else does. */
  async during(work: () => Promise<unknown>): Promise<number> {
    const before = await this.#read();
    // The look itself reads what it shows.
    const look = (await this.#read()) - before;
    await work();
    return (await this.#read()) - before - 2 * look;
  }

  async close(): Promise<void> {
    await this.#connection.end();
  }

  /** By all connections, so that it does not matter which of a pool the work has. */
  async #read(): Promise<number> {
    const [rows] = await this.#connection.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Handler_read%'");
    return rows.reduce((sum, row) => sum + Number(row['Value']), 0);
  }
}
