// The counting of the log in MySQL: how far it is, who does it, and what is added to the counters. See CountStore for what each method
// promises.

import { EntryKind } from '../../../domain/events/event.js';
import { isReservedTopic } from '../../../domain/names.js';
import type { EventCounts, SeriesTotal, Tally } from '../../../domain/statistics/event-counts.js';
import type { Micros, Position } from '../../../units.js';
import type { EndedRuns } from '../../ports/log-storage.js';
import { COUNT_LEASE_MS, type CountHold, type CountPlace, type CountStore } from '../../ports/statistics-storage.js';
import type { Names } from '../names/name-cache.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';

const LEASE_END = `${NOW_MICROS} + ${COUNT_LEASE_MS * 1000}`;
const HELD = 'id = 1 AND owner = ? AND owner_epoch = ?';
const ACQUIRE = `
  UPDATE count_cursor SET owner = ?, owner_epoch = owner_epoch + 1, lease_until = ${LEASE_END}
  WHERE id = 1 AND (owner = '' OR owner = ? OR lease_until < ${NOW_MICROS})`;
const SELECT_CURSOR = 'SELECT position, owner, owner_epoch FROM count_cursor WHERE id = 1';
const RENEW = `UPDATE count_cursor SET lease_until = ${LEASE_END} WHERE ${HELD}`;
const RELEASE = `UPDATE count_cursor SET owner = '', lease_until = 0 WHERE ${HELD}`;
const RELEASE_ENDED = "UPDATE count_cursor SET owner = '', lease_until = 0 WHERE id = 1 AND owner >= ? AND owner < ?";
const ADVANCE = `UPDATE count_cursor SET position = ?, counted_at = ?, lease_until = ${LEASE_END} WHERE ${HELD} AND position = ?`;
const MICROS_A_DAY = 86_400_000_000;
/** Reads the part of the log in its order. Its rows are whole: large payloads are kept elsewhere and not read. */
const TALLY = `
  SELECT context_id, topic_id, stream_id, created_at DIV ${MICROS_A_DAY} AS utc_day, COUNT(*) AS events,
    CAST(SUM(recipient IS NOT NULL) AS UNSIGNED) AS addressed, CAST(SUM(payload_bytes) AS UNSIGNED) AS bytes
  FROM log FORCE INDEX (PRIMARY) WHERE position > ? AND position <= ? AND kind = ${EntryKind.OCCURRED}
  GROUP BY context_id, topic_id, stream_id, utc_day`;
const SELECT_LAST =
  'SELECT created_at FROM log FORCE INDEX (PRIMARY) WHERE position > ? AND position <= ? ORDER BY position DESC LIMIT 1';
/** Rows of one statement. */
const ROWS = 500;
/** Events of a series after which its place is marked anew. */
const MARK_EVERY = 5_000;

interface TallyRow {
  readonly context_id: number;
  readonly topic_id: number;
  readonly stream_id: number | null;
  readonly utc_day: number;
  readonly events: number;
  readonly addressed: number;
  readonly bytes: number;
}

interface SeriesRow {
  readonly topic_id: number;
  readonly context_id: number;
  readonly events: number;
}

export class MysqlCountStore implements CountStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: { readonly database: Database; readonly names: Names }) {
    this.#database = database;
    this.#names = names;
  }

  /** See CountStore.acquire. */
  async acquire(owner: string): Promise<{ position: Position; hold: CountHold | undefined }> {
    const name = Buffer.from(owner);
    const { affectedRows } = await this.#database.write(ACQUIRE, [name, name]);
    const [row] = await this.#database.execute<{ position: Position; owner: Buffer; owner_epoch: number }>(
      SELECT_CURSOR,
    );
    const isOurs = affectedRows === 1 && row?.owner.toString() === owner;
    return { position: row?.position ?? 0, hold: isOurs ? { owner, epoch: row.owner_epoch } : undefined };
  }

  async renew(hold: CountHold): Promise<boolean> {
    return (await this.#database.write(RENEW, heldValues(hold))).affectedRows === 1;
  }

  async release(hold: CountHold): Promise<void> {
    await this.#database.write(RELEASE, heldValues(hold));
  }

  async releaseEnded({ first, before }: EndedRuns): Promise<void> {
    await this.#database.write(RELEASE_ENDED, [Buffer.from(first), Buffer.from(before)]);
  }

  /** See CountStore.tally. */
  async tally(after: Position, upTo: Position): Promise<{ tallies: readonly Tally[]; at: Micros }> {
    const rows = await this.#database.execute<TallyRow>(TALLY, [after, upTo]);
    const [last] = await this.#database.execute<{ created_at: Micros }>(SELECT_LAST, [after, upTo]);
    const names = this.#names.current;
    await names.loadByIds(this.#database, new Set(rows.map((row) => row.topic_id)), new Set());
    const tallies = rows.map((row) => ({
      contextId: row.context_id,
      topicId: row.topic_id,
      streamId: row.stream_id ?? undefined,
      day: row.utc_day,
      events: row.events,
      bytes: row.bytes,
      addressed: row.addressed,
      reserved: isReservedTopic(names.topicScope(row.topic_id)?.name ?? ''),
    }));
    return { tallies, at: last?.created_at ?? 0 };
  }

  /** See CountStore.add. */
  async add(hold: CountHold, after: Position, { position, at }: CountPlace, counts: EventCounts): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const { affectedRows } = await queries.write(ADVANCE, [position, at, ...heldValues(hold), after]);
      if (affectedRows === 0) return false;
      await addCounts(queries, counts);
      await mark(queries, position, counts.seriesTotals);
      return true;
    });
  }
}

