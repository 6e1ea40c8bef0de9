// What is stored of a topic in each stream, in MySQL; see StreamCountStore for what each method promises.

import { EntryKind } from '../../../domain/events/event.js';
import type { StreamCount, StreamLimits } from '../../../domain/retention/stream-limits.js';
import type { Position } from '../../../units.js';
import type { DueEntry, RetentionHold } from '../../ports/retention-storage.js';
import type {
  CountedPage,
  CountedStream,
  CountedStreams,
  CountOptions,
  StreamCountStore,
  StreamEntries,
  StreamSpan,
} from '../../ports/stream-count-storage.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { DUE_COLUMNS, type DueRow, dueEntry } from './due-rows.js';
import { HELD, heldValues, renewed } from './retention-hold.js';
import { COUNT_COLUMNS, type CountRow, countedStream, readCountedTo, readCounts } from './stream-count-rows.js';

/** Entries that are counted in one transaction. */
const PAGE = 2_000;
/** Rows that go in one transaction where all are counted anew. */
const FORGOTTEN = 5_000;
/** Topics whose ends are looked up in one statement. */
const TOPICS = 100;

const COUNTED_EPOCH = 'SELECT counted_epoch FROM retention_cursor WHERE id = 1';
const UNCOUNTED = 'UPDATE retention_topic SET counted_to = 0 WHERE counted_to > 0';
const FORGET = `DELETE FROM retention_stream LIMIT ${FORGOTTEN}`;
const COUNTS_FROM = `UPDATE retention_cursor SET counted_epoch = owner_epoch WHERE ${HELD}`;
/** Locks what it reads, so that nothing of it is erased before it is counted. */
const NEXT = `
  SELECT STRAIGHT_JOIN ${DUE_COLUMNS}, k.position IS NOT NULL AS is_kept
  FROM log l FORCE INDEX (log_topic)
  LEFT JOIN retention_kept k FORCE INDEX (PRIMARY) ON k.topic_id = l.topic_id AND k.position = l.position
  WHERE l.topic_id = ? AND l.position > ? AND l.position <= ? ORDER BY l.position LIMIT ${PAGE} LOCK IN SHARE MODE`;
const ADD = (rows: number) => `
  INSERT INTO retention_stream (topic_id, ${COUNT_COLUMNS}) VALUES ${placeholders(rows, '(?, ?, ?, ?, 0)')}
  ON DUPLICATE KEY UPDATE events = events + VALUES(events), bytes = bytes + VALUES(bytes)`;
const NOTE = `
  INSERT INTO retention_topic (topic_id, looked_to, gone_events, gone_bytes, gone_at, counted_to) VALUES (?, 0, 0, 0, 0, ?)
  ON DUPLICATE KEY UPDATE counted_to = VALUES(counted_to)`;
const NEWEST =
  '(SELECT topic_id, position FROM log FORCE INDEX (log_topic) WHERE topic_id = ? ORDER BY position DESC LIMIT 1)';
/** No limit is the greatest number that there is. */
const TOO_MUCH = '(events > ? OR (events > 1 AND bytes > ?))';
const SPAN = (limit: number) => `
  (SELECT ${DUE_COLUMNS}, l.topic_id, k.position IS NOT NULL AS is_kept
   FROM log l FORCE INDEX (log_stream)
   LEFT JOIN retention_kept k FORCE INDEX (PRIMARY) ON k.topic_id = l.topic_id AND k.position = l.position
   WHERE l.stream_id = ? AND l.position > ? AND l.position <= ? ORDER BY l.position LIMIT ${Math.trunc(limit)})`;
const BEFORE = `
  SELECT ${DUE_COLUMNS} FROM log l FORCE INDEX (log_topic)
  WHERE l.topic_id = ? AND l.position < ? AND l.position > ? ORDER BY l.position DESC`;

interface KeptRow extends DueRow {
  readonly is_kept: number;
}

