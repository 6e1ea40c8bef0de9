// What deletions take from durable consumers before these have passed it: found and recorded in the transaction that deletes, so that
// nothing goes untold.
//
// A transaction that deletes rows of the log does, in this order:
//
// 1. what it deletes beside the log (index rows, marks, attempts);
// 2. `begin`: from here on no other deletion runs, and no consumer is moved, created or told to select otherwise, until it ends;
// 3. `find`, with the rows that are about to go: who has not passed them. What is held for somebody (HOLD) is left out here;
// 4. `record`, with the rows that do go;
// 5. DELETE of these rows by their positions, and COMMIT.
//
// It takes log_head never, and no more than 500 rows: whoever moves a consumer waits for it with the head in his hands. Of ephemeral events
// nobody is told: for them `reach` stands instead of 2 to 4.

import { type ConsumerKey, consumerCriteria } from '../../../domain/consumers/consumer.js';
import { storedRanges } from '../../../domain/consumers/position-ranges.js';
import { withUnread } from '../../../domain/consumers/unread/unread-spans.js';
import type { LogEntry } from '../../../domain/events/event.js';
import {
  compileCriteria,
  type EntryMatcher,
  type EventCriteria,
  needsWithdrawn,
} from '../../../domain/events/event-filter.js';
import type { Millis, Position } from '../../../units.js';
import { COLUMNS_READ, COLUMNS_WITHOUT_LARGE, entryFromRow, rowNameIds } from '../log/entry-rows.js';
import type { Names } from '../names/name-cache.js';
import type { Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { ConsumerFloors } from './consumer-floors.js';
import { decodeSettings, FAILURE_STATES } from './consumer-rows.js';
import { addGap, deleteGaps, readGaps } from './gap-rows.js';

/** A row of the log that is about to be deleted. */
export interface DeletedRow {
  readonly position: Position;
  readonly topicId: number;
}

/** What one durable consumer has not passed. */
export interface UnreadBy extends ConsumerKey {
  readonly consumerId: number;
  /** Ascending; also of what it has parked. */
  readonly positions: readonly Position[];
}

interface CandidateRow {
  readonly id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
  readonly acked_to: Position;
  readonly acked_above: Buffer;
}

/** Rows that are read with their payloads at a time. */
const PAYLOAD_ROWS = 32;

/** Reads and locks one row. */
const BEGIN = 'SELECT moves FROM log_deletion WHERE id = 1 FOR UPDATE';
const CANDIDATES = (rows: number) => `
  SELECT id, context, name, settings, acked_to, acked_above FROM consumer FORCE INDEX (PRIMARY)
  WHERE id IN (${placeholders(rows)}) AND deleted_at IS NULL AND ephemeral = 0`;
const PARKED = (rows: number) => `
  SELECT t.consumer_id AS id, t.position FROM consumer_trouble t FORCE INDEX (consumer_trouble_position)
  WHERE t.position IN (${placeholders(rows)}) AND t.state <> ${FAILURE_STATES.RETRY}`;
const FORGET_FAILURES = (rows: number) => `
  DELETE FROM consumer_trouble WHERE consumer_id = ? AND position IN (${placeholders(rows)})`;
const LOCK = (rows: number) =>
  `SELECT id FROM consumer FORCE INDEX (PRIMARY) WHERE id IN (${placeholders(rows)}) ORDER BY id FOR UPDATE`;
const COUNT = 'UPDATE consumer FORCE INDEX (PRIMARY) SET expired_unread = expired_unread + ? WHERE id = ?';
const REACH = 'UPDATE log_deletion SET last_position = GREATEST(last_position, ?) WHERE id = 1';
const MARK = (rows: number) => `
  INSERT INTO deleted_topic (topic_id, last_position) VALUES ${placeholders(rows, '(?, ?)')}
  ON DUPLICATE KEY UPDATE last_position = GREATEST(last_position, VALUES(last_position))`;

export interface UnreadEventsOptions {
  readonly names: Names;
  /** Time that never jumps. */
  readonly monotonicMs: () => Millis;
}

/** One for all deletions of a process: it remembers how far consumers were at least. */
export class UnreadEvents {
  readonly #names: Names;
  readonly #floors: ConsumerFloors;

  constructor({ names, monotonicMs }: UnreadEventsOptions) {
    this.#names = names;
    this.#floors = new ConsumerFloors(monotonicMs);
  }

  /** Begins a deletion: waits for the one that is under way, and for who moves a consumer. */
  async begin(queries: Queries): Promise<void> {
    const [row] = await queries.execute<{ moves: number }>(BEGIN);
    if (row === undefined) throw new Error('log_deletion has no row');
    await this.#floors.refresh(queries, row.moves);
  }

  /**
   * Returns who has not passed rows that are about to go, of at most 500: consumers that match them and have them above their offset
   * and unanswered, as it is stored, or parked. To be called after `begin`; looks at nothing where all consumers have passed them.
   */
  async find(queries: Queries, rows: readonly DeletedRow[]): Promise<readonly UnreadBy[]> {
    if (rows.length === 0) return [];
    const positions = rows.map(({ position }) => position).sort((a, b) => a - b);
    const parked = await parkedBy(queries, positions);
    const behind = this.#floors.below(positions.at(-1) as Position);
    const ids = [...new Set([...behind, ...parked.keys()])].sort((a, b) => a - b);
    const candidates = (await candidatesOf(queries, ids)).map((row) => new Candidate(row, parked.get(row.id)));
    for (const { id, offset } of candidates) this.#floors.note(id, offset);
    const unread = new Map<Candidate, Position[]>();
    const open = candidates.filter((candidate) => positions.some((position) => !candidate.hasPassed(position)));
    const withPayloads = open.some(({ needsPayloads }) => needsPayloads);
    await this.#eachEntry(queries, open.length === 0 ? [] : positions, withPayloads, (entry) => {
      for (const candidate of open) {
        if (candidate.loses(entry)) unread.set(candidate, [...(unread.get(candidate) ?? []), entry.position]);
      }
    });
    return [...unread].map(([{ key, id }, lost]) => ({
      ...key,
      consumerId: id,
      positions: lost.sort((a, b) => a - b),
    }));
  }

  /** Records what `find` found, as far as it goes now, and that the rows go. Then they have to be deleted in the same transaction. */
  async record(queries: Queries, rows: readonly DeletedRow[], unread: readonly UnreadBy[]): Promise<void> {
    const going = new Set(rows.map(({ position }) => position));
    const losses = unread
      .map(({ consumerId, positions }) => ({ consumerId, positions: positions.filter((at) => going.has(at)) }))
      .filter(({ positions }) => positions.length > 0)
      .sort((a, b) => a.consumerId - b.consumerId);
    await inChunks(losses, async (chunk) => {
      await queries.execute(
        LOCK(chunk.length),
        chunk.map(({ consumerId }) => consumerId),
      );
    });
    for (const { consumerId, positions } of losses) await addUnread(queries, consumerId, positions);
    await markTopics(queries, rows);
    await this.reach(queries, rows);
  }

  /** Takes note of how far deletions reach: instances that have such rows in memory read them anew. */
  async reach(queries: Queries, rows: readonly Pick<DeletedRow, 'position'>[]): Promise<void> {
    const last = rows.reduce((greatest, { position }) => Math.max(greatest, position), 0);
    await queries.write(REACH, [last]);
  }

  async #eachEntry(
    queries: Queries,
    positions: readonly Position[],
    withPayloads: boolean,
    look: (entry: LogEntry) => void,
  ): Promise<void> {
    const size = withPayloads ? PAYLOAD_ROWS : positions.length;
    for (let from = 0; from < positions.length; from += size) {
      const chunk = positions.slice(from, from + size);
      for (const entry of await this.#entries(queries, chunk, withPayloads)) look(entry);
    }
  }

  async #entries(
    queries: Queries,
    positions: readonly Position[],
    withPayloads: boolean,
  ): Promise<readonly LogEntry[]> {
    const names = this.#names.current;
    const columns = withPayloads ? COLUMNS_READ : COLUMNS_WITHOUT_LARGE;
    const sql = `SELECT ${columns} FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(positions.length)})`;
    const values = withPayloads ? positions : [-1, ...positions];
    const rows = (await queries.query<object>(sql, values)).map((row): readonly unknown[] => Object.values(row));
    const ids = rows.map(rowNameIds);
    const streams = ids.flatMap(({ streamId }) => streamId ?? []);
    await names.loadByIds(queries, new Set(ids.map(({ topicId }) => topicId)), new Set(streams));
    return rows.flatMap((row) => entryFromRow(row, names) ?? []);
  }
}

