// Reads of the log. A page is read in two steps: positions and sizes by the index that fits the criteria, then the rows
// themselves, so that neither a wide filter nor large payloads make a page unbounded. Where most events match, as for a consumer
// that catches up, one statement reads all but large payloads.

import { entryBytes } from '../../../domain/events/entry-size.js';
import { EntryKind, type LogEntry } from '../../../domain/events/event.js';
import {
  type EntryMatcher,
  type EventCriteria,
  isHidden,
  needsWithdrawn,
} from '../../../domain/events/event-filter.js';
import { LoopSlices } from '../../../lib/loop-slices.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { EventLog, LogHead, Page, PositionPage, ReadPageOptions } from '../../ports/log-storage.js';
import type { NameCache, Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import {
  COLUMNS_READ,
  COLUMNS_WITHOUT_LARGE,
  entryFromRow,
  payloadBytes,
  ROW_BYTES,
  type RowSize,
  rowNameIds,
  rowSize,
  uuidToBytes,
} from './entry-rows.js';
import { type PageQuery, type PageSource, planPage } from './event-query.js';
import { INDEXES, type PositionRange, scanRange } from './scan-range.js';

/** Rows that a page looks at, at most. */
export const MAX_SCANNED_ROWS = 20_000;

export interface MysqlEventLogOptions {
  readonly database: Database;
  readonly names: Names;
  /** Shared by all who look at many payloads. */
  readonly slices?: LoopSlices;
}

/** Where an event occurred. */
interface EventPlace extends RowSize {
  readonly event_id: EventId;
}

/** What tells whether a row is of the server's own topics. */
interface TopicRow {
  readonly position: Position;
  readonly topic_id: number;
  readonly kind: EntryKind;
}

/** A row that may be part of a page. */
interface Candidate extends RowSize, TopicRow {}

/** A row, and whether a condition holds for it. */
interface SelectedRow extends TopicRow {
  readonly selected: 0 | 1;
}

/** The end of an index: nothing is read for the newest erasure. */
const HEAD = `
  SELECT h.position, h.created_at, h.log_epoch, h.group_token, d.last_position,
    (SELECT MAX(e.position) FROM erasure e) AS newest_erasure
  FROM log_head h JOIN log_deletion d ON d.id = 1 WHERE h.id = 1`;
/** Bytes of payloads that one look for positions reads, where SQL does not decide which ones match. */
const UNDECIDED_BYTES = 4 * 1024 * 1024;
/** How many events a page has at least that is read in one step. */
const DENSE_EVENTS = 64;
/** How many positions there may be for each that matches in a page that is read in one step. */
const DENSE_FRACTION = 4;
/** The part of a page that is enough where its criteria pass over rows: with it, no more is looked for than lies near. */
const ENOUGH_FRACTION = 4;

export class MysqlEventLog implements EventLog {
  readonly #database: Database;
  readonly #names: Names;
  readonly #slices: LoopSlices;

  constructor({ database, names, slices = new LoopSlices() }: MysqlEventLogOptions) {
    this.#database = database;
    this.#names = names;
    this.#slices = slices;
  }

  /** See EventLog.readHead. */
  async readHead(): Promise<LogHead> {
    const rows = await this.#database.execute<{
      position: Position;
      created_at: Micros;
      log_epoch: number;
      group_token: number;
      last_position: Position;
      newest_erasure: Position | null;
    }>(HEAD);
    const row = rows[0];
    if (row === undefined) throw new Error('log_head has no row');
    const { position, created_at: createdAt, log_epoch: epoch, group_token: token, last_position: deletedTo } = row;
    return { position, createdAt, epoch, token, deletedTo, newestErasure: row.newest_erasure ?? 0 };
  }

  /** See EventLog.readPage. */
  async readPage(criteria: EventCriteria, options: ReadPageOptions): Promise<Page> {
    const end = options.newestFirst ? options.after : options.upTo;
    if (options.after >= options.upTo) return { entries: [], scannedTo: end };
    const query = await planPage(this.#database, this.#names.current, criteria);
    if (query === undefined) return { entries: [], scannedTo: end };
    return (await this.#densePage(query, options)) ?? this.#page(query, criteria, options);
  }

  /** See EventLog.readPositions. */
  async readPositions(criteria: EventCriteria, options: Omit<ReadPageOptions, 'maxBytes'>): Promise<PositionPage> {
    const { after, upTo, limit, newestFirst } = options;
    const none = { positions: [], scannedTo: newestFirst ? after : upTo };
    if (after >= upTo) return none;
    const query = await planPage(this.#database, this.#names.current, criteria);
    if (query === undefined) return none;
    const page = { ...options, maxBytes: UNDECIDED_BYTES };
    if (query.undecided !== undefined) {
      const { entries, scannedTo } = await this.#page(query, criteria, page);
      return { positions: ascending(entries.map(({ position }) => position)), scannedTo };
    }
    const { range, candidates } = await this.#look(query, page);
    const found = ascending(candidates.map(({ position }) => position));
    const [first = 0, last = 0] = [found[0], found.at(-1)];
    const shown = query.hidesReserved ? await this.#withoutReserved(candidates) : candidates;
    const positions = ascending(shown.map(({ position }) => position));
    const isFull = found.length === limit;
    if (newestFirst) return { positions, scannedTo: isFull ? first - 1 : range.after };
    return { positions, scannedTo: isFull ? last : range.upTo };
  }

  /**
   * The next `limit` positions in one statement, large payloads, should there be any, in a second one; undefined when few of the
   * positions match.
   */
  async #densePage(query: PageQuery, { after, upTo, limit, maxBytes, newestFirst }: ReadPageOptions) {
    if (newestFirst || limit < DENSE_EVENTS) return undefined;
    if (query.sources.length > 0 || query.undecided !== undefined) return undefined;
    const scannedTo = Math.min(upTo, after + limit);
    const isLarge = Math.floor(maxBytes / limit);
    const sql = `SELECT ${COLUMNS_WITHOUT_LARGE} FROM log FORCE INDEX (PRIMARY)
      WHERE ${['position > ? AND position <= ?', ...query.conditions].join(' AND ')} ORDER BY position`;
    const rows = await this.#database.executeRows(sql, [isLarge, after, scannedTo, ...query.values]);
    if (rows.length < (scannedTo - after) / DENSE_FRACTION) return undefined;
    const sizes = withinBytes(rows.map(rowSize), maxBytes);
    const taken = rows.slice(0, sizes.length);
    const large = taken.filter((row) => payloadBytes(row) > isLarge).map((row) => rowSize(row).position);
    const last = sizes.length < rows.length ? sizes.at(-1)?.position : undefined;
    const entries = await this.#withLarge(await this.#entries(taken), large);
    return { entries: shown(query, entries), scannedTo: last ?? scannedTo };
  }

  /** Leaves out what is of the server's own topics, should the query not have known some of them. */
  async #withoutReserved(rows: readonly TopicRow[]): Promise<readonly TopicRow[]> {
    const names = this.#names.current;
    const topics = new Set(rows.map(({ topic_id: id }) => id));
    await names.loadByIds(this.#database, topics, NO_IDS);
    const isShown = ({ topic_id: id, kind }: TopicRow) => !isHidden({ kind, topic: names.topicScope(id)?.name ?? '' });
    return rows.filter(isShown);
  }

  /** The entries, those at the positions read anew with their payloads. */
  async #withLarge(entries: readonly LogEntry[], positions: readonly Position[]): Promise<readonly LogEntry[]> {
    if (positions.length === 0) return entries;
    const large = new Set(positions);
    const whole = await this.#readRows(positions);
    return [...entries.filter(({ position }) => !large.has(position)), ...whole].sort(byPosition);
  }

  async #page(query: PageQuery, criteria: EventCriteria, options: ReadPageOptions): Promise<Page> {
    const { range, candidates } = await this.#look(query, options);
    const taken = withinBytes(candidates, options.maxBytes);
    const rows = shown(query, await this.#readRows(taken.map(({ position }) => position)));
    const entries = options.newestFirst ? rows.toReversed() : rows;
    const full = taken.length < candidates.length || candidates.length === options.limit;
    const rangeEnd = options.newestFirst ? range.after : range.upTo;
    const lastTaken = taken.at(-1)?.position ?? rangeEnd;
    // Going down, the position itself was looked at as well.
    const scannedTo = full ? (options.newestFirst ? lastTaken - 1 : lastTaken) : rangeEnd;
    const { undecided } = query;
    const matching = undecided === undefined ? entries : await this.#matching(entries, undecided, criteria, options);
    return { entries: matching, scannedTo };
  }

  /** The entries that match: what withdraws an event by the payload of that event. */
  async #matching(
    entries: readonly LogEntry[],
    matches: EntryMatcher,
    criteria: EventCriteria,
    { maxBytes, caller = '' }: ReadPageOptions,
  ): Promise<readonly LogEntry[]> {
    if (criteria.description === undefined) return entries.filter(matches);
    const withdrawing = new Map(
      entries.filter((entry) => needsWithdrawn(criteria, entry)).map((entry) => [entry.eventId, entry]),
    );
    const places = await this.#placesOf([...withdrawing.keys()]);
    const matching = new Set<EventId>();
    for (let rest = places; rest.length > 0; ) {
      const some = withinBytes(rest, maxBytes);
      rest = rest.slice(some.length);
      const occurred = await this.#readRows(some.map(({ position }) => position));
      const views = occurred.map(({ eventId, payload }) => ({ ...(withdrawing.get(eventId) as LogEntry), payload }));
      for (const { eventId } of await this.#slices.filter(caller, views, entryBytes, matches)) matching.add(eventId);
    }
    const isFound = new Set(places.map(({ event_id: eventId }) => eventId));
    const isMatch = (entry: LogEntry) =>
      withdrawing.get(entry.eventId) === entry && isFound.has(entry.eventId)
        ? matching.has(entry.eventId)
        : matches(entry);
    return this.#slices.filter(caller, entries, entryBytes, isMatch);
  }

  /** Where events occurred and how large they are, in the order of the log. */
  async #placesOf(eventIds: readonly EventId[]): Promise<readonly EventPlace[]> {
    const places: EventPlace[] = [];
    await inChunks(eventIds, async (chunk) => {
      const sql = `SELECT event_id, position, ${ROW_BYTES} FROM log FORCE INDEX (log_event)
        WHERE kind = ${EntryKind.OCCURRED} AND event_id IN (${placeholders(chunk.length)})`;
      places.push(...(await this.#database.query<EventPlace>(sql, chunk)));
    });
    return places.sort((a, b) => a.position - b.position);
  }

  /** See EventLog.readAt. */
  async readAt(positions: readonly Position[]): Promise<readonly LogEntry[]> {
    return this.#readRows([...positions].sort((a, b) => a - b));
  }

  /** See EventLog.findByEventId. */
  async findByEventId(eventId: EventId): Promise<readonly LogEntry[]> {
    const sql = `SELECT ${COLUMNS_READ} FROM log FORCE INDEX (log_event) WHERE event_id = ? ORDER BY kind`;
    return this.#entries(await this.#database.executeRows(sql, [eventId]));
  }

  /** See EventLog.findByMessageId. */
  async findByMessageId(context: string, messageId: string): Promise<LogEntry | undefined> {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    const contextId = names.contextId(context);
    if (contextId === undefined) return undefined;
    const sql = `SELECT ${COLUMNS_READ} FROM log WHERE context_id = ? AND message_id = ?`;
    return (await this.#entries(await this.#database.executeRows(sql, [contextId, uuidToBytes(messageId)])))[0];
  }

  /** See EventLog.othersAt. */
  async othersAt(criteria: EventCriteria, positions: readonly Position[]): Promise<ReadonlySet<Position>> {
    const query = await planPage(this.#database, this.#names.current, criteria, { once: true });
    const { condition, values } = query === undefined ? NOTHING : wholeCondition(query);
    const rows: SelectedRow[] = [];
    await inChunks(positions, async (chunk) => {
      const sql = `SELECT position, topic_id, kind, COALESCE(${condition}, FALSE) AS selected
        FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(chunk.length)})`;
      rows.push(...(await this.#database.query<SelectedRow>(sql, [...values, ...chunk])));
    });
    const selected = rows.filter((row) => row.selected === 1);
    const shown = query?.hidesReserved ? await this.#withoutReserved(selected) : selected;
    const isShown = new Set(shown.map(({ position }) => position));
    return new Set(rows.map(({ position }) => position).filter((position) => !isShown.has(position)));
  }

  /** See EventLog.positionAt: times rise with positions, so a binary search over the primary key needs no index. */
  async positionAt(time: Micros): Promise<Position> {
    const head = await this.readHead();
    if (head.createdAt <= time) return head.position;
    // Invariant: everything at or below `low` is at or before the time, everything at or above `high` is later.
    let low = (await this.oldestPosition()) - 1;
    let high = head.position;
    const first = low;
    if (low < 0) return 0;
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2);
      const rows = await this.#database.execute<{ position: Position; created_at: Micros }>(
        'SELECT position, created_at FROM log FORCE INDEX (PRIMARY) WHERE position >= ? ORDER BY position LIMIT 1',
        [middle],
      );
      const row = rows[0];
      if (row === undefined || row.created_at > time) high = middle;
      else low = Math.max(middle, row.position);
    }
    // What was deleted before the oldest may have been created later than the time.
    return low === first ? 0 : low;
  }

  /** See EventLog.oldestPosition. */
  async oldestPosition(): Promise<Position> {
    const rows = await this.#database.execute<{ position: Position }>(
      'SELECT position FROM log FORCE INDEX (PRIMARY) ORDER BY position LIMIT 1',
    );
    return rows[0]?.position ?? 0;
  }

  /** What matches, and the range of positions that was looked at for it. */
  async #look(query: PageQuery, options: ReadPageOptions): Promise<{ range: PositionRange; candidates: Candidate[] }> {
    const lookAt = async (range: PositionRange) => ({
      range,
      candidates: await this.#candidates(query, range, options),
    });
    const near = nearRange(options);
    if (query.sources.length === 0) return lookAt(near);
    if (query.conditions.length === 0) return lookAt(options);
    const found = await lookAt(near);
    // How far a page may look need not be asked where enough lies near, or nothing farther away.
    const isAll = near.after === options.after && near.upTo === options.upTo;
    if (isAll || found.candidates.length * ENOUGH_FRACTION >= options.limit) return found;
    return this.#lookFar(query, options);
  }

  /** Looks as far as one page may, by the ranges of the query that reach farther. */
  async #lookFar(
    query: PageQuery,
    options: ReadPageOptions,
  ): Promise<{ range: PositionRange; candidates: Candidate[] }> {
    const range = await this.#scanRange(query, options);
    const { otherwise } = query;
    const isAll = range.after === options.after && range.upTo === options.upTo;
    const other = isAll || otherwise === undefined ? range : await this.#scanRange(otherwise, options);
    const isFarther = other.upTo - other.after > range.upTo - range.after;
    const best = isFarther && otherwise !== undefined ? { by: otherwise, range: other } : { by: query, range };
    return { range: best.range, candidates: await this.#candidates(best.by, best.range, options) };
  }

  /** The part of the range that may be looked at without passing MAX_SCANNED_ROWS of the sources. */
  #scanRange({ sources }: PageQuery, options: ReadPageOptions): Promise<PositionRange> {
    const { after, upTo, newestFirst = false } = options;
    return scanRange(this.#database, sources, { after, upTo, newestFirst, rows: MAX_SCANNED_ROWS });
  }

  async #candidates(query: PageQuery, range: PositionRange, options: ReadPageOptions): Promise<Candidate[]> {
    const order = `ORDER BY position ${options.newestFirst ? 'DESC' : 'ASC'} LIMIT ${Math.trunc(options.limit)}`;
    const conditions = ['position > ?', 'position <= ?', ...query.conditions];
    const values = [range.after, range.upTo, ...query.values];
    const select = (index: string, all: readonly string[]) =>
      `SELECT position, topic_id, kind, ${ROW_BYTES} FROM log FORCE INDEX (${index}) WHERE ${all.join(' AND ')} ${order}`;
    const selectFrom = ({ column }: PageSource) => select(INDEXES[column], [`${column} = ?`, ...conditions]);
    const [source] = query.sources;
    if (source === undefined) return this.#database.execute(select('PRIMARY', conditions), values);
    if (query.sources.length === 1) return this.#database.execute(selectFrom(source), [source.id, ...values]);
    const parts = query.sources.map((each) => `(${selectFrom(each)})`);
    return this.#database.query(
      `${parts.join(' UNION ALL ')} ${order}`,
      query.sources.flatMap(({ id }): SqlValue[] => [id, ...values]),
    );
  }

  /** The rows at these positions, ascending or not; returned ascending. */
  async #readRows(positions: readonly Position[]): Promise<LogEntry[]> {
    if (positions.length === 0) return [];
    const first = Math.min(positions[0] as number, positions.at(-1) as number);
    const last = Math.max(positions[0] as number, positions.at(-1) as number);
    if (last - first + 1 === positions.length) {
      const sql = `SELECT ${COLUMNS_READ} FROM log FORCE INDEX (PRIMARY) WHERE position BETWEEN ? AND ? ORDER BY position`;
      return this.#entries(await this.#database.executeRows(sql, [first, last]));
    }
    const rows: unknown[][] = [];
    await inChunks(positions, async (chunk) => {
      const sql = `SELECT ${COLUMNS_READ} FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(chunk.length)})
        ORDER BY position`;
      rows.push(...(await this.#database.executeRows(sql, chunk)));
    });
    return (await this.#entries(rows)).sort(byPosition);
  }

  async #entries(rows: readonly unknown[][]): Promise<LogEntry[]> {
    const names = this.#names.current;
    const known = namedEntries(rows, names);
    if (known.length === rows.length) return known;
    const topics = new Set<number>();
    const streams = new Set<number>();
    for (const row of rows) {
      const { topicId, streamId } = rowNameIds(row);
      if (names.topicScope(topicId) === undefined) topics.add(topicId);
      if (streamId !== null && names.streamName(streamId) === undefined) streams.add(streamId);
    }
    await names.loadByIds(this.#database, topics, streams);
    return namedEntries(rows, names);
  }
}

const NO_IDS: ReadonlySet<number> = new Set();

/** The entries that the query is for, should it not have known some of the server's own topics. */
function shown({ hidesReserved }: PageQuery, entries: readonly LogEntry[]): readonly LogEntry[] {
  return hidesReserved ? entries.filter((entry) => !isHidden(entry)) : entries;
}

/** What selects no row. */
const NOTHING = { condition: 'FALSE', values: [] };

/** The condition for a row that says all that SQL decides, wherever the row was found. */
function wholeCondition({ sources, conditions, values }: PageQuery): {
  readonly condition: string;
  readonly values: readonly SqlValue[];
} {
  const [source] = sources;
  const all =
    source === undefined ? conditions : [...conditions, `${source.column} IN (${placeholders(sources.length)})`];
  const condition = all.length === 0 ? 'TRUE' : `(${all.join(' AND ')})`;
  return { condition, values: [...values, ...sources.map(({ id }) => id)] };
}

/** Returns as many positions of the range as rows may be looked at, from where the page begins. */
function nearRange({ after, upTo, newestFirst }: ReadPageOptions): PositionRange {
  return newestFirst
    ? { after: Math.max(after, upTo - MAX_SCANNED_ROWS), upTo }
    : { after, upTo: Math.min(upTo, after + MAX_SCANNED_ROWS) };
}

/** The entries whose names are in the cache. */
function namedEntries(rows: readonly unknown[][], names: NameCache): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const row of rows) {
    const entry = entryFromRow(row, names);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function ascending(positions: readonly Position[]): readonly Position[] {
  return [...positions].sort((a, b) => a - b);
}

function byPosition(a: LogEntry, b: LogEntry): number {
  return a.position - b.position;
}

/** The first candidates that stay within the bytes; at least one. */
function withinBytes<T extends RowSize>(candidates: readonly T[], maxBytes: number): readonly T[] {
  let bytes = 0;
  const end = candidates.findIndex((candidate, index) => {
    bytes += candidate.payload_bytes;
    return index > 0 && bytes > maxBytes;
  });
  return end === -1 ? candidates : candidates.slice(0, end);
}
