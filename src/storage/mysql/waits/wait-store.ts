// Reads of waits, and the ledger of pushes that left no entry.

import { EntryKind } from '../../../domain/events/event.js';
import { DISCARDED_ID } from '../../../domain/group/group-plan-types.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Wait } from '../../../domain/waits/wait.js';
import type { EventId, Micros, Millis } from '../../../units.js';
import type { ListWaitsOptions, WaitStore } from '../../ports/wait-storage.js';
import { uuidToBytes } from '../log/entry-rows.js';
import { idsOf } from '../names/ids-of.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { uncovered } from '../sql/dialect.js';
import { type WaitRow, waitsFromRows } from './wait-rows.js';
import { WAIT_COLUMNS } from './wait-searches.js';

/** Reads one row of the index wait_due. */
const NEXT_DEADLINE = `
  SELECT CAST(expires_at AS SIGNED) - CAST(${NOW_MICROS} AS SIGNED) AS due_in FROM wait FORCE INDEX (wait_due)
  WHERE state = ${EntryKind.AWAITED} ORDER BY expires_at LIMIT 1`;
/** Reads the index wait_due in its order. */
const DUE = `
  SELECT event_id, LENGTH(description) + COALESCE(LENGTH(envelope), 0) AS bytes FROM wait FORCE INDEX (wait_due)
  WHERE state = ${EntryKind.AWAITED} AND expires_at <= ${NOW_MICROS} ORDER BY expires_at`;
/** Deletes along the index push_ledger_age. */
const FORGET = `DELETE FROM push_ledger WHERE created_at < ${NOW_MICROS} - ? ORDER BY created_at`;

/** A range of an index of waits whose rows come in the order of event ids. */
interface WaitRange {
  readonly index: 'wait_open' | 'wait_topic';
  readonly conditions: readonly string[];
  readonly values: readonly SqlValue[];
}

export interface MysqlWaitStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlWaitStore implements WaitStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlWaitStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See WaitStore.find. */
  async find(eventId: EventId): Promise<Wait | undefined> {
    const sql = `SELECT ${WAIT_COLUMNS} FROM wait WHERE event_id = ?`;
    return (await this.#waits(sql, [eventId]))[0];
  }

  /** See WaitStore.list. */
  async list({ context, topics, after, newestFirst, limit }: ListWaitsOptions): Promise<readonly Wait[]> {
    const ranges = await this.#ranges(context, topics);
    if (ranges.length === 0) return [];
    const order = `ORDER BY event_id ${newestFirst ? 'DESC' : 'ASC'}`;
    const page = `${order} LIMIT ${Math.trunc(limit)}`;
    const beyond = `state = ${EntryKind.AWAITED} AND event_id ${newestFirst ? '<' : '>'} ?`;
    const parts = ranges.map(({ index, conditions }) => {
      return `(SELECT event_id ${uncovered('version')} FROM wait FORCE INDEX (${index}) WHERE ${[...conditions, beyond].join(' AND ')} ${page})`;
    });
    const ids = parts.length === 1 ? parts[0] : `${parts.join(' UNION ALL ')} ${page}`;
    const start = after ?? (newestFirst ? Number.MAX_SAFE_INTEGER : 0);
    const values = ranges.flatMap((range) => [...range.values, start]);
    const rows = await this.#database.query<WaitRow>(
      `SELECT STRAIGHT_JOIN ${WAIT_COLUMNS.replace(/\w+/g, 'w.$&')}
       FROM (${ids}) page JOIN wait w FORCE INDEX (PRIMARY) ON w.event_id = page.event_id ${order.replace('event_id', 'w.$&')}`,
      values,
    );
    return waitsFromRows(this.#database, this.#names.current, rows);
  }

  /** See WaitStore.due. */
  async due(limit: number, maxBytes: number): Promise<{ eventIds: EventId[]; nextMs: Millis | undefined }> {
    const [next] = await this.#database.execute<{ due_in: number }>(NEXT_DEADLINE);
    if (next === undefined || next.due_in > 0) return { eventIds: [], nextMs: next && next.due_in / 1000 };
    const rows = await this.#database.execute<{ event_id: EventId; bytes: number }>(
      `${DUE} LIMIT ${Math.trunc(limit)}`,
    );
    let bytes = 0;
    const fitting = rows.filter((row, index) => {
      bytes += row.bytes;
      return index === 0 || bytes <= maxBytes;
    });
    return { eventIds: fitting.map(({ event_id: id }) => id), nextMs: undefined };
  }

  /** See WaitStore.findPushed. */
  async findPushed(context: string, messageId: string): Promise<number | undefined> {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    const contextId = names.contextId(context);
    if (contextId === undefined) return undefined;
    const sql = 'SELECT event_id FROM push_ledger WHERE context_id = ? AND message_id = ?';
    const rows = await this.#database.execute<{ event_id: EventId }>(sql, [contextId, uuidToBytes(messageId)]);
    const eventId = rows[0]?.event_id;
    return eventId === DISCARDED_ID ? undefined : eventId;
  }

  /** See WaitStore.forgetPushes. */
  async forgetPushes(ageMicros: Micros, limit: number): Promise<number> {
    return (await this.#database.write(`${FORGET} LIMIT ${Math.trunc(limit)}`, [ageMicros])).affectedRows;
  }

  /** The ranges of indexes that have what is AWAITED in these topics; none where a name was never used. */
  async #ranges(context: string, topics: readonly string[]): Promise<readonly WaitRange[]> {
    const names = this.#names.current;
    if (topics.length > 0) {
      const ids = await idsOf(this.#database, names, { table: 'topic', context, wanted: topics });
      return ids.map((id) => ({ index: 'wait_topic', conditions: ['topic_id = ?'], values: [id] }));
    }
    if (context === ALL_CONTEXTS) return [{ index: 'wait_open', conditions: [], values: [] }];
    await names.load(this.#database, { contexts: [context] });
    const id = names.contextId(context);
    return id === undefined ? [] : [{ index: 'wait_open', conditions: ['context_id = ?'], values: [id] }];
  }

  async #waits(sql: string, values: readonly SqlValue[]): Promise<Wait[]> {
    return waitsFromRows(this.#database, this.#names.current, await this.#database.execute<WaitRow>(sql, values));
  }
}
