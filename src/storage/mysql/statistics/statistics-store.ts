// What is read from the counters in MySQL. See StatisticsStore for what each method promises. Counters that belong together are read by
// one statement, which sees one moment.

import { MadeleineError } from '../../../domain/errors.js';
import { EntryKind } from '../../../domain/events/event.js';
import { ALL_CONTEXTS, RESERVED_TOPICS_PREFIX } from '../../../domain/names.js';
import type { CountedScope } from '../../../domain/statistics/counted-scope.js';
import { EVERY_TOPIC } from '../../../domain/statistics/event-counts.js';
import { type Count, isMonth, monthOf } from '../../../domain/statistics/utc-days.js';
import type { Position } from '../../../units.js';
import type {
  NamedCount,
  ScopeTotal,
  StatisticsStore,
  StatsSelection,
  StoredStats,
} from '../../ports/statistics-storage.js';
import { idsOf } from '../names/ids-of.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

/** Counters of streams, or of topics, that are read for a period. */
const MAX_COUNTERS = 500_000;
/** Series, or streams, of which it is told how many events lie up to a position. */
const MAX_SERIES = 10;
/** Rows of the log that are counted for a series: marks are closer, unless much of its topic is something else than events. */
const MAX_COUNTED = 20_000;
/** Positions that are looked at for all topics of a context. */
const MAX_SPAN = 200_000;
/** Contexts of one statement. */
const CONTEXTS = 200;

const SUMS = 'CAST(SUM(events) AS UNSIGNED) AS events, CAST(SUM(bytes) AS UNSIGNED) AS bytes';
const SELECT_PLACE =
  "SELECT 'as of' AS part, position AS id, counted_at AS events, CAST(0 AS UNSIGNED) AS bytes FROM count_cursor WHERE id = 1";

interface StatsRow extends Count {
  readonly part: string;
  readonly id: number;
}

interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

interface SeriesKey {
  readonly topic_id: number;
  readonly context_id: number;
}

/** The numbers of the names of a scope; undefined: it names none. */
interface ScopeIds {
  /** Undefined: every context. */
  readonly contextId: number | undefined;
  readonly topics: readonly number[] | undefined;
  readonly streams: readonly number[] | undefined;
}

