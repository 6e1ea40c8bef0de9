// What has to go and what has gone, in MySQL, and who deletes it. See RetentionStore for what each method promises.

import { EntryKind } from '../../../domain/events/event.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { LeaptSpan } from '../../../domain/retention/log-time.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { EndedRuns } from '../../ports/log-storage.js';
import {
  type Batch,
  type ClockChange,
  type ConsumerBehind,
  type Deleted,
  type DueEntry,
  type DueOptions,
  type DuePage,
  KeepReason,
  type KeptEntry,
  type RetentionClock,
  type RetentionHold,
  type RetentionStore,
  type RetentionTopic,
  type TopicPlace,
} from '../../ports/retention-storage.js';
import { decodeSettings } from '../consumers/consumer-rows.js';
import { readMoves } from '../consumers/deleted-before.js';
import type { UnreadEvents } from '../consumers/unread-events.js';
import type { Database, Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { CountedOtherwise, deleteBatch } from './batch-deletion.js';
import { DUE_COLUMNS, type DueRow, dueEntry, rowsWithin } from './due-rows.js';
import { endCawins } from './ended-cawins.js';
import { parkedAt } from './parked-entries.js';
import { readPurgeLag } from './purge-lag.js';
import { HELD, heldValues, LEASE_END, renewed } from './retention-hold.js';
import type { RetentionTopics } from './retention-topics.js';

/** Counts of streams that the one before kept go on: see MysqlStreamCounts.begin. Assignments are made from left to right. */
const ACQUIRE = `
  UPDATE retention_cursor SET counted_epoch = IF(counted_epoch = owner_epoch, owner_epoch + 1, counted_epoch),
    owner = ?, owner_epoch = owner_epoch + 1, lease_until = ${LEASE_END}
  WHERE id = 1 AND (owner = '' OR owner = ? OR lease_until < ${NOW_MICROS})`;
const RELEASE = `UPDATE retention_cursor SET owner = '', lease_until = 0 WHERE ${HELD}`;
const RELEASE_ENDED =
  "UPDATE retention_cursor SET owner = '', lease_until = 0 WHERE id = 1 AND owner >= ? AND owner < ?";
/** The newest entry of all stays: it is where the log ends. */
const SETTLED = `
  SELECT LEAST((SELECT position FROM count_cursor WHERE id = 1), (SELECT position FROM firing_cursor WHERE id = 1),
    GREATEST((SELECT position FROM log_head WHERE id = 1), 1) - 1) AS position`;
const DUE = `
  SELECT ${DUE_COLUMNS} FROM log l FORCE INDEX (log_topic)
  WHERE l.topic_id = ? AND l.position > ? AND l.position <= ? ORDER BY l.position`;
const KEPT = `
  SELECT STRAIGHT_JOIN ${DUE_COLUMNS}, k.reason
  FROM retention_kept k FORCE INDEX (PRIMARY) JOIN log l FORCE INDEX (PRIMARY) ON l.position = k.position
  WHERE k.topic_id = ? AND k.position > ? ORDER BY k.position`;
/** Pushes are looked up in the ledger for 25 h after this: an hour more than they are kept there. */
const EXPECT_REPEATS = `
  UPDATE log_head SET ledgered_at = GREATEST(ledgered_at + 1, ${NOW_MICROS})
  WHERE id = 1 AND ledgered_at < ${NOW_MICROS} - 1800000000`;
/** Consumers that are read at a time. */
const CONSUMERS = 1_000;
const BEHIND = `
  SELECT id, generation, context, name, settings, acked_to, acked_above FROM consumer FORCE INDEX (PRIMARY)
  WHERE id > ? AND acked_to < ? AND deleted_at IS NULL AND ephemeral = 0 AND context IN (?, ?) ORDER BY id LIMIT ${CONSUMERS}`;

interface CursorRow {
  readonly now_micros: Micros;
  readonly sampled_at: Micros;
  readonly stopped_at: Micros | null;
  readonly leapt_by: Micros;
  readonly waits_until: Micros;
}

interface PlaceRow {
  readonly topic_id: number;
  readonly looked_to: Position;
  readonly gone_events: number;
  readonly gone_bytes: number;
  readonly gone_at: Micros;
}

interface BehindRow {
  readonly id: number;
  readonly generation: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
  readonly acked_to: Position;
  readonly acked_above: Buffer;
}

export interface MysqlRetentionStoreOptions {
  readonly database: Database;
  /** Shared with whoever else goes by what topics keep. */
  readonly topics: RetentionTopics;
  readonly unread: UnreadEvents;
  /** The database's clock, as SQL; its own unless a test sets another one. */
  readonly nowSql?: string;
}

export class MysqlRetentionStore implements RetentionStore {
  readonly #database: Database;
  readonly #unread: UnreadEvents;
  readonly #nowSql: string;
  readonly #topics: RetentionTopics;

  constructor({ database, topics, unread, nowSql = NOW_MICROS }: MysqlRetentionStoreOptions) {
    this.#database = database;
    this.#topics = topics;
    this.#unread = unread;
    this.#nowSql = nowSql;
  }

  /** See RetentionStore.acquire. */
  async acquire(owner: string): Promise<RetentionHold | undefined> {
    const name = Buffer.from(owner);
    if ((await this.#database.write(ACQUIRE, [name, name])).affectedRows === 0) return undefined;
    const [row] = await this.#database.execute<{ owner_epoch: number }>(
      'SELECT owner_epoch FROM retention_cursor WHERE id = 1 AND owner = ?',
      [name],
    );
    return row && { owner, epoch: row.owner_epoch };
  }

  async renew(hold: RetentionHold): Promise<boolean> {
    return renewed(this.#database, hold);
  }

  async release(hold: RetentionHold): Promise<void> {
    await this.#database.write(RELEASE, heldValues(hold));
  }

  async releaseEnded({ first, before }: EndedRuns): Promise<void> {
    await this.#database.write(RELEASE_ENDED, [Buffer.from(first), Buffer.from(before)]);
  }

  async clock(): Promise<RetentionClock> {
    const [row] = await this.#database.query<CursorRow>(
      `SELECT ${this.#nowSql} AS now_micros, sampled_at, stopped_at, leapt_by, waits_until FROM retention_cursor WHERE id = 1`,
    );
    if (row === undefined) throw new Error('retention_cursor has no row');
    const spans = await this.#database.execute<{ leapt_from: Micros; leapt_to: Micros }>(
      'SELECT leapt_from, leapt_to FROM leapt_span ORDER BY leapt_from',
    );
    const { stopped_at: at, leapt_by: leaptBy } = row;
    return {
      now: Number(row.now_micros),
      sampledAt: row.sampled_at,
      stopped: at === null ? undefined : { at, leaptBy },
      waitsUntil: row.waits_until,
      leapt: spans.map(({ leapt_from: from, leapt_to: to }) => ({ from, to })),
    };
  }

  async noteClock({ sampledAt, stopped, waitsUntil, leapt }: ClockChange): Promise<void> {
    const changes = ['sampled_at = ?'];
    const values = [sampledAt];
    if (stopped !== undefined) {
      changes.push('stopped_at = ?', 'leapt_by = ?');
      values.push(stopped.at, stopped.leaptBy);
    }
    if (waitsUntil !== undefined) {
      changes.push('waits_until = ?');
      values.push(waitsUntil);
    }
    await this.#database.transaction(async (queries) => {
      await queries.query(`UPDATE retention_cursor SET ${changes.join()} WHERE id = 1`, values);
      if (leapt !== undefined) await writeSpans(queries, leapt);
    });
  }

  topics(): Promise<readonly RetentionTopic[]> {
    return this.#topics.read();
  }

  async settledTo(): Promise<Position> {
    const [row] = await this.#database.execute<{ position: Position }>(SETTLED);
    return row?.position ?? 0;
  }

  async places(topicIds: readonly number[]): Promise<ReadonlyMap<number, TopicPlace>> {
    const places = new Map<number, TopicPlace>();
    await inChunks(topicIds, async (chunk) => {
      const rows = await this.#database.query<PlaceRow>(
        `SELECT topic_id, looked_to, gone_events, gone_bytes, gone_at FROM retention_topic
         WHERE topic_id IN (${placeholders(chunk.length)})`,
        chunk,
      );
      for (const row of rows) places.set(row.topic_id, placeOf(row));
    });
    return places;
  }

  /** See RetentionStore.due: along the index log_topic. */
  async due({ topicId, after, upTo, limit, maxBytes }: DueOptions): Promise<DuePage> {
    const rows = await this.#database.execute<DueRow>(`${DUE} LIMIT ${Math.trunc(limit)}`, [topicId, after, upTo]);
    const taken = rowsWithin(rows, maxBytes);
    const isAll = rows.length < limit && taken.length === rows.length;
    return { entries: taken.map(dueEntry), lookedTo: isAll ? upTo : (taken.at(-1)?.position ?? upTo) };
  }

  parked(entries: readonly DueEntry[]): Promise<ReadonlyMap<Position, Micros>> {
    return parkedAt(this.#database, entries);
  }

  endCallbacks(hold: RetentionHold, entries: readonly DueEntry[]): Promise<readonly KeptEntry[]> {
    return endCawins(this.#database, entries, (queries) => renewed(queries, hold));
  }

  async storedEvents(eventIds: readonly EventId[]): Promise<ReadonlySet<EventId>> {
    const found = new Set<EventId>();
    await inChunks(eventIds, async (chunk) => {
      const rows = await this.#database.execute<{ event_id: EventId }>(
        `SELECT event_id FROM log FORCE INDEX (log_event)
         WHERE event_id IN (${placeholders(chunk.length)}) AND kind = ${EntryKind.OCCURRED}`,
        chunk,
      );
      for (const row of rows) found.add(row.event_id);
    });
    return found;
  }

  async kept(topicId: number, after: Position, limit: number): Promise<readonly (DueEntry & KeptEntry)[]> {
    const sql = `${KEPT} LIMIT ${Math.trunc(limit)}`;
    const rows = await this.#database.execute<DueRow & { reason: KeepReason }>(sql, [topicId, after]);
    return rows.map((row) => ({ ...dueEntry(row), reason: row.reason }));
  }

  async topicId({ context, name }: { readonly context: string; readonly name: string }): Promise<number | undefined> {
    const [row] = await this.#database.execute<{ id: number }>(
      'SELECT t.id FROM context c JOIN topic t FORCE INDEX (topic_name) ON t.context_id = c.id WHERE c.name = ? AND t.name = ?',
      [Buffer.from(context), Buffer.from(name)],
    );
    return row?.id;
  }

  async countKept(topicId: number, limit: number): Promise<{ readonly parked: number; readonly callbacks: number }> {
    const rows = await this.#database.execute<{ reason: KeepReason; entries: number }>(
      `SELECT reason, COUNT(*) AS entries FROM (
         SELECT reason FROM retention_kept FORCE INDEX (PRIMARY) WHERE topic_id = ? LIMIT ${Math.trunc(limit)}) AS part
       GROUP BY reason`,
      [topicId],
    );
    const of = (reason: KeepReason) => rows.find((row) => row.reason === reason)?.entries ?? 0;
    return { parked: of(KeepReason.PARKED), callbacks: of(KeepReason.CALLBACK) };
  }

  moves(): Promise<number> {
    return readMoves(this.#database);
  }

  /** See RetentionStore.behind. */
  async behind(topic: { readonly context: string; readonly name: string }, upTo: Position): Promise<ConsumerBehind[]> {
    const consumers: ConsumerBehind[] = [];
    for (let after = 0, isMore = true; isMore; ) {
      const rows: BehindRow[] = await this.#database.execute<BehindRow>(BEHIND, [
        ...[after, upTo, Buffer.from(topic.context), Buffer.from(ALL_CONTEXTS)],
      ]);
      consumers.push(...rows.map(consumerBehind).filter((consumer) => mayGet(consumer, topic.name)));
      after = rows.at(-1)?.id ?? 0;
      isMore = rows.length === CONSUMERS;
    }
    return consumers;
  }

  async expectRepeats(): Promise<void> {
    await this.#database.write(EXPECT_REPEATS);
  }

  /** See RetentionStore.delete. */
  async delete(hold: RetentionHold, batch: Batch): Promise<Deleted> {
    const { topicId, entries, moves, isEphemeral = false } = batch;
    const reason = isEphemeral ? 'ephemeral' : 'age';
    const work = async (queries: Queries) => {
      if (!(await renewed(queries, hold))) return false;
      await deleteBatch(queries, batch);
      return true;
    };
    try {
      return await this.#unread.delete({ topicId, entries, moves, reason }, work);
    } catch (error) {
      if (error instanceof CountedOtherwise) return 'moved';
      throw error;
    }
  }

  purgeLag(): Promise<number | undefined> {
    return readPurgeLag(this.#database);
  }
}

async function writeSpans(queries: Queries, spans: readonly LeaptSpan[]): Promise<void> {
  await queries.execute('DELETE FROM leapt_span');
  if (spans.length === 0) return;
  await queries.query(
    `INSERT INTO leapt_span (leapt_from, leapt_to) VALUES ${placeholders(spans.length, '(?, ?)')}`,
    spans.flatMap(({ from, to }) => [from, to]),
  );
}

function placeOf(row: PlaceRow): TopicPlace {
  return {
    lookedTo: row.looked_to,
    goneEvents: row.gone_events,
    goneBytes: row.gone_bytes,
    goneAt: row.gone_at,
  };
}

function consumerBehind(row: BehindRow): ConsumerBehind {
  return {
    id: row.id,
    generation: row.generation,
    context: row.context.toString(),
    name: row.name.toString(),
    settings: decodeSettings(row.settings),
    offset: row.acked_to,
    acked: row.acked_above,
  };
}

/** The server's own topics are never deleted: whoever names none gets every topic that may be. */
function mayGet({ settings }: ConsumerBehind, topic: string): boolean {
  const { topics = [] } = settings.filter;
  return topics.length === 0 || topics.includes(topic);
}