async function addCounts(queries: Queries, counts: EventCounts): Promise<void> {
  const { topicDays, streamDays, streamMonths, streamTotals, seriesTotals } = counts;
  await upsert(queries, 'INSERT INTO count_topic_day', ['events', 'bytes'], topicDays, (row) => ({
    ...{ utc_day: row.day, topic_id: row.topicId, context_id: row.contextId, reserved: row.reserved ? 1 : 0 },
    ...{ events: row.events, bytes: row.bytes },
  }));
  await upsert(queries, 'INSERT INTO count_stream_day', ['events', 'bytes'], streamDays, (row) => ({
    ...{ utc_day: row.day, stream_id: row.streamId, topic_id: row.topicId, context_id: row.contextId },
    ...{ events: row.events, bytes: row.bytes },
  }));
  await upsert(queries, 'INSERT INTO count_stream_month', ['events', 'bytes'], streamMonths, (row) => ({
    ...{ utc_month: row.month, stream_id: row.streamId, context_id: row.contextId },
    ...{ events: row.events, bytes: row.bytes },
  }));
  await upsert(queries, 'INSERT INTO count_stream', ['events', 'addressed'], streamTotals, (row) => ({
    ...{ stream_id: row.streamId, topic_id: row.topicId, events: row.events, addressed: row.addressed },
  }));
  await upsert(queries, 'INSERT INTO count_series', ['events', 'addressed'], seriesTotals, (row) => ({
    ...{ topic_id: row.topicId, context_id: row.contextId, events: row.events, addressed: row.addressed, marked: 0 },
  }));
}

/** Inserts counters, or adds to those that are there. */
async function upsert<Row>(
  queries: Queries,
  insert: string,
  added: readonly string[],
  rows: readonly Row[],
  columnsOf: (row: Row) => Readonly<Record<string, SqlValue>>,
): Promise<void> {
  const changes = added.map((column) => `${column} = ${column} + VALUES(${column})`).join();
  for (let from = 0; from < rows.length; from += ROWS) {
    const chunk = rows.slice(from, from + ROWS).map(columnsOf);
    const columns = Object.keys(chunk[0] ?? {});
    const row = `(${placeholders(columns.length)})`;
    await queries.query(
      `${insert} (${columns.join()}) VALUES ${placeholders(chunk.length, row)} ON DUPLICATE KEY UPDATE ${changes}`,
      chunk.flatMap((values) => Object.values(values)),
    );
  }
}

/** Notes how many events there are up to here of those series that have got far since their last mark. */
async function mark(queries: Queries, position: Position, changed: readonly SeriesTotal[]): Promise<void> {
  for (let from = 0; from < changed.length; from += ROWS) {
    const keys = changed.slice(from, from + ROWS).flatMap(({ topicId, contextId }) => [topicId, contextId]);
    const isThese = `(topic_id, context_id) IN (${placeholders(keys.length / 2, '(?, ?)')})`;
    const far = `${isThese} AND events >= marked + ${MARK_EVERY}`;
    const rows = await queries.query<SeriesRow>(
      `SELECT topic_id, context_id, events FROM count_series FORCE INDEX (PRIMARY) WHERE ${far}`,
      keys,
    );
    if (rows.length === 0) continue;
    await queries.query(
      `INSERT INTO count_mark (topic_id, context_id, position, events) VALUES ${placeholders(rows.length, '(?, ?, ?, ?)')}`,
      rows.flatMap((row) => [row.topic_id, row.context_id, position, row.events]),
    );
    await queries.query(`UPDATE count_series FORCE INDEX (PRIMARY) SET marked = events WHERE ${far}`, keys);
  }
}

function heldValues({ owner, epoch }: CountHold): [Buffer, number] {
  return [Buffer.from(owner), epoch];
}
