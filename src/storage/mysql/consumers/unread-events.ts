// What deletions take from durable consumers before these have passed it: found and recorded with the deletion, so that nothing goes
// untold.
//
// Who loses something is found before the transaction begins, without a lock. The transaction records it, and only then locks
// log_deletion, by its last statement before the COMMIT: whoever moves a consumer, creates one or tells it to select otherwise waits for
// that row with the head of the log, so that nothing comes in between that takes longer the more consumers there are. Where one was moved
// since, all of it is taken back and done again, and where that happens again and again, with log_deletion locked first.

import { ConsumerClaims } from '../../../domain/consumers/unread/consumer-claims.js';
import { entryBytes } from '../../../domain/events/entry-size.js';
import type { LogEntry } from '../../../domain/events/event.js';
import type { LoopSlices } from '../../../lib/loop-slices.js';
import type { Millis, Position } from '../../../units.js';
import type { Deleted } from '../../ports/retention-storage.js';
import { COLUMNS_READ, COLUMNS_WITHOUT_LARGE, entryFromRow, rowNameIds } from '../log/entry-rows.js';
import type { Names } from '../names/name-cache.js';
import type { Database, Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { ConsumerFloors } from './consumer-floors.js';
import { decodeSettings, FAILURE_STATES } from './consumer-rows.js';
import { readMoves } from './deleted-before.js';
import { type UnreadBy, writeUnread } from './unread-writes.js';

/** Events of one topic that are to be deleted, at most 500. */
export interface DeletedEntries {
  readonly topicId: number;
  /** `ephemeral`: nobody is told of them. */
  readonly reason: string;
  readonly entries: readonly { readonly position: Position }[];
  /** The `moves` that were read before it was looked who holds some of them; undefined: nobody may. */
  readonly moves?: number | undefined;
}

/** Who loses what, as it was when consumers had been moved so often. */
interface Losses {
  readonly moves: number;
  readonly unread: readonly UnreadBy[];
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
/** How often a deletion is done again, as consumers were moved, before these have to wait for it. */
const ATTEMPTS = 4;
const CALLER = 'unread';
const NOTHING = new Set<Position>();

const REACH = 'UPDATE log_deletion SET last_position = GREATEST(last_position, ?) WHERE id = 1 AND moves = ?';
const CANDIDATES = (rows: number) => `
  SELECT id, context, name, settings, acked_to, acked_above FROM consumer FORCE INDEX (PRIMARY)
  WHERE id IN (${placeholders(rows)}) AND deleted_at IS NULL AND ephemeral = 0`;
const PARKED = (rows: number) => `
  SELECT t.consumer_id AS id, t.position FROM consumer_trouble t FORCE INDEX (consumer_trouble_position)
  WHERE t.position IN (${placeholders(rows)}) AND t.state <> ${FAILURE_STATES.RETRY}`;
const MARK = `
  INSERT INTO deleted_topic (topic_id, last_position) VALUES (?, ?)
  ON DUPLICATE KEY UPDATE last_position = GREATEST(last_position, VALUES(last_position))`;

/** A consumer was moved since it was looked: the transaction is to be taken back. */
class MovedMeanwhile extends Error {
  override readonly name = 'MovedMeanwhile';
}

export interface UnreadEventsOptions {
  readonly database: Database;
  readonly names: Names;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
  /** Time that never jumps. */
  readonly monotonicMs: () => Millis;
}

/** One for all deletions of a process: it remembers how far consumers were at least. */
export class UnreadEvents {
  readonly #database: Database;
  readonly #names: Names;
  readonly #slices: LoopSlices;
  readonly #floors: ConsumerFloors;

  constructor({ database, names, slices, monotonicMs }: UnreadEventsOptions) {
    this.#database = database;
    this.#names = names;
    this.#slices = slices;
    this.#floors = new ConsumerFloors(monotonicMs);
  }

  /**
   * Deletes entries by `work` in one transaction, and records in it who loses some: consumers that match them and have them above their
   * offset and unanswered, as it is stored, or parked. Looks at no consumer and no event where all have passed them. `work` returns false
   * where nothing may be deleted: `lost`. `moved`: nothing is deleted, only where `moves` is given.
   */
  async delete(deleted: DeletedEntries, work: (queries: Queries) => Promise<boolean>): Promise<Deleted> {
    for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
      const losses = await this.#losses(deleted);
      if (deleted.moves !== undefined && losses.moves !== deleted.moves) return 'moved';
      const result = await this.#transaction(work, (queries) => record(queries, deleted, losses));
      if (result !== 'moved') return result;
    }
    return this.#transaction(work, async (queries) => {
      const moves = await readMoves(queries, 'FOR UPDATE');
      if (deleted.moves !== undefined && moves !== deleted.moves) throw new MovedMeanwhile();
      await record(queries, deleted, await this.#losses(deleted, moves));
    });
  }

  async #transaction(
    work: (queries: Queries) => Promise<boolean>,
    end: (queries: Queries) => Promise<void>,
  ): Promise<Deleted> {
    try {
      return await this.#database.transaction(async (queries) => {
        if (!(await work(queries))) return 'lost';
        await end(queries);
        return 'deleted';
      });
    } catch (error) {
      if (error instanceof MovedMeanwhile) return 'moved';
      throw error;
    }
  }

  async #losses({ reason, entries }: DeletedEntries, knownMoves?: number): Promise<Losses> {
    const moves = knownMoves ?? (await readMoves(this.#database));
    if (reason === 'ephemeral' || entries.length === 0) return { moves, unread: [] };
    await this.#floors.refresh(this.#database, moves);
    return { moves, unread: await this.#find(ascending(entries)) };
  }

  /** Who has not passed events at these positions. */
  async #find(positions: readonly Position[]): Promise<readonly UnreadBy[]> {
    const parked = await parkedBy(this.#database, positions);
    const behind = this.#floors.below(positions.at(-1) as Position);
    const ids = [...new Set([...behind, ...parked.keys()])].sort((a, b) => a - b);
    const candidates = (await candidatesOf(this.#database, ids)).map((row) => new Candidate(row, parked.get(row.id)));
    for (const { id, offset } of candidates) this.#floors.note(id, offset);
    const open = candidates.filter((candidate) => candidate.mayLose(positions));
    if (open.length === 0) return [];
    const withPayloads = open.some(({ needsPayloads }) => needsPayloads);
    const size = withPayloads ? PAYLOAD_ROWS : positions.length;
    for (let from = 0; from < positions.length; from += size) {
      const entries = await this.#entries(positions.slice(from, from + size), withPayloads);
      const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      const look = (candidate: Candidate) => candidate.look(entries);
      await this.#slices.each(CALLER, { items: open, bytesOf: () => bytes, look });
    }
    return open.flatMap((candidate) => candidate.unread ?? []);
  }

  async #entries(positions: readonly Position[], withPayloads: boolean): Promise<readonly LogEntry[]> {
    const queries = this.#database;
    const names = this.#names.current;
    const columns = withPayloads ? COLUMNS_READ : COLUMNS_WITHOUT_LARGE;
    const sql = `SELECT ${columns} FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(positions.length)}) ORDER BY position`;
    const values = withPayloads ? positions : [-1, ...positions];
    const rows = (await queries.query<object>(sql, values)).map((row): readonly unknown[] => Object.values(row));
    const ids = rows.map(rowNameIds);
    const streams = ids.flatMap(({ streamId }) => streamId ?? []);
    await names.loadByIds(queries, new Set(ids.map(({ topicId }) => topicId)), new Set(streams));
    return rows.flatMap((row) => entryFromRow(row, names) ?? []);
  }
}

/** Records the losses; throws MovedMeanwhile. */
async function record(queries: Queries, deleted: DeletedEntries, { moves, unread }: Losses): Promise<void> {
  const { topicId, reason, entries } = deleted;
  const positions = ascending(entries);
  const last = positions.at(-1);
  if (last === undefined) return;
  if (reason !== 'ephemeral') {
    await writeUnread(queries, positions, unread);
    await queries.write(MARK, [topicId, last]);
  }
  // From here on whoever moves a consumer waits.
  if ((await queries.write(REACH, [last, moves])).affectedRows === 0) throw new MovedMeanwhile();
}

function ascending(entries: DeletedEntries['entries']): readonly Position[] {
  return entries.map(({ position }) => position).sort((a, b) => a - b);
}

/** A consumer that may not have passed what goes. */
class Candidate {
  readonly id: number;
  readonly offset: Position;
  readonly #claims: ConsumerClaims;
  readonly #parked: ReadonlySet<Position>;
  readonly #lost: Position[] = [];

  constructor(row: CandidateRow, parked: ReadonlySet<Position> = NOTHING) {
    this.id = row.id;
    this.offset = row.acked_to;
    this.#parked = parked;
    const [context, name] = [row.context.toString(), row.name.toString()];
    const place = { offset: row.acked_to, acked: row.acked_above };
    this.#claims = new ConsumerClaims({ context, name, settings: decodeSettings(row.settings), ...place }, parked);
  }

  get needsPayloads(): boolean {
    return this.#claims.needsPayloads;
  }

  /** Undefined: it loses nothing. */
  get unread(): UnreadBy | undefined {
    if (this.#lost.length === 0) return undefined;
    return { consumerId: this.id, positions: this.#lost, parked: this.#parked };
  }

  mayLose(positions: readonly Position[]): boolean {
    return positions.some((position) => this.#claims.mayClaim(position));
  }

  /** Takes note of what it loses of the entries. */
  look(entries: readonly LogEntry[]): true {
    for (const entry of entries) if (this.#claims.on(entry) !== undefined) this.#lost.push(entry.position);
    return true;
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
