// What deletions take from durable consumers before these have passed it: found and recorded in the transaction that deletes, so that
// nothing goes untold.
//
// A transaction that deletes rows of the log calls `record` last, after their deletion and before its COMMIT. From there to the COMMIT no
// other deletion ends, and no consumer is moved, created or told to select otherwise: who does so has the head of the log, so nothing that
// takes long may come in between.

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
import { readMoves } from './deleted-before.js';
import { addGap, deleteGaps, readGaps } from './gap-rows.js';

/** Events of one topic that are deleted, at most 500. */
export interface DeletedEntries {
  readonly topicId: number;
  /** `ephemeral`: nobody is told of them. */
  readonly reason: string;
  readonly entries: readonly { readonly position: Position }[];
}

/** What one durable consumer has not passed. */
interface UnreadBy {
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

/** Locks one row. */
const REACH = 'UPDATE log_deletion SET last_position = GREATEST(last_position, ?) WHERE id = 1';
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
const MARK = `
  INSERT INTO deleted_topic (topic_id, last_position) VALUES (?, ?)
  ON DUPLICATE KEY UPDATE last_position = GREATEST(last_position, VALUES(last_position))`;

export interface UnreadEventsOptions {
  /** Where the entries are read that the transaction has deleted: for others they are still there. */
  readonly database: Queries;
  readonly names: Names;
  /** Time that never jumps. */
  readonly monotonicMs: () => Millis;
}

/** One for all deletions of a process: it remembers how far consumers were at least. */
export class UnreadEvents {
  readonly #database: Queries;
  readonly #names: Names;
  readonly #floors: ConsumerFloors;

  constructor({ database, names, monotonicMs }: UnreadEventsOptions) {
    this.#database = database;
    this.#names = names;
    this.#floors = new ConsumerFloors(monotonicMs);
  }

  /**
   * Records who loses events that the transaction has deleted: consumers that match them and have them above their offset and
   * unanswered, as it is stored, or parked. Looks at no consumer and no event where all have passed them.
   */
  async record(transaction: Queries, { topicId, reason, entries }: DeletedEntries): Promise<void> {
    const positions = entries.map(({ position }) => position).sort((a, b) => a - b);
    const last = positions.at(-1);
    if (last === undefined) return;
    await transaction.write(REACH, [last]);
    if (reason === 'ephemeral') return;
    await this.#floors.refresh(transaction, await readMoves(transaction));
    const losses = await this.#find(transaction, positions);
    await inChunks(losses, async (chunk) => {
      const ids = chunk.map(({ consumerId }) => consumerId);
      await transaction.execute(LOCK(chunk.length), ids);
    });
    for (const { consumerId, positions: lost } of losses) await addUnread(transaction, consumerId, lost);
    await transaction.write(MARK, [topicId, last]);
  }

  /** Who has not passed events at these positions, by ascending id. */
  async #find(transaction: Queries, positions: readonly Position[]): Promise<readonly UnreadBy[]> {
    const parked = await parkedBy(transaction, positions);
    const behind = this.#floors.below(positions.at(-1) as Position);
    const ids = [...new Set([...behind, ...parked.keys()])].sort((a, b) => a - b);
    const candidates = (await candidatesOf(transaction, ids)).map((row) => new Candidate(row, parked.get(row.id)));
    for (const { id, offset } of candidates) this.#floors.note(id, offset);
    const open = candidates.filter((candidate) => positions.some((position) => !candidate.hasPassed(position)));
    if (open.length === 0) return [];
    const unread = new Map<number, Position[]>(open.map(({ id }) => [id, []]));
    const withPayloads = open.some(({ needsPayloads }) => needsPayloads);
    await this.#eachEntry(positions, withPayloads, (entry) => {
      for (const candidate of open) if (candidate.loses(entry)) unread.get(candidate.id)?.push(entry.position);
    });
    return [...unread]
      .filter(([, lost]) => lost.length > 0)
      .map(([consumerId, lost]) => ({ consumerId, positions: lost.sort((a, b) => a - b) }))
      .sort((a, b) => a.consumerId - b.consumerId);
  }

  async #eachEntry(
    positions: readonly Position[],
    withPayloads: boolean,
    look: (entry: LogEntry) => void,
  ): Promise<void> {
    const size = withPayloads ? PAYLOAD_ROWS : positions.length;
    for (let from = 0; from < positions.length; from += size) {
      const chunk = positions.slice(from, from + size);
      for (const entry of await this.#entries(chunk, withPayloads)) look(entry);
    }
  }

  async #entries(positions: readonly Position[], withPayloads: boolean): Promise<readonly LogEntry[]> {
    const queries = this.#database;
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
  readonly offset: Position;
  readonly #done: { has(position: Position): boolean };
  readonly #parked: ReadonlySet<Position>;
  readonly #criteria: EventCriteria;
  readonly #matches: EntryMatcher;
  readonly #matchesButFor: EntryMatcher;

  constructor(row: CandidateRow, parked: ReadonlySet<Position> = new Set()) {
    this.id = row.id;
    this.offset = row.acked_to;
    this.#done = storedRanges(row.acked_above);
    this.#parked = parked;
    const key: ConsumerKey = { context: row.context.toString(), name: row.name.toString() };
    this.#criteria = consumerCriteria(key, decodeSettings(row.settings));
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
