// The shapes that topics watch, and the index rows of what was stored before a shape was watched.

import { decodeShape } from '../../../domain/descriptions/shape.js';
import { ShapeCatalog } from '../../../domain/group/shape-catalog.js';
import type { Position } from '../../../units.js';
import type { IndexRow, ShapeStore } from '../../ports/wait-storage.js';
import type { Names, ScopedName } from '../names/name-cache.js';
import type { Database } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';
import { readSettings } from '../topics/topic-rows.js';

interface ShapeRow {
  id: number;
  context: Buffer;
  topic: Buffer;
  paths: Buffer;
  ready: number;
  watched_after: number;
  built_to: number;
}

export interface MysqlShapeStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlShapeStore implements ShapeStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlShapeStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See ShapeStore.load: the version is read first, so that it is never newer than what it stands for. */
  async load(): Promise<ShapeCatalog> {
    const [head] = await this.#database.execute<{ catalog_version: number }>(
      'SELECT catalog_version FROM log_head WHERE id = 1',
    );
    if (head === undefined) throw new Error('log_head has no row');
    const rows = await this.#database.execute<ShapeRow>(
      `SELECT s.id, c.name AS context, t.name AS topic, s.paths, s.ready, s.watched_after, s.built_to
       FROM shape s JOIN topic t ON t.id = s.topic_id JOIN context c ON c.id = t.context_id ORDER BY s.id`,
    );
    const shapes = rows.map((row) => ({
      context: row.context.toString(),
      topic: row.topic.toString(),
      shape: {
        ...decodeShape(row.paths),
        id: row.id,
        ready: row.ready === 1,
        watchedAfter: row.watched_after,
        builtTo: row.built_to,
      },
    }));
    return new ShapeCatalog(head.catalog_version, shapes, await readSettings(this.#database));
  }

  /** See ShapeStore.positionBefore; reads the index log_topic alone. */
  async positionBefore(topic: ScopedName, upTo: Position, maxEvents: number): Promise<Position> {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [topic.context] });
    await names.load(this.#database, { topics: [topic] });
    const topicId = names.topicId(topic.context, topic.name);
    if (topicId === undefined) return 0;
    const rows = await this.#database.execute<{ position: Position }>(
      `SELECT position FROM log WHERE topic_id = ? AND position <= ? ORDER BY position DESC LIMIT 1 OFFSET ${Math.trunc(maxEvents)}`,
      [topicId, upTo],
    );
    return rows[0]?.position ?? 0;
  }

  /** See ShapeStore.index. */
  async index(shapeId: number, rows: readonly IndexRow[], builtTo: Position): Promise<void> {
    await this.#database.transaction(async (queries) => {
      if (rows.length > 0) {
        const values = rows.flatMap(({ hash, position }) => [shapeId, Buffer.from(hash), position]);
        const sql = `INSERT IGNORE INTO shape_index (shape_id, value_hash, position) VALUES ${placeholders(rows.length, '(?, ?, ?)')}`;
        await queries.query(sql, values);
      }
      await queries.write('UPDATE shape SET built_to = ? WHERE id = ? AND built_to < ?', [builtTo, shapeId, builtTo]);
    });
  }
}
