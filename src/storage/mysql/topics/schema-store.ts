// Reads of the versions of a topic's schema, for people and programs; groups write them under the head row (schema-rows.ts).

import type { SchemaStore, SchemaVersionsRead, StoredSchema } from '../../ports/schema-storage.js';
import type { Database } from '../sql/database.js';

const SELECT = `SELECT s.version, s.created_at, LENGTH(s.schema_text) AS bytes, h.catalog_version`;
const FROM = `FROM log_head h JOIN context c ON c.name = ? JOIN topic t FORCE INDEX (topic_name) ON t.context_id = c.id AND t.name = ?
  JOIN topic_schema s ON s.topic_id = t.id WHERE h.id = 1`;

interface SchemaRow {
  version: number;
  created_at: number;
  bytes: number;
  catalog_version: number;
  schema_text?: string;
}

export class MysqlSchemaStore implements SchemaStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See SchemaStore.find. */
  async find(context: string, topic: string, version: number): Promise<SchemaVersionsRead> {
    const names = [Buffer.from(context), Buffer.from(topic)];
    const chosen = version === 0 ? 'ORDER BY s.version DESC LIMIT 1' : 'AND s.version = ?';
    const values = version === 0 ? names : [...names, version];
    return read(await this.#database.execute<SchemaRow>(`${SELECT}, s.schema_text ${FROM} ${chosen}`, values));
  }

  /** See SchemaStore.list. */
  async list(
    context: string,
    topic: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<SchemaVersionsRead> {
    const sql = `${SELECT} ${FROM} AND s.version > ? ORDER BY s.version LIMIT ${Math.trunc(limit)}`;
    return read(await this.#database.query<SchemaRow>(sql, [Buffer.from(context), Buffer.from(topic), after]));
  }
}

function read(rows: readonly SchemaRow[]): SchemaVersionsRead {
  return {
    schemas: rows.map(
      ({ version, created_at: createdAt, bytes, schema_text: text = '' }): StoredSchema => ({
        version,
        createdAt,
        bytes,
        text,
      }),
    ),
    catalogVersion: rows.reduce((newest, row) => Math.max(newest, row.catalog_version), 0),
  };
}
