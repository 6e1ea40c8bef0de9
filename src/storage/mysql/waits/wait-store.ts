// Reads of waits, and the ledger of pushes that left no entry.

import { EntryKind } from '../../../domain/events/event.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Wait } from '../../../domain/waits/wait.js';
import type { EventId, Micros, Millis } from '../../../units.js';
import type { ListWaitsOptions, WaitStore } from '../../ports/wait-storage.js';
import { uuidToBytes } from '../log/entry-rows.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { type WaitRow, waitsFromRows } from './wait-rows.js';
import { WAIT_COLUMNS } from './wait-searches.js';

/** Reads one row of the index wait_due. */
const NEXT_DEADLINE = `
  SELECT CAST(expires_at AS SIGNED) - CAST(${NOW_MICROS} AS SIGNED) AS due_in FROM wait
  WHERE state = ${EntryKind.AWAITED} ORDER BY expires_at LIMIT 1`;
/** Reads the index wait_due in its order. */
const DUE = `
  SELECT event_id, LENGTH(description) + COALESCE(LENGTH(envelope), 0) AS bytes FROM wait
  WHERE state = ${EntryKind.AWAITED} AND expires_at <= ${NOW_MICROS} ORDER BY expires_at`;
/** Deletes along the index push_ledger_age. */
const FORGET = `DELETE FROM push_ledger WHERE created_at < ${NOW_MICROS} - ? ORDER BY created_at`;

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
    const conditions = [`w.state = ${EntryKind.AWAITED}`];
    const values: SqlValue[] = [];
    if (context !== ALL_CONTEXTS) {
      conditions.push('c.name = ?');
      values.push(Buffer.from(context));
    }
    if (topics.length > 0) {
      conditions.push(`t.name IN (${placeholders(topics.length)})`);
      values.push(...topics.map((topic) => Buffer.from(topic)));
    }
    if (after !== undefined) {
      conditions.push(newestFirst ? 'w.event_id < ?' : 'w.event_id > ?');
      values.push(after);
    }
    const columns = WAIT_COLUMNS.replace(/\w+/g, 'w.$&');
    const sql = `SELECT ${columns} FROM wait w JOIN topic t ON t.id = w.topic_id JOIN context c ON c.id = t.context_id
      WHERE ${conditions.join(' AND ')} ORDER BY w.event_id ${newestFirst ? 'DESC' : 'ASC'} LIMIT ${Math.trunc(limit)}`;
    const rows = await this.#database.query<WaitRow>(sql, values);
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
    return rows[0]?.event_id;
  }

  /** See WaitStore.forgetPushes. */
  async forgetPushes(ageMicros: Micros, limit: number): Promise<number> {
    return (await this.#database.write(`${FORGET} LIMIT ${Math.trunc(limit)}`, [ageMicros])).affectedRows;
  }

  async #waits(sql: string, values: readonly SqlValue[]): Promise<Wait[]> {
    return waitsFromRows(this.#database, this.#names.current, await this.#database.execute<WaitRow>(sql, values));
  }
}
