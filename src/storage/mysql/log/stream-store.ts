// Reads of streams, for people and programs; groups read and write them under the head row (group-committer.ts).

import type { StreamState } from '../../../domain/events/stream.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { ListStreamsOptions, StreamStore } from '../../ports/log-storage.js';
import type { Database, SqlValue } from '../sql/database.js';
import { type StreamRow, streamFromRow } from './stream-rows.js';

const SELECT = `SELECT s.id, s.context_id, s.name, s.owner, s.epoch, s.last_sequence, s.first_position, s.last_position,
  s.first_event_at, s.last_event_at, c.name AS context FROM stream s JOIN context c ON c.id = s.context_id`;

export class MysqlStreamStore implements StreamStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See StreamStore.find. */
  async find(context: string, name: string): Promise<StreamState | undefined> {
    const rows = await this.#database.execute<StreamRow & { context: Buffer }>(
      `${SELECT} WHERE c.name = ? AND s.name = ?`,
      [Buffer.from(context), Buffer.from(name)],
    );
    return rows.map((row) => streamFromRow(row, row.context.toString()))[0];
  }

  /** See StreamStore.list. */
  async list({ context, owner, namePrefix, limit, after }: ListStreamsOptions): Promise<readonly StreamState[]> {
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    const add = (condition: string, ...bound: SqlValue[]) => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (context !== ALL_CONTEXTS) add('c.name = ?', Buffer.from(context));
    if (owner !== undefined && owner !== '') add('s.owner = ?', Buffer.from(owner));
    if (namePrefix !== undefined && namePrefix !== '') add('s.name LIKE ?', prefixPattern(namePrefix));
    if (after !== undefined) {
      const bytes = [Buffer.from(after.context), Buffer.from(after.context), Buffer.from(after.name)] as const;
      add('(c.name > ? OR (c.name = ? AND s.name > ?))', ...bytes);
    }
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const sql = `${SELECT} ${where} ORDER BY c.name, s.name LIMIT ${Math.trunc(limit)}`;
    const rows = await this.#database.query<StreamRow & { context: Buffer }>(sql, values);
    return rows.map((row) => streamFromRow(row, row.context.toString()));
  }
}

/** The LIKE pattern for names that begin with the text. */
export function prefixPattern(prefix: string): Buffer {
  return Buffer.from(`${prefix.replaceAll(/[\\%_]/g, '\\$&')}%`);
}
