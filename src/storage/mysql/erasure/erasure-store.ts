// Erasures as rows: what they cover at present, and how far they are.

import type { Erasure, ErasureTarget } from '../../../domain/erasure/erasure.js';
import { subjectKey } from '../../../domain/erasure/erasure.js';
import { streamUnknown } from '../../../domain/errors.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { EventId, Micros, Millis, Position } from '../../../units.js';
import type { CoveredCount, ErasurePart, ErasureStore, StoredErasure } from '../../ports/erasure-storage.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { HAS_CONTENT } from './erased-content.js';

/** Events of one part: their group holds up everybody's pushes for some milliseconds. */
const PART_EVENTS = 64;
const PART_BYTES = 2 * 1024 * 1024;
/** What is to be erased is counted up to here. */
const MAX_COUNTED = 100_000;
const STALLED = 10;

const COLUMNS = `e.position, e.context_id, e.subject_digest, e.stream_id, e.before_event_id, e.decided_at, e.done_to, e.events, e.finished_at,
  c.name AS context, s.name AS stream`;
const FROM = `FROM erasure e LEFT JOIN context c ON c.id = e.context_id LEFT JOIN stream s FORCE INDEX (PRIMARY) ON s.id = e.stream_id`;
/** Bytes of the payload of the row's entry. */
const SUBJECT_BYTES = `(SELECT l.payload_bytes FROM log l FORCE INDEX (PRIMARY) WHERE l.position = event_subject.position)`;

interface ErasureRow {
  readonly position: Position;
  readonly context_id: number;
  readonly subject_digest: Buffer | null;
  readonly stream_id: number | null;
  readonly before_event_id: EventId;
  readonly decided_at: Micros;
  readonly done_to: Position;
  readonly events: number;
  readonly finished_at: Micros | null;
  readonly context: Buffer | null;
  readonly stream: Buffer | null;
}

interface SubjectRow {
  readonly position: Position;
  readonly event_id: EventId;
}

interface SizedRow extends SubjectRow {
  /** Null: there is no entry. */
  readonly payload_bytes: number | null;
}

