// Archives as rows: what is in them, whom that is about, and whose deletion waits for them. See ArchiveStore for what each method promises.

import type { ArchiveContent } from '../../../domain/archive/manifest.js';
import { type ErasureTarget, subjectKey } from '../../../domain/erasure/erasure.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Micros, Position } from '../../../units.js';
import type {
  ArchivedTopic,
  ArchivedTopics,
  ArchiveHold,
  ArchiveStore,
  HoldingArchives,
  ListArchivesOptions,
  StoredArchive,
} from '../../ports/archive-storage.js';
import type { EndedRuns } from '../../ports/log-storage.js';
import { HAS_CONTENT } from '../erasure/erased-content.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { ARCHIVE_COLUMNS, type ArchiveRow, archiveFromRow, WITH_NAMES } from './archive-rows.js';

const BEGIN = `
  INSERT INTO archive (topic_id, name, instance, opened_at, first_position, last_position, entries, payload_bytes, first_at, last_at,
    file_bytes) VALUES (?, ?, ?, ${NOW_MICROS}, 0, 0, 0, 0, 0, 0, 0)`;
const SEALED = 'UPDATE archive SET sealed_at = ?, sha256 = ?, digest = ? WHERE id = ? AND sealed_at IS NULL';
const FORGET = 'DELETE FROM archive WHERE id = ? AND file_bytes = 0';
const UNSEALED = 'SELECT id FROM archive WHERE sealed_at IS NULL AND instance >= ? AND instance < ? ORDER BY id';
/** Waits for the transaction of a deletion, whose client may be gone. */
const LOCK = 'SELECT id FROM archive WHERE id = ? FOR UPDATE';
const FIND = `SELECT ${ARCHIVE_COLUMNS} FROM archive a FORCE INDEX (PRIMARY) ${WITH_NAMES} WHERE a.id = ?`;
const OF_ALL = `SELECT ${ARCHIVE_COLUMNS} FROM archive a FORCE INDEX (PRIMARY) ${WITH_NAMES} WHERE a.id > ?`;
const OF_TOPIC = `
  SELECT ${ARCHIVE_COLUMNS} FROM archive a FORCE INDEX (archive_topic) ${WITH_NAMES}
  WHERE a.id > ? AND a.topic_id = (SELECT t.id FROM context c JOIN topic t FORCE INDEX (topic_name) ON t.context_id = c.id
    WHERE c.name = ? AND t.name = ?)`;
const STREAMS = `
  INSERT IGNORE INTO archive_stream (stream_id, archive_id)
  SELECT DISTINCT stream_id, ? FROM log FORCE INDEX (PRIMARY) WHERE stream_id IS NOT NULL AND ${HAS_CONTENT} AND position IN`;
const SUBJECTS = `
  INSERT IGNORE INTO archive_subject (subject_key, context_id, archive_id)
  SELECT DISTINCT s.subject_key, s.context_id, ? FROM log l FORCE INDEX (PRIMARY)
  JOIN event_subject s FORCE INDEX (event_subject_event) ON s.event_id = l.event_id WHERE l.position IN`;
const HOLD = `
  INSERT INTO archive_hold (topic_id, held_since, problem, instance) VALUES (?, ${NOW_MICROS}, ?, ?)
  ON DUPLICATE KEY UPDATE problem = VALUES(problem), instance = VALUES(instance)`;

interface HoldRow {
  readonly topic_id: number;
  readonly held_since: Micros;
  readonly problem: Buffer;
  readonly instance: Buffer;
}

export interface MysqlArchiveStoreOptions {
  readonly database: Database;
  readonly names: Names;
  readonly topics: ArchivedTopics;
}

export class MysqlArchiveStore implements ArchiveStore {
  readonly #database: Database;
  readonly #names: Names;
  readonly #topics: ArchivedTopics;

  constructor({ database, names, topics }: MysqlArchiveStoreOptions) {
    this.#database = database;
    this.#names = names;
    this.#topics = topics;
  }

  topic(topicId: number): Promise<ArchivedTopic | undefined> {
    return this.#topics.archived(topicId);
  }

  /** See ArchiveStore.begin: names are unique, so that its row is found by it. */
  async begin(archive: {
    readonly name: string;
    readonly topicId: number;
    readonly instance: string;
  }): Promise<number> {
    const name = Buffer.from(archive.name);
    await this.#database.write(BEGIN, [archive.topicId, name, Buffer.from(archive.instance)]);
    const [row] = await this.#database.execute<{ id: number }>('SELECT id FROM archive WHERE name = ?', [name]);
    if (row === undefined) throw new Error('invariant broken: an archive that was begun is not stored');
    return row.id;
  }

  /** See ArchiveStore.prepare. */
  async prepare(archiveId: number, positions: readonly Position[]): Promise<void> {
    await inChunks(positions, async (chunk) => {
      const values = [archiveId, ...chunk];
      await this.#database.write(`${STREAMS} (${placeholders(chunk.length)})`, values);
      await this.#database.write(`${SUBJECTS} (${placeholders(chunk.length)})`, values);
    });
  }