/** A consumer that may not have passed what goes. */
class Candidate {
  readonly id: number;
  readonly key: ConsumerKey;
  readonly offset: Position;
  readonly #done: { has(position: Position): boolean };
  readonly #parked: ReadonlySet<Position>;
  readonly #criteria: EventCriteria;
  readonly #matches: EntryMatcher;
  readonly #matchesButFor: EntryMatcher;

  constructor(row: CandidateRow, parked: ReadonlySet<Position> = new Set()) {
    this.id = row.id;
    this.key = { context: row.context.toString(), name: row.name.toString() };
    this.offset = row.acked_to;
    this.#done = storedRanges(row.acked_above);
    this.#parked = parked;
    this.#criteria = consumerCriteria(this.key, decodeSettings(row.settings));
    this.#matches = compileCriteria(this.#criteria);
    const { description: _, ...others } = this.#criteria;
    this.#matchesButFor = compileCriteria(others);
  }

  get needsPayloads(): boolean {
    return this.#criteria.description !== undefined;
  }

  hasPassed(position: Position): boolean {
    return !this.#parked.has(position) && (position <= this.offset || this.#done.has(position));
  }

  /** What is withdrawn may be gone, so that nothing tells whether a withdrawal is meant: then it counts. */
  loses(entry: LogEntry): boolean {
    if (this.hasPassed(entry.position)) return false;
    const matches = needsWithdrawn(this.#criteria, entry) ? this.#matchesButFor : this.#matches;
    return this.#parked.has(entry.position) || matches(entry);
  }
}

async function candidatesOf(queries: Queries, ids: readonly number[]): Promise<readonly CandidateRow[]> {
  const found = new Map<number, CandidateRow>();
  await inChunks(ids, async (chunk) => {
    for (const row of await queries.execute<CandidateRow>(CANDIDATES(chunk.length), chunk)) found.set(row.id, row);
  });
  return [...found.values()];
}

/** The positions that are parked, by the ids of their consumers. */
async function parkedBy(
  queries: Queries,
  positions: readonly Position[],
): Promise<ReadonlyMap<number, ReadonlySet<Position>>> {
  const found = new Map<number, Set<Position>>();
  await inChunks(positions, async (chunk) => {
    for (const { id, position } of await queries.execute<{ id: number; position: Position }>(
      PARKED(chunk.length),
      chunk,
    )) {
      found.set(id, (found.get(id) ?? new Set()).add(position));
    }
  });
  return found;
}

/** Records what one consumer loses; its row is locked. */
async function addUnread(queries: Queries, consumerId: number, positions: readonly Position[]): Promise<void> {
  const waiting = await readGaps(queries, consumerId);
  const spans = withUnread(waiting, positions);
  const isKept = new Set(spans);
  const kept = waiting.filter((gap) => isKept.has(gap));
  const over = waiting.filter((gap) => !isKept.has(gap));
  await deleteGaps(
    queries,
    over.map(({ id }) => id),
  );
  for (const span of spans) if (!kept.some((gap) => gap === span)) await addGap(queries, consumerId, span);
  await queries.write(COUNT, [positions.length, consumerId]);
  await inChunks(positions, async (chunk) => {
    await queries.write(FORGET_FAILURES(chunk.length), [consumerId, ...chunk]);
  });
}

/** Takes note of which topics lost events, and up to where. */
async function markTopics(queries: Queries, rows: readonly DeletedRow[]): Promise<void> {
  const marks = new Map<number, Position>();
  for (const { topicId, position } of rows) marks.set(topicId, Math.max(marks.get(topicId) ?? 0, position));
  if (marks.size === 0) return;
  const ascending = [...marks].sort(([a], [b]) => a - b);
  await queries.query(MARK(marks.size), ascending.flat());
}
