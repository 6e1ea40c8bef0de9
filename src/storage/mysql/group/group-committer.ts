// One connection that commits groups: lock the head, read fresh, decide, insert with exact positions, write
// the head, commit. In the common case that is four round trips: lock, insert, streams, head with COMMIT; reading streams
// is saved while nobody else wrote (see HeadCache), reading message ids until the database refuses a duplicate.
//
// Statement texts are constants; numbers that we minted ourselves are the only values ever put into a text.

import { type Connection, createConnection } from 'mysql2';
import type { MadeCawin } from '../../../domain/cawins/prepared-cawin.js';
import type { StreamState } from '../../../domain/events/stream.js';
import {
  type GroupNeeds,
  type GroupWrites,
  isEmpty,
  type LockedState,
  type PlannedCawin,
  type PlannedEntry,
  type WaitKey,
} from '../../../domain/group/group-plan-types.js';
import { scopedKey } from '../../../domain/names.js';
import type { Micros, Position } from '../../../units.js';
import { type GroupCommitter, GroupFailure, type GroupRun, type Instance } from '../../ports/log-storage.js';
import { readConsumers, writeConsumers } from '../consumers/consumer-changes.js';
import { readParked } from '../consumers/parked-places.js';
import { writeErasures } from '../erasure/erasure-writes.js';
import { writeSubjects } from '../erasure/subject-rows.js';
import { writeBarrier } from '../log/durable-reads.js';
import { EntryInsert } from '../log/entry-rows.js';
import { writeTransfers, writeTruncations } from '../log/stream-rows.js';
import type { NameCache, Names } from '../names/name-cache.js';
import { NameMinter, type NextIds } from '../names/name-minter.js';
import { ConnectionQueries, connectionOptions, type Queries, type SqlValue } from '../sql/database.js';
import { ROW_HOLDER_SETTINGS } from '../sql/dialect.js';
import { placeholders } from '../sql/placeholders.js';
import { ServerChange } from '../sql/server-change.js';
import { classifySqlError } from '../sql/sql-errors.js';
import { writeContext } from '../topics/context-rows.js';
import { isOfRegistration, writeRegistration } from '../topics/topic-rows.js';
import { readWaits, writeWaits } from '../waits/wait-rows.js';
import { awaitedKeys } from '../waits/wait-searches.js';
import { readPushed, readStreams } from './group-reads.js';
import type { HeadCache } from './head-cache.js';

/** No statement of a group may take longer: the server itself gives up a lock, and a silent holder, after 3 s. */
const STATEMENT_TIMEOUT_MS = 8_000;
const KEEP_ALIVE_MS = 1_000;
/** Rows an insert: exact up to this, above it in steps, so that few statements are prepared. */
const EXACT_ROWS = 64;
const ROW_STEP = 50;
/** Descriptions of ended waits in one insert: a packet for the database has at least 16 MiB, of which a group's own bytes take a part. */
const MAX_DESCRIPTIONS_BYTES = 4 * 1024 * 1024;

const LOCK_HEAD = `START TRANSACTION; SELECT position, next_event_id, next_context_id, next_topic_id, next_stream_id, created_at,
  catalog_version, group_token, next_shape_id, ledgered_at, CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) AS now
  FROM log_head WHERE id = 1 FOR UPDATE`;
/** Written as if it were of several tables: a DELETE of one cannot be told its index. */
const UNDO_INSERT = 'DELETE l FROM log l FORCE INDEX (PRIMARY) WHERE l.position > ?';
const RESUME_RETENTION = 'UPDATE retention_cursor SET stopped_at = NULL, leapt_by = 0, waits_until = 0 WHERE id = 1';
/** Pushes that left no entry are looked up for so long, in microseconds; they are kept longer. */
const LEDGER_MICROS = 25 * 3_600 * 1_000_000;

interface HeadRow {
  position: Position;
  next_event_id: number;
  next_context_id: number;
  next_topic_id: number;
  next_stream_id: number;
  created_at: Micros;
  catalog_version: number;
  group_token: number;
  next_shape_id: number;
  ledgered_at: number;
  now: number;
}

