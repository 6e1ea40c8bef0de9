// The identities of what was stored before a topic got its description paths. See IdentityStore for what each method promises.

import { EntryKind } from '../../../domain/events/event.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import { MAX_REPEATED_IDS } from '../../../domain/topics/identity-build.js';
import type { EventId, Position } from '../../../units.js';
import type { IdentityPage, IdentityRow, IdentityStore, PageStored, PendingBuild } from '../../ports/topic-storage.js';
import type { Database, Queries } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

/** Rows of one statement. */
const CHUNK = 500;

interface BuildRow {
  built_to: Position;
  repeated_ids: string;
}

const PENDING = `SELECT b.topic_id, b.build_id, b.built_to, b.watched_after, b.description_paths, c.name AS context, t.name AS topic
  FROM identity_build b JOIN topic t ON t.id = b.topic_id JOIN context c ON c.id = t.context_id
  WHERE b.ended_at IS NULL ORDER BY b.build_id`;

interface PendingRow {
  topic_id: number;
  build_id: number;
  built_to: Position;
  watched_after: Position;
  description_paths: string;
  context: Buffer;
  topic: Buffer;
}

export class MysqlIdentityStore implements IdentityStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See IdentityStore.pending: a row for each topic whose paths were ever changed is read. */
  async pending(): Promise<readonly PendingBuild[]> {
    const rows = await this.#database.execute<PendingRow>(PENDING);
    return rows.map((row) => ({
      context: row.context.toString(),
      topic: row.topic.toString(),
      topicId: row.topic_id,
      buildId: row.build_id,
      builtTo: row.built_to,
      watchedAfter: row.watched_after,
      descriptionPaths: JSON.parse(row.description_paths) as string[],
    }));
  }

  /**
   * See IdentityStore.add. The row of the build is written last: whoever changes the paths under the head row must not wait for a page.
   * What is added of a build that is gone meanwhile is true all the same.
   */
  async add(build: Pick<PendingBuild, 'topicId' | 'buildId'>, page: IdentityPage): Promise<PageStored> {
    const state = await readBuild(this.#database, build);
    if (state === undefined) return { kind: 'gone' };
    if (state.built_to !== page.after) return { kind: 'done', builtTo: state.built_to };
    return this.#database.transaction(async (queries) => {
      const rows = await stillThere(queries, page.rows);
      const repeated = await repeatedOf(queries, build.topicId, { after: page.after, rows });
      await insertIdentities(queries, build.topicId, rows);
      const isNoted = await noteProgress(queries, { build, state, page, rows, repeated });
      return isNoted ? { kind: 'stored', repeated: repeated.length } : { kind: 'gone' };
    });
  }
}

function readBuild(
  queries: Pick<Queries, 'execute'>,
  { topicId, buildId }: Pick<PendingBuild, 'topicId' | 'buildId'>,
): Promise<BuildRow | undefined> {
  return queries
    .execute<BuildRow>(
      'SELECT built_to, repeated_ids FROM identity_build WHERE topic_id = ? AND build_id = ? AND ended_at IS NULL',
      [topicId, buildId],
    )
    .then(([row]) => row);
}

/**
 * The rows whose events are stored and were not invalidated. Their rows of the log are held: who erases one, or deletes it, does so
 * before, or finds its identity.
 */
async function stillThere(queries: Queries, rows: readonly IdentityRow[]): Promise<readonly IdentityRow[]> {
  const kept: IdentityRow[] = [];
  for (const chunk of chunks(rows)) {
    const marks = placeholders(chunk.length);
    const held = await queries.query<{ position: Position }>(
      `SELECT position FROM log FORCE INDEX (PRIMARY) WHERE position IN (${marks}) AND payload IS NOT NULL LOCK IN SHARE MODE`,
      chunk.map(({ position }) => position),
    );
    const invalidated = await queries.query<{ event_id: EventId }>(
      `SELECT event_id FROM log FORCE INDEX (log_event) WHERE event_id IN (${marks}) AND kind = ${EntryKind.INVALIDATED}`,
      chunk.map(({ eventId }) => eventId),
    );
    const there = new Set(held.map(({ position }) => position));
    const gone = new Set(invalidated.map((row) => row.event_id));
    kept.push(...chunk.filter(({ position, eventId }) => there.has(position) && !gone.has(eventId)));
  }
  return kept;
}

/** The events that have the identity of an earlier one, of the page or before it. */
async function repeatedOf(
  queries: Queries,
  topicId: number,
  { after, rows }: Pick<IdentityPage, 'after' | 'rows'>,
): Promise<readonly EventId[]> {
  const digests = new Map(rows.map(({ digest }) => [textOf(digest), asBuffer(digest)]));
  const seen = new Set<string>();
  for (const chunk of chunks([...digests.values()])) {
    // One row of each is read, however many have it.
    const found = await queries.query<{ digest: Buffer; earlier: number | null }>(
      `SELECT k.digest, (SELECT 1 FROM event_identity i FORCE INDEX (PRIMARY)
         WHERE i.topic_id = ? AND i.digest = k.digest AND i.position <= ? LIMIT 1) AS earlier
       FROM (SELECT ? AS digest${' UNION ALL SELECT ?'.repeat(chunk.length - 1)}) k`,
      [topicId, after, ...chunk],
    );
    for (const { digest, earlier } of found) if (earlier !== null) seen.add(textOf(digest));
  }
  return rows.flatMap(({ digest, eventId }) => {
    const text = textOf(digest);
    const isRepeated = seen.has(text);
    seen.add(text);
    return isRepeated ? [eventId] : [];
  });
}

function textOf(digest: Uint8Array): string {
  return asBuffer(digest).toString('latin1');
}

async function insertIdentities(queries: Queries, topicId: number, rows: readonly IdentityRow[]): Promise<void> {
  for (const chunk of chunks(rows)) {
    await queries.query(
      `INSERT IGNORE INTO event_identity (topic_id, digest, event_id, position) VALUES ${placeholders(chunk.length, '(?, ?, ?, ?)')}`,
      chunk.flatMap(({ digest, eventId, position }) => [topicId, Buffer.from(digest), eventId, position]),
    );
  }
}

interface Progress {
  readonly build: Pick<PendingBuild, 'topicId' | 'buildId'>;
  readonly state: BuildRow;
  readonly page: IdentityPage;
  readonly rows: readonly IdentityRow[];
  readonly repeated: readonly EventId[];
}

/** False: the build is not where it was any more. */
async function noteProgress(queries: Queries, { build, state, page, rows, repeated }: Progress): Promise<boolean> {
  const ids = [...(JSON.parse(state.repeated_ids) as EventId[]), ...repeated].slice(0, MAX_REPEATED_IDS);
  const { affectedRows } = await queries.write(
    `UPDATE identity_build SET built_to = ?, identified = identified + ?, unidentified = unidentified + ?,
       repeated = repeated + ?, repeated_ids = ?
     WHERE topic_id = ? AND build_id = ? AND built_to = ? AND ended_at IS NULL`,
    [
      ...[page.upTo, rows.length, page.unidentified, repeated.length, JSON.stringify(ids)],
      ...[build.topicId, build.buildId, page.after],
    ],
  );
  return affectedRows === 1;
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK);
}
