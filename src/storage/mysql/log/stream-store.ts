// Reads of streams, for people and programs; groups read and write them under the head row (group-committer.ts).

import type { StreamState } from '../../../domain/events/stream.js';
import type { ListStreamsOptions, StreamStore } from '../../ports/log-storage.js';
import { usedNames } from '../names/ids-of.js';
import { type ListPart, listByName } from '../names/list-by-name.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { storedUpTo } from './stream-ends.js';
import { STREAM_COLUMNS, type StreamRow, streamFromRow } from './stream-rows.js';

const COLUMNS = STREAM_COLUMNS.join(', ');
const FIND = `SELECT ${COLUMNS.replace(/\w+/g, 's.$&')}, c.name AS context FROM stream s JOIN context c ON c.id = s.context_id
  WHERE c.name = ? AND s.name = ?`;

export interface MysqlStreamStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlStreamStore implements StreamStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlStreamStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See StreamStore.find. */
  async find(context: string, name: string): Promise<StreamState | undefined> {
    const values = [Buffer.from(context), Buffer.from(name)];
    const rows = await this.#database.execute<StreamRow & { context: Buffer }>(FIND, values);
    return rows.map((row) => streamFromRow(row, row.context.toString()))[0];
  }

  /** See StreamStore.pushedTo. */
  pushedTo(context: string, names: readonly string[]): Promise<ReadonlySet<string>> {
    return usedNames(this.#database, this.#names.current, { table: 'stream', context, wanted: names });
  }

  /** See StreamStore.storedUpTo. */
  async storedUpTo(context: string, name: string, sequence: number) {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context], streams: [{ context, name }] });
    const streamId = names.streamId(context, name);
    return streamId === undefined ? undefined : storedUpTo(this.#database, streamId, sequence);
  }

  /** See StreamStore.list. */
  list(options: ListStreamsOptions): Promise<readonly StreamState[]> {
    return listByName(this.#database, options, (part) => this.#listIn(part, options));
  }

  async #listIn(
    { context, contextId, after, limit }: ListPart,
    { owner = '', namePrefix = '' }: ListStreamsOptions,
  ): Promise<readonly StreamState[]> {
    const conditions = ['context_id = ?', 'name > ?'];
    const values: SqlValue[] = [contextId, after];
    const add = (condition: string, value: SqlValue) => {
      conditions.push(condition);
      values.push(value);
    };
    if (owner !== '') add('owner = ?', Buffer.from(owner));
    if (namePrefix !== '') add('name LIKE ?', prefixPattern(namePrefix));
    const sql = `SELECT ${COLUMNS} FROM stream FORCE INDEX (stream_name) WHERE ${conditions.join(' AND ')}
      ORDER BY name LIMIT ${Math.trunc(limit)}`;
    const rows = await this.#database.query<StreamRow>(sql, values);
    return rows.map((row) => streamFromRow(row, context));
  }
}

/** The LIKE pattern for names that begin with the text. */
export function prefixPattern(prefix: string): Buffer {
  return Buffer.from(`${prefix.replaceAll(/[\\%_]/g, '\\$&')}%`);
}
