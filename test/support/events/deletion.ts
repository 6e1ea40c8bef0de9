// Deletes events of a suite's database as retention does, at once.

import { UnreadEvents } from '../../../src/storage/mysql/consumers/unread-events.js';
import { Names } from '../../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../../src/storage/mysql/sql/database.js';

interface Row {
  readonly position: number;
  readonly topic_id: number;
}

export class TestDeletion {
  readonly #database: Database;
  readonly #unread: UnreadEvents;

  constructor(url: string) {
    this.#database = new Database({ url, poolSize: 2, random: Math.random });
    const monotonicMs = () => performance.now();
    this.#unread = new UnreadEvents({ names: new Names(), monotonicMs });
  }

  /** Deletes what is at these positions. */
  async remove(positions: readonly (bigint | number)[]): Promise<void> {
    if (positions.length === 0) return;
    const found = await this.#database.query<Row>(
      `SELECT position, topic_id FROM log WHERE position IN (${positions.map(() => '?').join()})`,
      positions.map(Number),
    );
    const rows = found.map(({ position, topic_id: topicId }) => ({ position, topicId }));
    await this.#database.transaction(async (transaction) => {
      await this.#unread.begin(transaction);
      await this.#unread.record(transaction, rows, await this.#unread.find(transaction, rows));
      for (const { position } of rows) await transaction.write('DELETE FROM log WHERE position = ?', [position]);
    });
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