export interface MysqlStatisticsStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlStatisticsStore implements StatisticsStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlStatisticsStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See StatisticsStore.stats. */
  async stats(selection: StatsSelection): Promise<StoredStats> {
    const contextId = await this.#contextId(selection.context);
    const statements = [
      { sql: SELECT_PLACE, values: [] },
      ...(contextId === undefined ? [] : await this.#parts(selection, contextId)),
    ];
    const sql = statements.map((each) => `(${each.sql})`).join(' UNION ALL ');
    const rows = await this.#database.query<StatsRow>(
      sql,
      statements.flatMap(({ values }) => values),
    );
    const of = (part: string) => rows.filter((row) => row.part === part);
    const place = of('as of')[0];
    return {
      asOf: { position: place?.id ?? 0, at: place?.events ?? 0 },
      days: new Map(of('day').map(({ id, events, bytes }) => [id, { events, bytes }])),
      ...(await this.#named(most(of('topic'), selection.topics), most(of('stream'), selection.streams))),
    };
  }

  /** See StatisticsStore.total. */
  async total(scope: CountedScope): Promise<ScopeTotal> {
    const { condition, values, table } = totalOf(await this.#ids(scope));
    const [row] = await this.#database.query<ScopeTotal>(
      `SELECT (SELECT position FROM count_cursor WHERE id = 1) AS asOf, CAST(COALESCE(SUM(events), 0) AS UNSIGNED) AS events,
         CAST(COALESCE(SUM(addressed), 0) AS UNSIGNED) AS addressed
       FROM ${table} FORCE INDEX (PRIMARY) WHERE ${condition}`,
      values,
    );
    return row ?? { asOf: 0, events: 0, addressed: 0 };
  }

  /** See StatisticsStore.occurredUpTo. */
  async occurredUpTo(scope: CountedScope, position: Position): Promise<number | undefined> {
    const ids = await this.#ids(scope);
    if (ids.streams !== undefined && ids.topics !== undefined) return undefined;
    if (ids.streams !== undefined) return this.#sequencesUpTo(ids.streams, position);
    const { condition, values } = totalOf(ids);
    const series = await this.#database.query<SeriesKey>(
      `SELECT topic_id, context_id FROM count_series FORCE INDEX (PRIMARY) WHERE ${condition} LIMIT ${MAX_SERIES + 1}`,
      values,
    );
    if (series.length > MAX_SERIES) return undefined;
    const counts = await Promise.all(series.map((each) => this.#seriesUpTo(each, position)));
    return counts.reduce((sum, count) => (sum === undefined || count === undefined ? undefined : sum + count), 0);
  }

  /** The statements that read days, topics and streams. */
  async #parts(selection: StatsSelection, contextId: number | 'all'): Promise<readonly Statement[]> {
    const { period, reserved, topics, streams } = selection;
    const inContext = contextId === 'all' ? [] : ['context_id = ?'];
    const ofContext = contextId === 'all' ? [] : [contextId];
    const conditions = ['utc_day BETWEEN ? AND ?', ...inContext, ...(reserved ? [] : ['reserved = 0'])].join(' AND ');
    const from = `FROM count_topic_day FORCE INDEX (PRIMARY) WHERE ${conditions}`;
    await this.#assertNarrow('count_topic_day', { first: period.first - 1, last: period.last });
    const days: Statement = {
      sql: `SELECT 'day' AS part, utc_day AS id, ${SUMS} ${from} GROUP BY utc_day`,
      values: [period.first - 1, period.last, ...ofContext],
    };
    const byTopic: Statement = {
      sql: `SELECT 'topic' AS part, topic_id AS id, ${SUMS} ${from} GROUP BY topic_id ORDER BY events DESC, topic_id LIMIT ${topics}`,
      values: [period.first, period.last, ...ofContext],
    };
    if (streams === 0) return [days, byTopic];
    if (isMonth(period)) return [days, byTopic, ...(await this.#streamsOfMonth(selection, contextId))];
    await this.#assertNarrow('count_stream_day', period);
    const where = ['utc_day BETWEEN ? AND ?', ...inContext].join(' AND ');
    const byStream: Statement = {
      sql: `SELECT 'stream' AS part, stream_id AS id, ${SUMS} FROM count_stream_day FORCE INDEX (PRIMARY) WHERE ${where}
        GROUP BY stream_id ORDER BY events DESC, stream_id LIMIT ${streams}`,
      values: [period.first, period.last, ...ofContext],
    };
    return [days, byTopic, byStream];
  }

  /** Reads as many rows of the index of the month as streams are wanted, in each context: these are few. */
  async #streamsOfMonth({ period, streams }: StatsSelection, contextId: number | 'all'): Promise<readonly Statement[]> {
    const contexts = contextId === 'all' ? await this.#contextIds() : [contextId];
    return contexts.map((id) => ({
      sql: `SELECT 'stream' AS part, stream_id AS id, events, bytes FROM count_stream_month FORCE INDEX (count_stream_month_top)
        WHERE context_id = ? AND utc_month = ? ORDER BY events DESC LIMIT ${streams}`,
      values: [id, monthOf(period.first)],
    }));
  }

  async #contextIds(): Promise<readonly number[]> {
    const rows = await this.#database.query<{ id: number }>(`SELECT id FROM context LIMIT ${CONTEXTS + 1}`);
    if (rows.length > CONTEXTS)
      throw tooWide(`there are more than ${CONTEXTS} contexts: name one, or ask for no streams`);
    return rows.map(({ id }) => id);
  }

  async #assertNarrow(
    table: string,
    { first, last }: { readonly first: number; readonly last: number },
  ): Promise<void> {
    const [row] = await this.#database.query(
      `SELECT 1 FROM ${table} FORCE INDEX (PRIMARY) WHERE utc_day BETWEEN ? AND ? LIMIT 1 OFFSET ${MAX_COUNTERS}`,
      [first, last],
    );
    if (row !== undefined) throw tooWide(`the period has more than ${MAX_COUNTERS} counters: name a shorter one`);
  }

  async #named(
    topics: readonly StatsRow[],
    streams: readonly StatsRow[],
  ): Promise<Pick<StoredStats, 'topics' | 'streams'>> {
    const names = this.#names.current;
    const idsOfRows = (rows: readonly StatsRow[]) => new Set(rows.map(({ id }) => id));
    await names.loadByIds(this.#database, idsOfRows(topics), idsOfRows(streams));
    return {
      topics: topics.map((row) => named(row, names.topicScope(row.id))),
      streams: streams.map((row) => named(row, names.streamScope(row.id))),
    };
  }

  /** The number of a context; undefined: nothing was ever pushed to it. */
  async #contextId(context: string): Promise<number | 'all' | undefined> {
    if (context === ALL_CONTEXTS) return 'all';
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    return names.contextId(context);
  }

  async #ids({ context, topics, streams }: CountedScope): Promise<ScopeIds> {
    const names = this.#names.current;
    const contextId = await this.#contextId(context);
    const find = (table: 'topic' | 'stream', wanted: readonly string[]) =>
      wanted.length === 0 ? undefined : idsOf(this.#database, names, { table, context, wanted });
    const [topicIds, streamIds] = [await find('topic', topics), await find('stream', streams)];
    if (contextId === undefined) return { contextId: undefined, topics: [], streams: undefined };
    return { contextId: contextId === 'all' ? undefined : contextId, topics: topicIds, streams: streamIds };
  }

  /** A stream's sequences are dense: that of its last event up to the position is how many there are. */
  async #sequencesUpTo(streams: readonly number[], position: Position): Promise<number | undefined> {
    if (streams.length > MAX_SERIES) return undefined;
    const sequences = await Promise.all(
      streams.map(async (id) => {
        const [row] = await this.#database.execute<{ sequence: number }>(
          `SELECT sequence FROM log FORCE INDEX (log_stream) WHERE stream_id = ? AND position <= ? AND sequence IS NOT NULL
           ORDER BY stream_id DESC, position DESC LIMIT 1`,
          [id, position],
        );
        return row?.sequence ?? 0;
      }),
    );
    return sequences.reduce((sum, sequence) => sum + sequence, 0);
  }

  async #seriesUpTo({ topic_id: topicId, context_id: contextId }: SeriesKey, position: Position) {
    const [mark] = await this.#database.execute<{ position: Position; events: number }>(
      `SELECT position, events FROM count_mark FORCE INDEX (PRIMARY) WHERE topic_id = ? AND context_id = ? AND position <= ?
       ORDER BY position DESC LIMIT 1`,
      [topicId, contextId, position],
    );
    const { position: after, events } = mark ?? { position: 0, events: 0 };
    const rest =
      topicId === EVERY_TOPIC ? this.#inContext(contextId, after, position) : this.#inTopic(topicId, after, position);
    const count = await rest;
    return count === undefined ? undefined : events + count;
  }

  async #inTopic(topicId: number, after: Position, upTo: Position): Promise<number | undefined> {
    const [row] = await this.#database.execute<{ seen: number; occurred: number }>(
      `SELECT COUNT(*) AS seen, CAST(COALESCE(SUM(kind = ${EntryKind.OCCURRED}), 0) AS UNSIGNED) AS occurred FROM (
         SELECT kind FROM log FORCE INDEX (log_topic) WHERE topic_id = ? AND position > ? AND position <= ?
         ORDER BY position LIMIT ${MAX_COUNTED}) AS part`,
      [topicId, after, upTo],
    );
    return row === undefined || row.seen === MAX_COUNTED ? undefined : row.occurred;
  }

  async #inContext(contextId: number, after: Position, upTo: Position): Promise<number | undefined> {
    if (upTo - after > MAX_SPAN) return undefined;
    const reserved = await this.#reservedTopics(contextId);
    const others = reserved.length === 0 ? '' : `AND topic_id NOT IN (${placeholders(reserved.length)})`;
    const [row] = await this.#database.query<{ occurred: number }>(
      `SELECT COUNT(*) AS occurred FROM log FORCE INDEX (PRIMARY) WHERE position > ? AND position <= ? AND context_id = ?
       AND kind = ${EntryKind.OCCURRED} ${others}`,
      [after, upTo, contextId, ...reserved],
    );
    return row?.occurred;
  }

  async #reservedTopics(contextId: number): Promise<readonly number[]> {
    const rows = await this.#database.execute<{ topic_id: number }>(
      `SELECT DISTINCT s.topic_id FROM topic t FORCE INDEX (topic_name) JOIN count_series s ON s.topic_id = t.id
       WHERE t.context_id = ? AND t.name LIKE ?`,
      [contextId, Buffer.from(`${RESERVED_TOPICS_PREFIX}%`)],
    );
    return rows.map((row) => row.topic_id);
  }
}

