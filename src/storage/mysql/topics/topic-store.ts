// Reads of topics, for people and programs; groups write them under the head row (topic-rows.ts).

import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Position } from '../../../units.js';
import type { ListTopicsOptions, TopicStore, TopicsRead } from '../../ports/topic-storage.js';
import { prefixPattern } from '../log/stream-store.js';
import type { Database, SqlValue } from '../sql/database.js';
import { type TopicRow, topicFromRow } from './topic-rows.js';

const SELECT = `SELECT c.name AS context, t.name, r.registered_at, r.description_paths, h.position, h.catalog_version
  FROM topic t JOIN context c ON c.id = t.context_id LEFT JOIN registered_topic r ON r.topic_id = t.id
  JOIN log_head h ON h.id = 1`;

interface ReadRow extends TopicRow {
  position: Position;
  catalog_version: number;
}

export class MysqlTopicStore implements TopicStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See TopicStore.find. */
  async find(context: string, name: string): Promise<TopicsRead> {
    const values = [Buffer.from(context), Buffer.from(name)];
    return read(await this.#database.execute<ReadRow>(`${SELECT} WHERE c.name = ? AND t.name = ?`, values));
  }

  /** See TopicStore.list. */
  async list({ context, namePrefix, limit, after }: ListTopicsOptions): Promise<TopicsRead> {
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    const add = (condition: string, ...bound: SqlValue[]) => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (context !== ALL_CONTEXTS) add('c.name = ?', Buffer.from(context));
    if (namePrefix !== '') add('t.name LIKE ?', prefixPattern(namePrefix));
    if (after !== undefined) {
      const bytes = [Buffer.from(after.context), Buffer.from(after.context), Buffer.from(after.name)] as const;
      add('(c.name > ? OR (c.name = ? AND t.name > ?))', ...bytes);
    }
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const sql = `${SELECT} ${where} ORDER BY c.name, t.name LIMIT ${Math.trunc(limit)}`;
    return read(await this.#database.query<ReadRow>(sql, values));
  }
}

function read(rows: readonly ReadRow[]): TopicsRead {
  const { position = 0, catalog_version: catalogVersion = 0 } = rows[0] ?? {};
  return { topics: rows.map(topicFromRow), position, catalogVersion };
}
