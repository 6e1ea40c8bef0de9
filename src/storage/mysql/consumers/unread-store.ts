// Gaps that consumers are told of, in MySQL; see UnreadStore for what each method promises.

import type { Position } from '../../../units.js';
import type { Hold } from '../../ports/consumer-storage.js';
import type { ConsumerGap, TakenGaps, UnreadStore } from '../../ports/unread-storage.js';
import type { Database, Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';

/** Reads the index consumer_gap_consumer. */
const FIND = `
  SELECT id, first_position, last_position, events FROM consumer_gap FORCE INDEX (consumer_gap_consumer)
  WHERE consumer_id = ? AND taken_epoch <> ? ORDER BY first_position, id`;
const LOCK = 'SELECT expired_unread FROM consumer FORCE INDEX (PRIMARY) WHERE id = ? AND owner_epoch = ? FOR UPDATE';
const TAKE = (rows: number) => `UPDATE consumer_gap SET taken_epoch = ? WHERE id IN (${placeholders(rows)})`;
const TOLD = (rows: number) =>
  `DELETE FROM consumer_gap WHERE id IN (${placeholders(rows)}) AND consumer_id = ? AND taken_epoch = ?`;
/** Gaps are few, most often none. */
const WITH_GAPS = `
  SELECT DISTINCT g.consumer_id AS id, c.expired_unread FROM consumer_gap g JOIN consumer c FORCE INDEX (PRIMARY) ON c.id = g.consumer_id
  WHERE c.owner = ? AND g.taken_epoch <> c.owner_epoch`;

const NONE: TakenGaps = { gaps: [], expiredUnread: 0 };

interface Row {
  readonly id: number;
  readonly first_position: Position;
  readonly last_position: Position;
  readonly events: number;
}

export class MysqlUnreadStore implements UnreadStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  async takeGaps(hold: Hold): Promise<TakenGaps | undefined> {
    const found = await find(this.#database, hold);
    return found.length === 0 ? NONE : this.#database.transaction((transaction) => take(transaction, hold));
  }

  async toldGaps(hold: Hold, ids: readonly number[]): Promise<void> {
    await inChunks(ids, async (chunk) => {
      await this.#database.write(TOLD(chunk.length), [...chunk, hold.id, hold.epoch]);
    });
  }

  async withGaps(instance: string): Promise<ReadonlyMap<number, number>> {
    const owner = Buffer.from(instance);
    const rows = await this.#database.execute<{ id: number; expired_unread: number }>(WITH_GAPS, [owner]);
    return new Map(rows.map(({ id, expired_unread: expiredUnread }) => [id, expiredUnread]));
  }
}

/** Under the consumer's row, so that no deletion joins them meanwhile. */
async function take(queries: Queries, hold: Hold): Promise<TakenGaps | undefined> {
  const [row] = await queries.execute<{ expired_unread: number }>(LOCK, [hold.id, hold.epoch]);
  if (row === undefined) return undefined;
  const gaps = await find(queries, hold);
  await inChunks(gaps, async (chunk) => {
    await queries.write(TAKE(chunk.length), [hold.epoch, ...chunk.map(({ id }) => id)]);
  });
  return { gaps, expiredUnread: row.expired_unread };
}

async function find(queries: Queries, { id, epoch }: Hold): Promise<readonly ConsumerGap[]> {
  const rows = await queries.execute<Row>(FIND, [id, epoch]);
  return rows.map((row) => ({ id: row.id, first: row.first_position, last: row.last_position, events: row.events }));
}