  async sealed(archiveId: number, content: Pick<ArchiveContent, 'sha256' | 'digest'>, at: Micros): Promise<void> {
    const hash = (hex: string) => Buffer.from(hex, 'hex');
    await this.#database.write(SEALED, [at, hash(content.sha256), hash(content.digest), archiveId]);
  }

  async forget(archiveId: number): Promise<void> {
    await this.#database.write(FORGET, [archiveId]);
  }

  /** See ArchiveStore.find. */
  async find(archiveId: number): Promise<StoredArchive | undefined> {
    const [row] = await this.#database.transaction(async (queries) => {
      await queries.execute(LOCK, [archiveId]);
      return queries.execute<ArchiveRow>(FIND, [archiveId]);
    });
    return row && archiveFromRow(row);
  }

  async unsealed({ first, before }: EndedRuns): Promise<readonly number[]> {
    const rows = await this.#database.execute<{ id: number }>(UNSEALED, [Buffer.from(first), Buffer.from(before)]);
    return rows.map(({ id }) => id);
  }

  /** See ArchiveStore.list: along the primary key, or, of one topic, the index archive_topic. */
  async list({ context, topic, after, limit }: ListArchivesOptions): Promise<readonly StoredArchive[]> {
    const [ofContext, ofTopic] = [context !== ALL_CONTEXTS, topic !== ''];
    const names = [...(ofContext ? [Buffer.from(context)] : []), ...(ofTopic ? [Buffer.from(topic)] : [])];
    const others = `${OF_ALL}${ofContext ? ' AND c.name = ?' : ''}${ofTopic ? ' AND t.name = ?' : ''}`;
    const sql = `${ofContext && ofTopic ? OF_TOPIC : others} AND a.file_bytes > 0 ORDER BY a.id LIMIT ${Math.trunc(limit)}`;
    return (await this.#database.query<ArchiveRow>(sql, [after, ...names])).map(archiveFromRow);
  }

  /** See ArchiveStore.holding. */
  async holding(target: ErasureTarget, limit: number): Promise<HoldingArchives> {
    const held = target.kind === 'stream' ? await this.#ofStream(target) : await this.#ofSubject(target);
    if (held === undefined) return { names: [], count: 0 };
    const { sql, values } = held;
    const rows = await this.#database.execute<{ name: Buffer }>(
      `SELECT a.name ${sql} ORDER BY a.id LIMIT ${Math.trunc(limit)}`,
      values,
    );
    const [total] = await this.#database.execute<{ archives: number }>(`SELECT COUNT(*) AS archives ${sql}`, values);
    return { names: rows.map(({ name }) => name.toString()), count: total?.archives ?? 0 };
  }

  async setHold(topicId: number, hold: Pick<ArchiveHold, 'problem' | 'instance'> | undefined): Promise<void> {
    if (hold === undefined) await this.#database.write('DELETE FROM archive_hold WHERE topic_id = ?', [topicId]);
    else await this.#database.write(HOLD, [topicId, Buffer.from(hold.problem), Buffer.from(hold.instance)]);
  }

  async holds(): Promise<ReadonlyMap<number, ArchiveHold>> {
    const rows = await this.#database.execute<HoldRow>(
      'SELECT topic_id, held_since, problem, instance FROM archive_hold',
    );
    return new Map(
      rows.map(({ topic_id: topicId, held_since: since, problem, instance }) => {
        return [topicId, { since, problem: problem.toString(), instance: instance.toString() }];
      }),
    );
  }

  /** A topic lies in one context, and so does an archive: nobody has two rows of one. */
  async #ofSubject(target: ErasureTarget & { kind: 'subject' }): Promise<Held | undefined> {
    const key = subjectKey(target.digest);
    const from =
      'FROM archive_subject s FORCE INDEX (PRIMARY) JOIN archive a ON a.id = s.archive_id WHERE s.subject_key = ?';
    if (target.context === ALL_CONTEXTS) return { sql: from, values: [key] };
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [target.context] });
    const contextId = names.contextId(target.context);
    return contextId === undefined ? undefined : { sql: `${from} AND s.context_id = ?`, values: [key, contextId] };
  }

  async #ofStream({ context, stream }: ErasureTarget & { kind: 'stream' }): Promise<Held | undefined> {
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    await names.load(this.#database, { streams: [{ context, name: stream }] });
    const streamId = names.streamId(context, stream);
    const sql =
      'FROM archive_stream s FORCE INDEX (PRIMARY) JOIN archive a ON a.id = s.archive_id WHERE s.stream_id = ?';
    return streamId === undefined ? undefined : { sql, values: [streamId] };
  }
}

/** The archives that hold something, from their table on. */
interface Held {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}