export class MysqlStreamCounts implements StreamCountStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  /** See StreamCountStore.begin: nothing is counted while rows are left of before. */
  async begin(hold: RetentionHold): Promise<boolean> {
    const [row] = await this.#database.execute<{ counted_epoch: number }>(COUNTED_EPOCH);
    if (row?.counted_epoch === hold.epoch) return true;
    if ((await this.#held(hold, (queries) => queries.write(UNCOUNTED))) === 'lost') return false;
    for (let isMore = true; isMore; ) {
      const forgotten = await this.#held(hold, (queries) => queries.write(FORGET));
      if (forgotten === 'lost') return false;
      isMore = forgotten.affectedRows === FORGOTTEN;
    }
    return (await this.#database.write(COUNTS_FROM, heldValues(hold))).affectedRows === 1;
  }

  async newest(topicIds: readonly number[]): Promise<ReadonlyMap<number, Position>> {
    const found = new Map<number, Position>();
    for (let from = 0; from < topicIds.length; from += TOPICS) {
      const some = topicIds.slice(from, from + TOPICS);
      const sql = some.map(() => NEWEST).join(' UNION ALL ');
      const rows = await this.#database.query<{ topic_id: number; position: Position }>(sql, some);
      for (const row of rows) found.set(row.topic_id, row.position);
    }
    return found;
  }

  count(hold: RetentionHold, { topicId, after, upTo }: CountOptions): Promise<CountedPage | 'lost'> {
    return this.#held(hold, async (queries) => {
      // What was counted by a transaction whose end nobody heard of is not counted twice.
      const from = Math.max(after, await readCountedTo(queries, topicId));
      const rows = await queries.execute<KeptRow>(NEXT, [topicId, from, upTo]);
      const countedTo = rows.at(-1)?.position ?? from;
      const counts = countsOf(rows);
      if (counts.size > 0) {
        const values = [...counts].sort(([a], [b]) => a - b);
        await queries.query(
          ADD(counts.size),
          values.flatMap(([streamId, { events, bytes }]) => [topicId, streamId, events, bytes]),
        );
        await queries.write(NOTE, [topicId, countedTo]);
      }
      return { countedTo, streamIds: [...counts.keys()], isMore: rows.length === PAGE };
    });
  }

  async tooMuch(topicId: number, limits: StreamLimits, which: CountedStreams): Promise<readonly CountedStream[]> {
    const bounds = [limits.maxEvents, limits.maxBytes].map((limit) => Math.min(limit, Number.MAX_SAFE_INTEGER));
    const select = `SELECT ${COUNT_COLUMNS} FROM retention_stream FORCE INDEX (PRIMARY) WHERE topic_id = ?`;
    if (!('among' in which)) {
      const sql = `${select} AND stream_id > ? AND ${TOO_MUCH} ORDER BY stream_id LIMIT ${Math.trunc(which.limit)}`;
      return (await this.#database.execute<CountRow>(sql, [topicId, which.after, ...bounds])).map(countedStream);
    }
    const found: CountedStream[] = [];
    await inChunks([...new Set(which.among)], async (chunk) => {
      const sql = `${select} AND stream_id IN (${placeholders(chunk.length)}) AND ${TOO_MUCH}`;
      const rows = await this.#database.execute<CountRow>(sql, [topicId, ...chunk, ...bounds]);
      found.push(...rows.map(countedStream));
    });
    return found.sort((a, b) => a.streamId - b.streamId);
  }

  counts(topicId: number, streamIds: readonly number[]): Promise<ReadonlyMap<number, CountedStream>> {
    return readCounts(this.#database, topicId, streamIds);
  }

  /** See StreamCountStore.entries: along the index log_stream. */
  async entries(topicId: number, spans: readonly StreamSpan[]): Promise<readonly StreamEntries[]> {
    if (spans.length === 0) return [];
    const sql = spans.map(({ limit }) => SPAN(limit)).join(' UNION ALL ');
    const values: SqlValue[] = spans.flatMap(({ streamId, after, upTo }) => [streamId, after, upTo]);
    const rows = await this.#database.query<KeptRow & { topic_id: number }>(sql, values);
    const byStream = new Map(spans.map(({ streamId }) => [streamId, [] as (typeof rows)[number][]]));
    for (const row of rows.sort((a, b) => a.position - b.position)) byStream.get(row.stream_id ?? 0)?.push(row);
    return spans.map(({ streamId, upTo, limit }) => {
      const ofStream = byStream.get(streamId) ?? [];
      const own = ofStream.filter((row) => row.topic_id === topicId && row.is_kept === 0);
      const scannedTo = ofStream.length < limit ? upTo : (ofStream.at(-1)?.position ?? upTo);
      return { entries: own.map(dueEntry), scannedTo };
    });
  }

  async before(
    topicId: number,
    { before, after, limit }: { readonly before: Position; readonly after: Position; readonly limit: number },
  ): Promise<readonly DueEntry[]> {
    const sql = `${BEFORE} LIMIT ${Math.trunc(limit)}`;
    return (await this.#database.execute<DueRow>(sql, [topicId, before, after])).map(dueEntry);
  }

  #held<T>(hold: RetentionHold, work: (queries: Queries) => Promise<T>): Promise<T | 'lost'> {
    return this.#database.transaction(async (queries) => ((await renewed(queries, hold)) ? work(queries) : 'lost'));
  }
}

function countsOf(rows: readonly KeptRow[]): ReadonlyMap<number, StreamCount> {
  const counts = new Map<number, StreamCount>();
  for (const { stream_id: streamId, kind, payload_bytes: bytes, is_kept: isKept } of rows) {
    if (streamId === null || kind !== EntryKind.OCCURRED || isKept !== 0) continue;
    const before = counts.get(streamId) ?? { events: 0, bytes: 0 };
    counts.set(streamId, { events: before.events + 1, bytes: before.bytes + bytes });
  }
  return counts;
}