export interface MysqlErasureStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlErasureStore implements ErasureStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlErasureStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See ErasureStore.since. */
  since(position: Position): Promise<readonly StoredErasure[]> {
    const part = (condition: string) => `SELECT ${COLUMNS} ${FROM} WHERE ${condition}`;
    return this.#erasures(`${part('e.position > ?')} UNION ${part('e.finished_at IS NULL')} ORDER BY position`, [
      position,
    ]);
  }

  /** See ErasureStore.stalled. */
  stalled(withinMs: Millis): Promise<readonly StoredErasure[]> {
    const sql = `SELECT ${COLUMNS} ${FROM} WHERE e.finished_at IS NULL AND e.moved_at <= ${NOW_MICROS} - ? ORDER BY e.position LIMIT ${STALLED}`;
    return this.#erasures(sql, [withinMs * 1000]);
  }

  /** See ErasureStore.find. */
  async find(position: Position): Promise<StoredErasure | undefined> {
    return (await this.#erasures(`SELECT ${COLUMNS} ${FROM} WHERE e.position = ?`, [position]))[0];
  }

  /** See ErasureStore.newest. */
  async newest(target: ErasureTarget): Promise<StoredErasure | undefined> {
    const contextId = await this.#contextId(target.context);
    if (contextId === undefined) return undefined;
    const streamId = target.kind === 'stream' ? await this.#streamId(target) : undefined;
    const [column, value] =
      target.kind === 'stream' ? ['stream_id', streamId ?? 0] : ['subject_digest', Buffer.from(target.digest, 'hex')];
    const sql = `SELECT ${COLUMNS} ${FROM} WHERE e.${column} = ? AND e.context_id = ? ORDER BY e.position DESC LIMIT 1`;
    return (await this.#erasures(sql, [value, contextId]))[0];
  }

  /** See ErasureStore.count. */
  async count(target: ErasureTarget): Promise<CoveredCount> {
    const covered = target.kind === 'stream' ? await this.#ofStream(target) : await this.#ofSubject(target);
    if (covered === undefined) return { events: 0, isExact: true };
    const sql = `SELECT COUNT(DISTINCT w.event_id) AS events, COUNT(*) AS found FROM (SELECT event_id ${covered.sql} LIMIT ${MAX_COUNTED}) w`;
    const [row] = await this.#database.execute<{ events: number; found: number }>(sql, covered.values);
    return { events: row?.events ?? 0, isExact: (row?.found ?? 0) < MAX_COUNTED };
  }

  /** See ErasureStore.next. */
  next(erasure: StoredErasure): Promise<ErasurePart> {
    return erasure.target.kind === 'stream' ? this.#nextOfStream(erasure) : this.#nextOfSubject(erasure);
  }

  /** See ErasureStore.clearCopies. */
  async clearCopies({ eventIds, waitIds }: Pick<ErasurePart, 'eventIds' | 'waitIds'>): Promise<void> {
    const told = new Set([...eventIds, ...waitIds]);
    await inChunks(eventIds, async (ids) => {
      const marks = placeholders(ids.length);
      const entries = await this.#database.query<SubjectRow>(
        `SELECT position, event_id FROM log FORCE INDEX (log_event) WHERE event_id IN (${marks})`,
        ids,
      );
      await this.#clearFailures(entries.map(({ position }) => position));
      const ended = await this.#database.query<{ event_id: EventId }>(
        `SELECT event_id FROM wait FORCE INDEX (wait_entry) WHERE entry_event_id IN (${marks})`,
        ids,
      );
      for (const { event_id: id } of ended) told.add(id);
    });
    await inChunks([...told], (ids) => this.#clearAttempts(ids));
  }

  /** See ErasureStore.finish. */
  async finish(position: Position): Promise<void> {
    const sql = `UPDATE erasure SET finished_at = COALESCE(finished_at, ${NOW_MICROS}) WHERE position = ?`;
    await this.#database.write(sql, [position]);
  }

  /** See ErasureStore.acknowledge. */
  async acknowledge(instanceId: string, position: Position): Promise<void> {
    await this.#database.write('UPDATE instance SET erasures_seen = GREATEST(erasures_seen, ?) WHERE id = ?', [
      position,
      instanceId,
    ]);
  }

  /** See ErasureStore.behind. */
  async behind(position: Position, withinMs: Millis): Promise<number> {
    const [row] = await this.#database.execute<{ instances: number }>(
      'SELECT COUNT(*) AS instances FROM instance WHERE erasures_seen < ? AND seen_at >= SYSDATE(6) - INTERVAL ? MICROSECOND',
      [position, withinMs * 1000],
    );
    return row?.instances ?? 0;
  }

  /** What members have said of the events, by their entries. */
  async #clearFailures(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return;
    await this.#database.transaction((queries) =>
      queries.query(
        `UPDATE consumer_trouble FORCE INDEX (consumer_trouble_position) SET reason = '', code = ''
         WHERE position IN (${placeholders(positions.length)}) AND (reason <> '' OR code <> '')`,
        positions,
      ),
    );
  }

  /** What receivers have answered to callbacks on the events. */
  async #clearAttempts(eventIds: readonly EventId[]): Promise<void> {
    const cawins = await this.#database.query<{ id: number }>(
      `SELECT id FROM cawin FORCE INDEX (cawin_event) WHERE event_id IN (${placeholders(eventIds.length)})`,
      eventIds,
    );
    await inChunks(
      cawins.map(({ id }) => id),
      async (ids) => {
        const marks = placeholders(ids.length);
        await this.#database.transaction(async (queries) => {
          // What is being written down of a call is there by then; what comes later finds the event erased.
          await queries.query(
            `SELECT cawin_id FROM firing FORCE INDEX (PRIMARY) WHERE cawin_id IN (${marks}) ORDER BY cawin_id, kind FOR UPDATE`,
            ids,
          );
          await queries.query(
            `UPDATE attempt FORCE INDEX (PRIMARY) SET status = '', first_bytes = '', error = '' WHERE cawin_id IN (${marks})`,
            ids,
          );
        });
      },
    );
  }

  async #nextOfStream({ target, position, doneTo }: StoredErasure): Promise<ErasurePart> {
    const streamId = target.kind === 'stream' ? await this.#streamId(target) : undefined;
    const rows = await this.#database.execute<SizedRow>(
      `SELECT position, event_id, payload_bytes FROM log FORCE INDEX (log_stream)
       WHERE stream_id = ? AND position > ? AND position < ? ORDER BY position LIMIT ${PART_EVENTS}`,
      [streamId ?? 0, doneTo, position],
    );
    const taken = withinBytes(rows);
    const isLast = rows.length < PART_EVENTS && taken.length === rows.length;
    return {
      eventIds: [...new Set(taken.map(({ event_id: id }) => id))],
      waitIds: [],
      upTo: isLast ? position : (taken.at(-1)?.position ?? position),
      isLast,
    };
  }

  /** Its rows go with the events: what is left is what is to be done. */
  async #nextOfSubject({ target, position, beforeEventId }: StoredErasure): Promise<ErasurePart> {
    const covered = target.kind === 'subject' ? await this.#ofSubject(target) : undefined;
    const rows =
      covered === undefined
        ? []
        : await this.#database.execute<SizedRow>(
            `SELECT position, event_id, ${SUBJECT_BYTES} AS payload_bytes ${covered.sql} AND position < ? AND event_id < ?
             ORDER BY subject_key, context_id, position LIMIT ${PART_EVENTS}`,
            [...covered.values, position, beforeEventId],
          );
    const idsOf = (some: readonly SubjectRow[]) => [...new Set(some.map(({ event_id: id }) => id))];
    const taken = withinBytes(rows);
    const isLast = rows.length < PART_EVENTS && taken.length === rows.length;
    const [waits, entries] = [taken.filter((row) => row.position === 0), taken.filter((row) => row.position > 0)];
    return { eventIds: idsOf(entries), waitIds: idsOf(waits), upTo: 0, isLast };
  }

  async #ofSubject(target: ErasureTarget & { kind: 'subject' }): Promise<Covered | undefined> {
    const contextId = await this.#contextId(target.context);
    if (contextId === undefined) return undefined;
    const key = subjectKey(target.digest);
    const from = 'FROM event_subject FORCE INDEX (PRIMARY) WHERE subject_key = ?';
    return contextId === 0
      ? { sql: from, values: [key] }
      : { sql: `${from} AND context_id = ?`, values: [key, contextId] };
  }

  async #ofStream(target: ErasureTarget & { kind: 'stream' }): Promise<Covered> {
    const streamId = await this.#streamId(target);
    if (streamId === undefined) throw streamUnknown(target.context, target.stream);
    const [row] = await this.#database.execute<{ position: Position | null }>(
      'SELECT MAX(position) AS position FROM erasure WHERE stream_id = ? AND finished_at IS NOT NULL',
      [streamId],
    );
    const sql = `FROM log FORCE INDEX (log_stream) WHERE stream_id = ? AND position > ? AND ${HAS_CONTENT}`;
    return { sql, values: [streamId, row?.position ?? 0] };
  }

  /** 0: every context. */
  async #contextId(context: string): Promise<number | undefined> {
    if (context === ALL_CONTEXTS) return 0;
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    return names.contextId(context);
  }

  async #streamId({ context, stream }: ErasureTarget & { kind: 'stream' }): Promise<number | undefined> {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    await names.load(this.#database, { streams: [{ context, name: stream }] });
    return names.streamId(context, stream);
  }

  async #erasures(sql: string, values: readonly SqlValue[]): Promise<readonly StoredErasure[]> {
    return (await this.#database.execute<ErasureRow>(sql, values)).map(erasureFromRow);
  }
}

/** The rows that are covered, from their table on. */
interface Covered {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** The first rows that stay within the bytes of a part; at least one. */
function withinBytes(rows: readonly SizedRow[]): readonly SizedRow[] {
  let bytes = 0;
  const end = rows.findIndex(({ payload_bytes }, index) => {
    bytes += payload_bytes ?? 0;
    return index > 0 && bytes > PART_BYTES;
  });
  return end === -1 ? rows : rows.slice(0, end);
}

function erasureFromRow(row: ErasureRow): StoredErasure {
  const { position, decided_at: decidedAt, before_event_id: beforeEventId, done_to: doneTo, events } = row;
  const target = targetOf(row);
  return { target, position, decidedAt, beforeEventId, doneTo, events, finishedAt: row.finished_at ?? undefined };
}

function targetOf({ context_id, context, subject_digest, stream }: ErasureRow): Erasure['target'] {
  const name = context_id === 0 ? ALL_CONTEXTS : (context?.toString() ?? '');
  if (subject_digest !== null) return { kind: 'subject', context: name, digest: subject_digest.toString('hex') };
  return { kind: 'stream', context: name, stream: stream?.toString() ?? '' };
}