export interface MysqlGroupCommitterOptions {
  readonly url: string;
  readonly names: Names;
  readonly headCache: HeadCache;
  /** Shared with the other parts that connect to the same database. */
  readonly serverChange?: ServerChange;
  readonly instance: Instance;
  /** Makes the cawins of units, in the group's transaction; one for each, in order. */
  readonly writeCawins?: (queries: Queries, cawins: readonly PlannedCawin[]) => Promise<readonly MadeCawin[]>;
  /** Told of each statement sent between taking the lock and its release. */
  readonly onRoundTrip?: () => void;
}

export class MysqlGroupCommitter implements GroupCommitter {
  readonly #options: MysqlGroupCommitterOptions;
  readonly #serverChange: ServerChange;
  #connection: Connection | undefined;
  #queries: ConnectionQueries | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #busy = false;
  /** Whether the server is not the one to talk to any more: the next group connects anew. */
  #retired = false;
  /** The names as the group that runs knows them. */
  #names: NameCache;

  constructor(options: MysqlGroupCommitterOptions) {
    this.#options = options;
    this.#serverChange = options.serverChange ?? new ServerChange();
    this.#serverChange.onChange(() => this.#retire());
    this.#names = options.names.current;
  }

  /** See GroupCommitter.run. */
  async run(group: GroupRun): Promise<readonly MadeCawin[]> {
    this.#busy = true;
    const progress: Progress = { committing: false, cawins: [] };
    try {
      const queries = await this.#connect();
      this.#names = this.#options.names.current;
      await this.#transact(queries, group, progress, await this.#lookAhead(queries, group));
      return progress.cawins;
    } catch (error) {
      throw await this.#failure(error, progress);
    } finally {
      this.#busy = false;
    }
  }

  async close(): Promise<void> {
    this.#drop();
  }

