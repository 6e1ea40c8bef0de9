// The shapes that topics watch, and the index rows of what was stored before a shape was watched.

import { decodeShape, isHashedAsNow } from '../../../domain/descriptions/shape.js';
import { EntryKind } from '../../../domain/events/event.js';
import { ShapeCatalog, type StoredShape } from '../../../domain/group/shape-catalog.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Micros, Position } from '../../../units.js';
import type { IndexPage, ListShapesOptions, ShapeStore } from '../../ports/wait-storage.js';
import type { Names, ScopedName } from '../names/name-cache.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { uncovered } from '../sql/dialect.js';
import { placeholders } from '../sql/placeholders.js';
import { readContexts } from '../topics/context-rows.js';
import { readSchemas } from '../topics/schema-rows.js';
import { readRegistered } from '../topics/topic-rows.js';
import { LIFE_COLUMNS, lifeFromRow, NEEDED_AT, type ShapeLifeRow } from './shape-rows.js';

interface ShapeRow {
  id: number;
  context: Buffer;
  topic: Buffer;
  digest: Buffer;
  paths: Buffer;
  ready: number;
  watched_after: number;
  built_to: number;
  needed_at: Micros;
}

type ListedRow = Pick<ShapeRow, 'context' | 'topic' | 'digest' | 'paths' | 'ready'> &
  ShapeLifeRow & { indexed_from: Position | null };

const FROM = 'FROM shape s JOIN topic t ON t.id = s.topic_id JOIN context c ON c.id = t.context_id';
const LIST = `SELECT ${LIFE_COLUMNS}, c.name AS context, t.name AS topic, s.digest, s.paths, s.ready, s.indexed_from ${FROM}`;
/** Shapes are few: along the primary key, with a look into the index wait_shape for each that is old enough. */
const IDLE = `SELECT s.id FROM shape s WHERE s.id > ? AND s.needed_at BETWEEN 1 AND ? AND NOT EXISTS
  (SELECT 1 FROM wait w FORCE INDEX (wait_shape) WHERE w.shape_id = s.id AND w.state = ${EntryKind.AWAITED} AND w.expires_at > ${NOW_MICROS}) ORDER BY s.id`;
