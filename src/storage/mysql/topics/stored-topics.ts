// What is stored of topics: counters of statistics, and the ends of each topic in the log. However many events there are, a topic costs one
// row of the counters a day with events, and the newest RATE_ENTRIES rows of the log.

import { EntryKind } from '../../../domain/events/event.js';
import { RATE_ENTRIES, RATE_SECONDS, type StoredTopic, type TopicEnd } from '../../../domain/topics/stored-topic.js';
import type { Micros, Position } from '../../../units.js';
import type { NameCache, ScopedName } from '../names/name-cache.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';

/** Topics of one statement. */
const CHUNK = 50;

const COUNTED = `SELECT k.position, k.counted_at, d.topic_id, CAST(SUM(d.events) AS UNSIGNED) AS events,
    CAST(SUM(d.bytes) AS UNSIGNED) AS bytes
  FROM count_cursor k LEFT JOIN count_topic_day d FORCE INDEX (count_topic_day_topic) ON d.topic_id IN`;

interface CountedRow {
  position: Position;
  counted_at: Micros;
  topic_id: number | null;
  events: number | null;
  bytes: number | null;
}

/** The newest entries of a topic up to a position, and their oldest of the last minute. */
const NEWEST = `(SELECT ? AS topic_id, MAX(position) AS position, MAX(created_at) AS created_at, COUNT(*) AS entries,
    CAST(COALESCE(SUM(kind = ${EntryKind.OCCURRED} AND created_at > ${NOW_MICROS} - ${RATE_SECONDS * 1_000_000}), 0) AS UNSIGNED) AS lately,
    MIN(created_at) AS since, ${NOW_MICROS} AS now
  FROM (SELECT position, kind, created_at FROM log FORCE INDEX (log_topic) WHERE topic_id = ? AND position <= ?
    ORDER BY position DESC LIMIT ${RATE_ENTRIES}) AS newest)`;
const OLDEST = `(SELECT topic_id, position, created_at FROM log FORCE INDEX (log_topic) WHERE topic_id = ? AND position <= ?
  ORDER BY position LIMIT 1)`;

/** What was deleted of topics: counters of statistics go on telling what occurred. */
const GONE = 'SELECT topic_id, gone_events, gone_bytes FROM retention_topic FORCE INDEX (PRIMARY) WHERE topic_id IN';

interface GoneRow {
  topic_id: number;
  gone_events: number;
  gone_bytes: number;
}

interface EndRow {
  topic_id: number;
  position: Position;
  created_at: Micros;
}

interface NewestRow {
  topic_id: number;
  position: Position | null;
  created_at: Micros | null;
  entries: number;
  lately: number;
  since: Micros | null;
  now: Micros;
}

/** What is stored of each of the topics, in their order, up to a position. */
export async function readStored(
  { queries, names }: { readonly queries: Queries; readonly names: NameCache },
  topics: readonly ScopedName[],
  upTo: Position,
): Promise<readonly StoredTopic[]> {
  await names.load(queries, { contexts: topics.map(({ context }) => context) });
  await names.load(queries, { topics });
  // No topic has the number 0, so that nothing is found of one whose name is gone.
  const ids = topics.map(({ context, name }) => names.topicId(context, name) ?? 0);
  const stored: StoredTopic[] = [];
  for (let start = 0; start < ids.length; start += CHUNK) {
    const chunk = ids.slice(start, start + CHUNK);
    const read = await readChunk(queries, chunk, upTo);
    stored.push(...chunk.map((id) => storedOf(id, read)));
  }
  return stored;
}

interface Chunk {
  readonly gone: readonly GoneRow[];
  readonly counted: readonly CountedRow[];
  readonly newest: readonly NewestRow[];
  readonly oldest: readonly EndRow[];
}

async function readChunk(queries: Queries, ids: readonly number[], upTo: Position): Promise<Chunk> {
  // First, so that nothing is taken off that is not counted yet: only what is counted is deleted.
  const gone = await queries.query<GoneRow>(`${GONE} (${placeholders(ids.length)})`, ids);
  const counted = await queries.query<CountedRow>(
    `${COUNTED} (${placeholders(ids.length)}) WHERE k.id = 1 GROUP BY d.topic_id, k.position, k.counted_at`,
    ids,
  );
  const newest = await queries.query<NewestRow>(
    ids.map(() => NEWEST).join(' UNION ALL '),
    ids.flatMap((id): SqlValue[] => [id, id, upTo]),
  );
  const oldest = await queries.query<EndRow>(
    ids.map(() => OLDEST).join(' UNION ALL '),
    ids.flatMap((id): SqlValue[] => [id, upTo]),
  );
  return { gone, counted, newest, oldest };
}

function storedOf(id: number, { gone, counted, newest, oldest }: Chunk): StoredTopic {
  const [first] = counted;
  const counts = counted.find((row) => row.topic_id === id);
  const deleted = gone.find((row) => row.topic_id === id);
  const last = newest.find((row) => row.topic_id === id);
  const end = oldest.find((row) => row.topic_id === id);
  return {
    events: left(counts?.events ?? 0, deleted?.gone_events),
    bytes: left(counts?.bytes ?? 0, deleted?.gone_bytes),
    countedTo: first?.position ?? 0,
    countedAt: first?.counted_at ?? 0,
    oldest: end && { position: end.position, createdAt: end.created_at },
    newest: last && newestEnd(last),
    eventsPerSecond: last === undefined ? 0 : rateOf(last),
  };
}

/** What occurred before it was counted may have been deleted as well. */
function left(counted: number, gone = 0): number {
  return Math.max(0, counted - gone);
}

function newestEnd({ position, created_at: createdAt }: NewestRow): TopicEnd | undefined {
  return position === null || createdAt === null ? undefined : { position, createdAt };
}

/** Where the entries that are looked at are all of the last minute, there may have been more in it: the rate is that of their time. */
function rateOf({ entries, lately, since, now }: NewestRow): number {
  const seconds = since === null ? RATE_SECONDS : (now - since) / 1_000_000;
  const isCut = entries === RATE_ENTRIES && seconds < RATE_SECONDS;
  return lately / (isCut ? Math.max(seconds, 0.001) : RATE_SECONDS);
}
