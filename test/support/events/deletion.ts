// Deletes events of a suite's database as retention does, at once.

import { LoopSlices } from '../../../src/lib/loop-slices.js';
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
    this.#unread = new UnreadEvents({
      database: this.#database,
      names: new Names(),
      slices: new LoopSlices(),
      monotonicMs: () => performance.now(),
    });
  }

  /** Deletes what is at these positions, in a transaction for each topic. */
  async remove(positions: readonly (bigint | number)[], reason = 'age'): Promise<void> {
    if (positions.length === 0) return;
    const rows = await this.#database.query<Row>(
      `SELECT position, topic_id FROM log WHERE position IN (${positions.map(() => '?').join()})`,
      positions.map(Number),
    );
    for (const topicId of new Set(rows.map((row) => row.topic_id))) {
      const entries = rows.filter((row) => row.topic_id === topicId);
      await this.#unread.delete({ topicId, reason, entries }, async (transaction) => {
        for (const { position } of entries) await transaction.write('DELETE FROM log WHERE position = ?', [position]);
        return true;
      });
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
