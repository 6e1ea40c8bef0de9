// Rows of retention_stream, and what takes events off them: the deletion of a batch, and an erasure.

import { EntryKind } from '../../../domain/events/event.js';
import type { StreamCount } from '../../../domain/retention/stream-limits.js';
import type { Position } from '../../../units.js';
import type { Batch } from '../../ports/retention-storage.js';
import type { CountedStream } from '../../ports/stream-count-storage.js';
import type { Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import type { Statements } from '../sql/statements.js';

export interface CountRow {
  readonly stream_id: number;
  readonly events: number;
  readonly bytes: number;
  readonly gone_to: Position;
}

export const COUNT_COLUMNS = 'stream_id, events, bytes, gone_to';

export function countedStream({ stream_id: streamId, events, bytes, gone_to: goneTo }: CountRow): CountedStream {
  return { streamId, events, bytes, goneTo };
}

/** Locks the rows of the log: what is erased of them is taken off, too. */
const TAKEN = (rows: number) => `
  SELECT STRAIGHT_JOIN l.position, l.stream_id, l.kind = ${EntryKind.OCCURRED} AND k.position IS NULL AS is_counted, l.payload_bytes
  FROM log l FORCE INDEX (PRIMARY)
  LEFT JOIN retention_kept k FORCE INDEX (PRIMARY) ON k.topic_id = l.topic_id AND k.position = l.position
  WHERE l.position IN (${placeholders(rows)}) ORDER BY l.position LOCK IN SHARE MODE`;
/** Takes off what is counted of the bytes, before these go. */
const ERASED = (rows: number) => `
  UPDATE (
    SELECT STRAIGHT_JOIN l.topic_id, l.stream_id, SUM(l.payload_bytes) AS bytes
    FROM log l FORCE INDEX (PRIMARY)
    JOIN retention_topic r FORCE INDEX (PRIMARY) ON r.topic_id = l.topic_id AND r.counted_to >= l.position
    LEFT JOIN retention_kept k FORCE INDEX (PRIMARY) ON k.topic_id = l.topic_id AND k.position = l.position
    WHERE l.position IN (${placeholders(rows)}) AND l.kind = ${EntryKind.OCCURRED} AND l.stream_id IS NOT NULL
      AND k.position IS NULL
    GROUP BY l.topic_id, l.stream_id) e
  STRAIGHT_JOIN retention_stream t FORCE INDEX (PRIMARY) ON t.topic_id = e.topic_id AND t.stream_id = e.stream_id
  SET t.bytes = t.bytes - LEAST(t.bytes, e.bytes)`;
const LOCK = (rows: number) =>
  `SELECT position FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(rows)}) ORDER BY position FOR UPDATE`;

/** Adds what takes the bytes of entries that are about to be erased off what is counted of their streams. */
export function addErasedBytes(statements: Statements, positions: readonly Position[]): void {
  if (positions.length === 0) return;
  statements.add(LOCK(positions.length), positions);
  statements.add(ERASED(positions.length), positions);
}

/** The position up to which the entries of the topic are counted; 0: none is. */
export async function readCountedTo(queries: Pick<Queries, 'execute'>, topicId: number): Promise<Position> {
  const sql = 'SELECT counted_to FROM retention_topic WHERE topic_id = ?';
  const [place] = await queries.execute<{ counted_to: Position }>(sql, [topicId]);
  return place?.counted_to ?? 0;
}

/** What is counted of the topic in the streams. */
export async function readCounts(
  queries: Pick<Queries, 'execute'>,
  topicId: number,
  streamIds: readonly number[],
  lock: '' | 'FOR UPDATE' = '',
): Promise<ReadonlyMap<number, CountedStream>> {
  const found = new Map<number, CountedStream>();
  await inChunks(streamIds, async (chunk) => {
    const rows = await queries.execute<CountRow>(
      `SELECT ${COUNT_COLUMNS} FROM retention_stream FORCE INDEX (PRIMARY)
       WHERE topic_id = ? AND stream_id IN (${placeholders(chunk.length)}) ORDER BY stream_id ${lock}`,
      [topicId, ...chunk],
    );
    for (const row of rows) found.set(row.stream_id, countedStream(row));
  });
  return found;
}

/** What goes of one stream, or is kept alone. */
interface Taken extends StreamCount {
  readonly last: Position;
}

/** Takes the events of a batch off what is counted of their streams; false: there is not so much as was counted. */
export async function uncount(queries: Queries, { topicId, entries, keeps, counted }: Batch): Promise<boolean> {
  const inStreams = [...entries, ...keeps].filter(({ streamId }) => streamId !== undefined);
  if (inStreams.length === 0) return true;
  const countedTo = await readCountedTo(queries, topicId);
  const positions = inStreams.map(({ position }) => position).filter((position) => position <= countedTo);
  if (positions.length === 0) return counted === undefined;
  const taken = await takenOf(queries, positions);
  const streamIds = [...taken.keys()].sort((a, b) => a - b);
  const counts = await readCounts(queries, topicId, streamIds, 'FOR UPDATE');
  for (const [streamId, { events, bytes }] of counted ?? []) {
    const found = counts.get(streamId);
    if (found?.events !== events || found.bytes !== bytes) return false;
  }
  const left = [...counts.values()].map((count) => without(count, taken.get(count.streamId), counted !== undefined));
  await writeCounts(queries, topicId, left);
  return true;
}

interface TakenRow {
  readonly position: Position;
  readonly stream_id: number;
  readonly is_counted: number;
  readonly payload_bytes: number;
}

/** Adds up by streams. What was kept alone before is not counted any more; what was erased meanwhile has no bytes. */
async function takenOf(queries: Queries, positions: readonly Position[]): Promise<ReadonlyMap<number, Taken>> {
  const rows = new Map<Position, TakenRow>();
  await inChunks(positions, async (chunk) => {
    const found = await queries.execute<TakenRow>(TAKEN(chunk.length), chunk);
    for (const row of found) rows.set(row.position, row);
  });
  const taken = new Map<number, Taken>();
  for (const { stream_id: streamId, position, is_counted: isCounted, payload_bytes: bytes } of rows.values()) {
    const before = taken.get(streamId) ?? { events: 0, bytes: 0, last: 0 };
    taken.set(streamId, {
      events: before.events + (isCounted === 0 ? 0 : 1),
      bytes: before.bytes + (isCounted === 0 ? 0 : bytes),
      last: Math.max(before.last, position),
    });
  }
  return taken;
}

function without(count: CountedStream, taken: Taken | undefined, areOldest: boolean): CountedStream {
  const { streamId, events, bytes, goneTo } = count;
  const { events: lessEvents = 0, bytes: lessBytes = 0, last = 0 } = taken ?? {};
  return {
    streamId,
    events: Math.max(0, events - lessEvents),
    bytes: Math.max(0, bytes - lessBytes),
    goneTo: areOldest ? Math.max(goneTo, last) : goneTo,
  };
}

/** A stream that has nothing of the topic any more has no row. */
async function writeCounts(queries: Queries, topicId: number, counts: readonly CountedStream[]): Promise<void> {
  const some = counts.filter(({ events }) => events > 0);
  if (some.length > 0) {
    await queries.query(
      `INSERT INTO retention_stream (topic_id, ${COUNT_COLUMNS}) VALUES ${placeholders(some.length, '(?, ?, ?, ?, ?)')}
       ON DUPLICATE KEY UPDATE events = VALUES(events), bytes = VALUES(bytes), gone_to = VALUES(gone_to)`,
      some.flatMap(({ streamId, events, bytes, goneTo }) => [topicId, streamId, events, bytes, goneTo]),
    );
  }
  const none = counts.filter(({ events }) => events === 0).map(({ streamId }) => streamId);
  await inChunks(none, async (chunk) => {
    await queries.execute(
      `DELETE t FROM retention_stream t FORCE INDEX (PRIMARY)
       WHERE t.topic_id = ? AND t.stream_id IN (${placeholders(chunk.length)})`,
      [topicId, ...chunk],
    );
  });
}