  /**
   * Which of the values that the group's payloads have are awaited, found while another group holds the lock. Most are not:
   * as long as nothing more is awaited since, only the others are looked at again under the lock.
   */
  async #lookAhead(queries: ConnectionQueries, { needs: { waits } }: GroupRun): Promise<LookedAhead | undefined> {
    const { ledgeredAt } = this.#options.headCache;
    if (ledgeredAt === undefined || waits === undefined || waits.keys.length === 0) return undefined;
    return { ledgeredAt, keys: await awaitedKeys(queries, waits.keys) };
  }

  async #transact(
    queries: ConnectionQueries,
    group: GroupRun,
    progress: Progress,
    ahead: LookedAhead | undefined,
  ): Promise<void> {
    const [, rows] = (await queries.query<HeadRow[]>(LOCK_HEAD)) as [unknown, HeadRow[]];
    const head = rows?.[0];
    if (head === undefined) throw new Error('log_head has no row');
    group.onLocked();
    if (!group.mayProceed(head.group_token)) {
      await queries.query('ROLLBACK');
      throw new GroupFailure('retry', 'an earlier group is not settled');
    }
    if (head.catalog_version !== group.catalogVersion) {
      await queries.query('ROLLBACK');
      throw new GroupFailure('stale', 'the catalogue has changed');
    }
    const locked = await this.#read(queries, head, group.needs, ahead);
    const next = { context: head.next_context_id, topic: head.next_topic_id, stream: head.next_stream_id };
    const minter = new NameMinter({ names: this.#names, next, headPosition: head.position });
    const writes = await this.#decideAndInsert(queries, group, locked, minter);
    if (isEmpty(writes)) {
      await queries.query('ROLLBACK');
      // On this very connection: what it has read is of the same life of the database.
      if (group.needsBarrier()) await writeBarrier(queries, this.#options.instance);
      return;
    }
    progress.cawins = await this.#makeCawins(queries, writes);
    if (!(await this.#writeConsumers(queries, writes))) {
      await queries.query('ROLLBACK');
      throw new GroupFailure('retry', 'a consumer is not as it was found any more');
    }
    this.#options.headCache.written(group.token, writes.streams, minter);
    progress.committing = true;
    this.#trip();
    await queries.query(`${headUpdate(writes, minter.next, { found: head.group_token, token: group.token })}; COMMIT`);
    minter.publish();
  }

  async #read(
    queries: ConnectionQueries,
    head: HeadRow,
    needs: GroupNeeds,
    ahead: LookedAhead | undefined,
  ): Promise<LockedState> {
    const names = this.#names;
    const { headCache } = this.#options;
    const onTrip = () => this.#trip();
    headCache.keepOnlyFor(head.group_token);
    headCache.ledgeredAt = head.ledgered_at;
    const isExact = ahead?.ledgeredAt === head.ledgered_at;
    const waits = needs.waits && (isExact ? { ...needs.waits, keys: ahead.keys } : needs.waits);
    const streams = new Map<string, StreamState>();
    const missing: { context: string; name: string }[] = [];
    // Taken out of the cache at once: another committer that fails meanwhile empties it.
    for (const { context, name } of needs.streams) {
      const state = headCache.stream(context, name);
      if (state !== undefined) streams.set(scopedKey(context, name), state);
      else if (!headCache.knows(context, name)) missing.push({ context, name });
    }
    for (const state of await readStreams(queries, missing, { names, headCache, onTrip })) {
      streams.set(scopedKey(state.context, state.name), state);
    }
    const lookUp = needs.lookUpFirst || (needs.messageIds.length > 0 && head.ledgered_at + LEDGER_MICROS > head.now);
    if (lookUp) await names.load(queries, { contexts: needs.messageIds.map(({ context }) => context) });
    return {
      head: {
        position: head.position,
        nextEventId: head.next_event_id,
        createdAt: head.created_at,
        nextShapeId: head.next_shape_id,
      },
      now: head.now,
      streams,
      pushed: lookUp ? await readPushed(queries, needs, { names, onTrip }) : undefined,
      waits: waits && (await readWaits(queries, names, waits, onTrip)),
      parked: needs.parked && (await readParked(queries, needs.parked, onTrip)),
      consumers: needs.consumers && (await readConsumers(queries, needs.consumers, onTrip)),
    };
  }

  /** Decides, and inserts; decides again with the message ids looked up when they turn out to matter. */
  async #decideAndInsert(
    queries: ConnectionQueries,
    group: GroupRun,
    locked: LockedState,
    minter: NameMinter,
  ): Promise<GroupWrites> {
    const writes = group.decide(locked);
    if (writes.inDoubt)
      return this.#decideAndInsert(queries, group, await this.#withPushed(queries, group, locked, minter), minter);
    if (isEmpty(writes)) return writes;
    await this.#ensureNames(queries, writes, minter);
    const inserted = { rows: 0 };
    try {
      await this.#insertEntries(queries, writes.entries, minter, inserted);
    } catch (error) {
      if (classifySqlError(error) !== 'duplicate' || locked.pushed !== undefined) throw error;
      // InnoDB took back the statement, not the transaction: the rows of former statements have to go as well.
      if (inserted.rows > 0) {
        this.#trip();
        await queries.execute(UNDO_INSERT, [locked.head.position]);
      }
      return this.#decideAndInsert(queries, group, await this.#withPushed(queries, group, locked, minter), minter);
    }
    await this.#writeStreams(queries, writes.streams, minter);
    const named = {
      streamId: ({ context, name }: StreamState) => minter.streamId(context, name),
      onTrip: () => this.#trip(),
    };
    const transferred = writes.streams.filter(({ transferPosition }) => transferPosition > locked.head.position);
    await writeTransfers(queries, transferred, named);
    await writeTruncations(queries, writes.truncated, named);
    await this.#writeWaits(queries, writes, minter);
    const told = { minter, onTrip: () => this.#trip() };
    await writeSubjects(queries, writes, told);
    if (writes.erasures !== undefined) await writeErasures(queries, writes.erasures, told);
    if (writes.resumesRetention) await this.#resumeRetention(queries);
    return writes;
  }

  async #writeWaits(queries: ConnectionQueries, { waits }: GroupWrites, minter: NameMinter): Promise<void> {
    if (waits === undefined) return;
    await writeWaits(queries, waits, { minter, onTrip: () => this.#trip() });
    const change = waits.catalog?.change;
    if (change?.kind === 'context') {
      this.#trip();
      await writeContext(queries, change, minter);
    } else if (isOfRegistration(change)) {
      this.#trip();
      await writeRegistration(queries, change, minter);
    }
  }

  async #resumeRetention(queries: ConnectionQueries): Promise<void> {
    this.#trip();
    await queries.write(RESUME_RETENTION);
  }

  async #makeCawins(queries: ConnectionQueries, { waits }: GroupWrites): Promise<readonly MadeCawin[]> {
    if (waits === undefined || waits.cawins.length === 0) return [];
    return (await this.#options.writeCawins?.(queries, waits.cawins)) ?? [];
  }

  /** Last of all: whoever has the row of a consumer waits for nothing else. */
  #writeConsumers(queries: Queries, writes: GroupWrites): Promise<boolean> {
    return writeConsumers(queries, writes, () => this.#trip());
  }

  async #withPushed(
    queries: ConnectionQueries,
    group: GroupRun,
    locked: LockedState,
    minter: NameMinter,
  ): Promise<LockedState> {
    const names = this.#names;
    const contexts = new Set(group.needs.messageIds.map(({ context }) => context));
    await minter.loadContexts(queries, contexts);
    return { ...locked, pushed: await readPushed(queries, group.needs, { names, onTrip: () => this.#trip() }) };
  }

  /** Makes sure that the names of the entries have their numbers; new ones get theirs here, under the head row. */
  async #ensureNames(queries: ConnectionQueries, writes: GroupWrites, minter: NameMinter): Promise<void> {
    const names = this.#names;
    const topics = new Map<string, { context: string; name: string }>();
    // A topic may be known where its context is forgotten; what was only found names no topic at all.
    const contexts = new Set<string>();
    for (const { entry } of writes.entries) {
      if (names.contextId(entry.context) === undefined) contexts.add(entry.context);
      if (names.topicId(entry.context, entry.topic) !== undefined) continue;
      topics.set(scopedKey(entry.context, entry.topic), { context: entry.context, name: entry.topic });
    }
    for (const { context, name } of topicsOfWaits(writes)) {
      contexts.add(context);
      if (names.topicId(context, name) === undefined) topics.set(scopedKey(context, name), { context, name });
    }
    for (const { context } of writes.streams) contexts.add(context);
    await minter.ensure(queries, [...topics.values()], writes.streams);
    await minter.loadContexts(queries, contexts);
    // What was discarded may be all that a context has.
    await minter.ensureContexts(queries, new Set((writes.waits?.ledger ?? []).map(({ context }) => context)));
  }

  async #insertEntries(
    queries: ConnectionQueries,
    entries: readonly PlannedEntry[],
    minter: NameMinter,
    inserted: { rows: number },
  ): Promise<void> {
    while (inserted.rows < entries.length) {
      const start = inserted.rows;
      const left = entries.length - start;
      const count = fitting(entries, start, left <= EXACT_ROWS ? left : left - (left % ROW_STEP));
      const insert = new EntryInsert(entries.slice(start, start + count), (entry) => minter.idsOf(entry));
      this.#trip();
      await queries.execute(insert.sql, insert.values);
      inserted.rows += count;
    }
  }

  async #writeStreams(queries: ConnectionQueries, streams: readonly StreamState[], minter: NameMinter): Promise<void> {
    for (let start = 0; start < streams.length; ) {
      const left = streams.length - start;
      const count = left <= EXACT_ROWS ? left : left - (left % ROW_STEP);
      const values = streams
        .slice(start, start + count)
        .flatMap((s): SqlValue[] => [
          minter.streamId(s.context, s.name),
          minter.contextId(s.context),
          s.name,
          s.owner,
          s.epoch,
          s.lastSequence,
          s.firstPosition,
          s.lastPosition,
          s.firstEventAt,
          s.lastEventAt,
        ]);
      this.#trip();
      await queries.execute(streamSql(count), values);
      start += count;
    }
  }

  #retire(): void {
    if (this.#busy) this.#retired = true;
    else this.#drop();
  }

  async #connect(): Promise<ConnectionQueries> {
    if (this.#retired) this.#drop();
    if (this.#queries !== undefined) return this.#queries;
    const connection = createConnection({ ...connectionOptions(this.#options.url), multipleStatements: true });
    // A connection that dies while idle reports it here; the next group makes a new one.
    connection.on('error', () => this.#drop(connection));
    const queries = new ConnectionQueries(connection, STATEMENT_TIMEOUT_MS);
    this.#connection = connection;
    this.#queries = queries;
    try {
      await queries.query(ROW_HOLDER_SETTINGS);
      this.#options.names.renew();
    } catch (error) {
      // Without its settings the connection must not be used, whatever the reason was.
      this.#drop(connection);
      throw error;
    }
    this.#keepAlive = setInterval(() => this.#ping(queries), KEEP_ALIVE_MS).unref();
    return queries;
  }

  #ping(queries: ConnectionQueries): void {
    if (this.#busy || this.#queries !== queries) return;
    queries.ping().catch(() => this.#drop(this.#connection));
  }

  #drop(connection = this.#connection): void {
    connection?.destroy();
    if (connection !== this.#connection) return;
    this.#retired = false;
    clearInterval(this.#keepAlive);
    this.#connection = undefined;
    this.#queries = undefined;
  }

  #trip(): void {
    this.#options.onRoundTrip?.();
  }

  /** Leaves the connection without a transaction, or gone, and says what the failure means for the group. */
  async #failure(error: unknown, { committing, cawins }: Progress): Promise<GroupFailure> {
    this.#options.headCache.clear();
    if (error instanceof GroupFailure) return error;
    const failure = classifySqlError(error);
    const reason = failure === 'duplicate' ? 'other' : failure;
    if (this.#serverChange.endsConnection(error) || committing) this.#drop();
    else await this.#queries?.query('ROLLBACK').catch(() => this.#drop());
    if (committing && reason !== 'retry') return new GroupFailure('unknown', error, cawins);
    return new GroupFailure(reason === 'other' ? 'failed' : reason, error);
  }
}

/** How far a group has come. */
interface Progress {
  /** COMMIT may have been executed: from here on the outcome of a failure is unknown. */
  committing: boolean;
  /** The cawins that the group made. */
  cawins: readonly MadeCawin[];
}

interface LookedAhead {
  /** The ledger's time in the head before the search. */
  readonly ledgeredAt: number;
  /** The values of the group that are awaited. */
  readonly keys: readonly WaitKey[];
}

/** How many of the entries fit into one statement: those that end waits have descriptions that nobody measured when they were queued. */
function fitting(entries: readonly PlannedEntry[], start: number, count: number): number {
  let bytes = 0;
  for (let n = 0; n < count; n += 1) {
    const rest = entries[start + n]?.entry.rest;
    if (rest?.awaitedAt === undefined) continue;
    // Quoted once, as JSON.
    bytes += 2 * Buffer.byteLength(rest.description ?? '');
    if (bytes > MAX_DESCRIPTIONS_BYTES && n > 0) return n;
  }
  return count;
}

const STREAM_MARK = `(${placeholders(10)})`;

function streamSql(rows: number): string {
  return `INSERT INTO stream (id, context_id, name, owner, epoch, last_sequence, first_position, last_position, first_event_at,
      last_event_at) VALUES ${placeholders(rows, STREAM_MARK)}
    ON DUPLICATE KEY UPDATE owner = VALUES(owner), epoch = VALUES(epoch), last_sequence = VALUES(last_sequence),
      last_position = VALUES(last_position), last_event_at = VALUES(last_event_at)`;
}

/** Topics that a group names without an entry in them. */
function topicsOfWaits({ waits }: GroupWrites): { context: string; name: string }[] {
  if (waits === undefined) return [];
  const topics = waits.added.map(({ envelope: { context, topic } }) => ({ context, name: topic }));
  const change = waits.catalog?.change;
  if (change === undefined || !('topic' in change)) return topics;
  return [...topics, { context: change.context, name: change.topic }];
}

/** Fails, as the position may not be NULL, where the head is no longer as it was found: the lock was lost, and nothing is committed. */
function headUpdate(
  { head, waits }: GroupWrites,
  next: NextIds,
  { found, token }: { readonly found: number; readonly token: number },
): string {
  const ledgeredAt = waits?.ledger.at(-1)?.createdAt;
  const version = waits?.catalog?.version;
  const more = [
    // It rises even where the clock was set back: see HeadCache.
    ...(ledgeredAt === undefined ? [] : [`, ledgered_at = GREATEST(ledgered_at + 1, ${int(ledgeredAt)})`]),
    ...(version === undefined ? [] : [`, next_shape_id = ${int(head.nextShapeId)}, catalog_version = ${int(version)}`]),
  ].join('');
  return `UPDATE log_head SET position = IF(group_token = ${int(found)}, ${int(head.position)}, NULL), next_event_id = ${int(head.nextEventId)},
    next_context_id = ${int(next.context)}, next_topic_id = ${int(next.topic)}, next_stream_id = ${int(next.stream)},
    created_at = ${int(head.createdAt)}, group_token = ${int(token)}${more} WHERE id = 1`;
}

/** A number that we made ourselves, for a statement's text. */
function int(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`invariant broken: ${value} is not a whole number`);
  return String(value);
}