/** Along the primary key, in its order. */
const CLEAR = 'DELETE FROM shape_index WHERE shape_id = ? ORDER BY shape_id, value_hash, position';

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
  async load(known?: ShapeCatalog): Promise<ShapeCatalog> {
    const [head] = await this.#database.execute<{ catalog_version: number }>(
      'SELECT catalog_version FROM log_head WHERE id = 1',
    );
    if (head === undefined) throw new Error('log_head has no row');
    const rows = await this.#database.execute<ShapeRow>(
      `SELECT s.id, c.name AS context, t.name AS topic, s.digest, s.paths, s.ready, s.watched_after, s.built_to, ${NEEDED_AT}
       ${FROM} ORDER BY s.id`,
    );
    const freed = await this.#database.execute<{ id: number }>('SELECT id FROM freed_shape ORDER BY id');
    const shapes = rows.map((row) => ({
      context: row.context.toString(),
      topic: row.topic.toString(),
      shape: {
        ...decodeShape(row.paths),
        id: row.id,
        ready: isReady(row),
        watchedAfter: row.watched_after,
        builtTo: row.built_to,
        neededAt: row.needed_at,
      },
    }));
    const freedIds = freed.map(({ id }) => id);
    const registered = await readRegistered(this.#database);
    const contexts = await readContexts(this.#database);
    const schemas = await readSchemas(this.#database, (context, topic) => known?.schemasOf(context, topic));
    return ShapeCatalog.of(head.catalog_version, shapes, registered, freedIds, contexts, schemas);
  }

  /** See ShapeStore.positionBefore; reads the index log_topic alone on MariaDB. */
  async positionBefore(topic: ScopedName, upTo: Position, maxEvents: number): Promise<Position> {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [topic.context] });
    await names.load(this.#database, { topics: [topic] });
    const topicId = names.topicId(topic.context, topic.name);
    if (topicId === undefined) return 0;
    const rows = await this.#database.execute<{ position: Position }>(
      `SELECT position ${uncovered('payload_bytes')} FROM log FORCE INDEX (log_topic) WHERE topic_id = ? AND position <= ?
       ORDER BY position DESC LIMIT 1 OFFSET ${Math.trunc(maxEvents)}`,
      [topicId, upTo],
    );
    return rows[0]?.position ?? 0;
  }

  /** See ShapeStore.index: the row of the shape is locked first, so that none is indexed that was given back. */
  async index(shapeId: number, { after, upTo, rows }: IndexPage): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const [shape] = await queries.execute<{ built_to: Position; indexed_from: Position | null }>(
        'SELECT built_to, indexed_from FROM shape WHERE id = ? FOR UPDATE',
        [shapeId],
      );
      if (shape === undefined) return false;
      const indexed = await withContent(queries, rows);
      if (indexed.length > 0) {
        const values = indexed.flatMap(({ hash, position }) => [shapeId, Buffer.from(hash), position]);
        const sql = `INSERT IGNORE INTO shape_index (shape_id, value_hash, position) VALUES ${placeholders(indexed.length, '(?, ?, ?)')}`;
        await queries.query(sql, values);
      }
      const builtTo = Math.max(shape.built_to, upTo);
      // A page that begins beyond what was done before leaves a hole: the index then begins with it.
      const indexedFrom = after > shape.built_to ? after : (shape.indexed_from ?? after);
      await queries.write('UPDATE shape SET built_to = ?, indexed_from = ? WHERE id = ?', [
        builtTo,
        indexedFrom,
        shapeId,
      ]);
      return true;
    });
  }

  /** See ShapeStore.list. */
  async list({ context, topic, after, limit }: ListShapesOptions): Promise<readonly StoredShape[]> {
    const conditions = ['s.id > ?'];
    const values: SqlValue[] = [after];
    if (context !== ALL_CONTEXTS) {
      conditions.push('c.name = ?');
      values.push(Buffer.from(context));
    }
    if (topic !== '') {
      conditions.push('t.name = ?');
      values.push(Buffer.from(topic));
    }
    const sql = `${LIST} WHERE ${conditions.join(' AND ')} ORDER BY s.id LIMIT ${Math.trunc(limit)}`;
    return (await this.#database.query<ListedRow>(sql, values)).map(storedShape);
  }

  /** See ShapeStore.idle. */
  async idle(since: Micros, after: number, limit: number): Promise<readonly number[]> {
    const rows = await this.#database.execute<{ id: number }>(`${IDLE} LIMIT ${Math.trunc(limit)}`, [after, since]);
    return rows.map(({ id }) => id);
  }

  /** See ShapeStore.touch. */
  async touch(shapeId: number, neededAt: Micros): Promise<void> {
    const sql = 'UPDATE shape SET needed_at = ? WHERE id = ? AND needed_at < ?';
    await this.#database.write(sql, [neededAt, shapeId, neededAt]);
  }

  /** See ShapeStore.clear. Nobody adds rows any more: groups and builds look whether there is such a shape. */
  async clear(freedId: number, limit: number): Promise<boolean> {
    const { affectedRows } = await this.#database.write(`${CLEAR} LIMIT ${Math.trunc(limit)}`, [freedId]);
    if (affectedRows === limit) return false;
    await this.#database.write('DELETE FROM freed_shape WHERE id = ?', [freedId]);
    return true;
  }
}

/** The rows whose events have content: what was read before it was erased is found by nothing. They keep it until the transaction ends. */
async function withContent(queries: Queries, rows: IndexPage['rows']): Promise<IndexPage['rows']> {
  if (rows.length === 0) return rows;
  const sql = `SELECT position FROM log FORCE INDEX (PRIMARY) WHERE position IN (${placeholders(rows.length)})
    AND payload IS NOT NULL LOCK IN SHARE MODE`;
  const positions = rows.map(({ position }) => position);
  const found = new Set((await queries.query<{ position: Position }>(sql, positions)).map(({ position }) => position));
  return rows.filter(({ position }) => found.has(position));
}

/** A shape whose values were hashed in another way finds nothing. */
function isReady({ ready, digest }: Pick<ShapeRow, 'ready' | 'digest'>): boolean {
  return ready === 1 && isHashedAsNow(digest);
}

function storedShape(row: ListedRow): StoredShape {
  return {
    ...lifeFromRow(row),
    id: row.id,
    context: row.context.toString(),
    topic: row.topic.toString(),
    shape: decodeShape(row.paths),
    ready: isReady(row),
    indexedFrom: row.indexed_from ?? undefined,
  };
}