function named({ events, bytes }: StatsRow, scope: Pick<NamedCount, 'context' | 'name'> | undefined): NamedCount {
  return { context: scope?.context ?? '', name: scope?.name ?? '', events, bytes };
}

/** The rows with the most events first; a union promises no order. */
function most(rows: readonly StatsRow[], count: number): readonly StatsRow[] {
  return [...rows].sort((a, b) => b.events - a.events || a.id - b.id).slice(0, count);
}

/** Where the total of a scope is kept. */
function totalOf({ contextId, topics, streams }: ScopeIds) {
  const within = (column: string, ids: readonly number[]) =>
    ids.length === 0 ? 'FALSE' : `${column} IN (${placeholders(ids.length)})`;
  if (streams !== undefined) {
    const ofTopics = topics === undefined ? '' : ` AND ${within('topic_id', topics)}`;
    const condition = `${within('stream_id', streams)}${ofTopics}`;
    return { table: 'count_stream', condition, values: [...streams, ...(topics ?? [])] };
  }
  if (topics !== undefined) return { table: 'count_series', condition: within('topic_id', topics), values: topics };
  const inContext = contextId === undefined ? '' : ' AND context_id = ?';
  const condition = `topic_id = ${EVERY_TOPIC}${inContext}`;
  return { table: 'count_series', condition, values: contextId === undefined ? [] : [contextId] };
}

function tooWide(message: string): MadeleineError {
  return new MadeleineError('SEARCH_TOO_WIDE', message);
}
