// Reads of topics, for people and programs; groups write them under the head row (topic-rows.ts).

import type { StoredTopic } from '../../../domain/topics/stored-topic.js';
import type { Position } from '../../../units.js';
import type { ListTopicsOptions, TopicName, TopicStore, TopicsRead } from '../../ports/topic-storage.js';
import { prefixPattern } from '../log/stream-store.js';
import { type ListPart, listByName } from '../names/list-by-name.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { readStored } from './stored-topics.js';
import { JOIN_BUILD, REGISTRATION_COLUMNS, type TopicRow, topicFromRow } from './topic-rows.js';

const SELECT = `SELECT c.name AS context, t.name, ${REGISTRATION_COLUMNS}, h.position, h.catalog_version
  FROM log_head h JOIN context c JOIN topic t FORCE INDEX (topic_name) ON t.context_id = c.id
  LEFT JOIN registered_topic r ON r.topic_id = t.id ${JOIN_BUILD} WHERE h.id = 1`;

interface ReadRow extends TopicRow {
  position: Position;
  catalog_version: number;
}

export interface MysqlTopicStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlTopicStore implements TopicStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlTopicStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See TopicStore.find. */
  async find(context: string, name: string): Promise<TopicsRead> {
    const values = [Buffer.from(context), Buffer.from(name)];
    return read(await this.#database.execute<ReadRow>(`${SELECT} AND c.name = ? AND t.name = ?`, values));
  }

  /** See TopicStore.list. */
  async list(options: ListTopicsOptions): Promise<TopicsRead> {
    return read(await listByName(this.#database, options, (part) => this.#listIn(part, options)));
  }

  /** See TopicStore.stored. */
  stored(topics: readonly TopicName[], upTo: Position): Promise<readonly StoredTopic[]> {
    return readStored({ queries: this.#database, names: this.#names.current }, topics, upTo);
  }

  #listIn({ contextId, after, limit }: ListPart, { namePrefix }: ListTopicsOptions): Promise<ReadRow[]> {
    const conditions = ['t.context_id = ?', 't.name > ?'];
    const values: SqlValue[] = [contextId, after];
    if (namePrefix !== '') {
      conditions.push('t.name LIKE ?');
      values.push(prefixPattern(namePrefix));
    }
    const sql = `${SELECT} AND ${conditions.join(' AND ')} ORDER BY t.name LIMIT ${Math.trunc(limit)}`;
    return this.#database.query(sql, values);
  }
}

/** What was read is as new as the newest of its rows. */
function read(rows: readonly ReadRow[]): TopicsRead {
  return {
    topics: rows.map(topicFromRow),
    position: rows.reduce((newest, row) => Math.max(newest, row.position), 0),
    catalogVersion: rows.reduce((newest, row) => Math.max(newest, row.catalog_version), 0),
  };
}
