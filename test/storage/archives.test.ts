// Archives on the real database and real files: wherever the instance that deletes ends, what is deleted of a topic with an archive is in
// a sealed file once the next run has begun, each entry once, and nothing is there that is not deleted.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subjectDigest, subjectKey } from '../../src/domain/erasure/erasure.js';
import { ArchivedDeletion } from '../../src/engine/archive/archived-deletion.js';
import { EntryDeletion } from '../../src/engine/retention/entry-deletion.js';
import { TopicDeletion } from '../../src/engine/retention/topic-deletion.js';
import { UnpassedEvents } from '../../src/engine/retention/unpassed.js';
import { systemClock } from '../../src/lib/clock.js';
import { LoopSlices } from '../../src/lib/loop-slices.js';
import { ArchiveDirectory } from '../../src/storage/archive/archive-directory.js';
import { archivedLine } from '../../src/storage/archive/archived-lines.js';
import { type FileSystem, systemFiles } from '../../src/storage/archive/file-system.js';
import { MysqlArchiveStore } from '../../src/storage/mysql/archive/archive-store.js';
import { UnreadEvents } from '../../src/storage/mysql/consumers/unread-events.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { MysqlRetentionStore } from '../../src/storage/mysql/retention/retention-store.js';
import { RetentionTopics } from '../../src/storage/mysql/retention/retention-topics.js';
import { MysqlStreamCounts } from '../../src/storage/mysql/retention/stream-counts.js';
import { Metrics } from '../../src/telemetry.js';
import { DyingFiles } from '../support/archive/dying-files.js';
import { useSchema } from '../support/database/schema-suite.js';
import { RandomChoices } from '../support/random.js';
import { expectedOf, makeWorld, NOW, storeWorld, type World } from '../support/retention/retention-world.js';

const BATCH = 7;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

describe('archives', () => {
  const suite = useSchema({ poolSize: 4 });
  let parent: string;
  let path: string;
  let lives = 0;

  beforeAll(async () => {
    await suite.database.query('CREATE TABLE test_now (micros BIGINT UNSIGNED NOT NULL)');
    await suite.database.query('INSERT INTO test_now VALUES (?)', [NOW]);
    parent = await mkdtemp(join(tmpdir(), 'madeleine-archives-'));
    path = join(parent, 'archive');
  });
  afterAll(() => rm(parent, { recursive: true }));

  async function begin(world: World): Promise<void> {
    for (const table of ['archive', 'archive_subject', 'archive_stream', 'archive_hold', 'event_subject']) {
      await suite.database.query(`DELETE FROM ${table}`);
    }
    await rm(path, { recursive: true, force: true });
    await storeWorld(suite.database, world);
    const subjects = world.entries.map(({ position }) => [subjectKey(subjectDigest(`p${position % 3}`)), position]);
    for (const [key, position] of subjects) {
      const values = [key as Buffer, position as number, position as number];
      await suite.database.query('INSERT INTO event_subject VALUES (?, 1, ?, ?)', values);
    }
  }

  function archiveStore(world: World): MysqlArchiveStore {
    const archived = async (topicId: number) => {
      const topic = world.topics.find((one) => one.topicId === topicId && one.name !== 'held');
      return topic && { topicId, context: topic.context, name: topic.name };
    };
    return new MysqlArchiveStore({ database: suite.database, names: new Names(), topics: { archived } });
  }

  const idOf = (name: string, run: number) => `${name}:${String(run).padStart(12, '0')}`;

  /** A life of an instance, which finishes what was left and deletes all that is due; it may end in the middle. */
  async function live(
    world: World,
    { name = 'life', dying, files }: { name?: string; dying?: DyingFiles; files?: FileSystem } = {},
  ): Promise<string[]> {
    lives += 1;
    const run = lives;
    const { database } = suite;
    await database.write('UPDATE retention_cursor SET lease_until = 1 WHERE id = 1');
    const slices = new LoopSlices();
    const unread = new UnreadEvents({ database, names: new Names(), slices, monotonicMs: () => performance.now() });
    const topics = new RetentionTopics(database);
    const store = new MysqlRetentionStore({ database, topics, unread, nowSql: '(SELECT micros FROM test_now)' });
    const part = <T extends object>(one: T) => dying?.part(one) ?? one;
    const log = new MysqlEventLog({ database, names: new Names() });
    const instance = { id: idOf(name, run), address: `${name}:1` };
    const archive = new ArchivedDeletion({
      ...{ deletions: part(store), store: part(archiveStore(world)), log, slices, lineOf: archivedLine, instance },
      files: new ArchiveDirectory({
        path,
        writer: { instance: instance.id, serverVersion: '1' },
        files: files ?? dying?.files ?? systemFiles,
      }),
      endedRuns: { first: idOf(name, 0), before: instance.id },
      ...{ metrics: new Metrics(), clock: systemClock, random: Math.random, logger: SILENT },
    });
    const outcomes: string[] = [];
    const deletions = {
      isHeld: (topicId: number) => archive.isHeld(topicId),
      delete: async (...given: Parameters<ArchivedDeletion['delete']>) => {
        const outcome = await archive.delete(...given);
        outcomes.push(outcome);
        return outcome;
      },
    };
    const unpassed = new UnpassedEvents({ store, log, slices });
    const counts = new MysqlStreamCounts({ database });
    const entries = new EntryDeletion({ store, deletions });
    const deletion = new TopicDeletion({ store, counts, unpassed, deletion: entries, pace: { batch: BATCH } });
    archive.start();
    try {
      await archive.look();
      const hold = await store.acquire(instance.id);
      // Another instance deletes.
      if (hold === undefined) return outcomes;
      const clock = await store.clock();
      const upTo = Math.min(await store.settledTo(), world.settledTo);
      for (const topic of world.topics) {
        for (let isMore = true; isMore; ) ({ isMore } = await deletion.look(hold, topic, { clock, upTo }));
      }
    } finally {
      await archive.stop();
    }
    return outcomes;
  }

  async function archivedPositions(): Promise<number[]> {
    const names = (await readdir(path).catch(() => [])).sort();
    expect(names.filter((name) => !/\.(ndjson\.gz|manifest\.json)$/.test(name))).toEqual([]);
    const positions: number[] = [];
    for (const name of names.filter((one) => one.endsWith('.ndjson.gz'))) {
      const lines = gunzipSync(await readFile(join(path, name)))
        .toString()
        .trimEnd()
        .split('\n');
      positions.push(...lines.map((line) => Number((JSON.parse(line) as { position: string }).position)));
    }
    return positions.sort((a, b) => a - b);
  }

  function goneOf(world: World): number[] {
    const stored = new Set(expectedOf(world).stored);
    const isArchived = ({ topic }: World['entries'][number]) => topic === 'orders' || topic === 'invoices';
    return world.entries.filter((one) => isArchived(one) && !stored.has(one.position)).map(({ position }) => position);
  }

  async function expectAll(world: World): Promise<void> {
    const rows = await suite.database.query<{ position: number }>('SELECT position FROM log ORDER BY position');
    expect(rows.map(({ position }) => position)).toEqual(expectedOf(world).stored);
    expect(await archivedPositions()).toEqual(goneOf(world));
    const archives = await archiveStore(world).list({ context: 'all', topic: '', after: 0, limit: 1_000 });
    const manifests = await Promise.all(
      archives.map(async ({ name }) => JSON.parse(await readFile(join(path, `${name}.manifest.json`), 'utf8'))),
    );
    expect(
      archives.map(({ extent, sealed }) => ({ ...extent, sha256: sealed?.sha256, digest: sealed?.digest })),
    ).toEqual(
      manifests.map((manifest) => expect.objectContaining({ entries: manifest.entries, sha256: manifest.sha256 })),
    );
    expect(await suite.database.query('SELECT id FROM archive WHERE sealed_at IS NULL')).toEqual([]);
  }

  const worldOf = (seed: number, size = 26) => makeWorld(new RandomChoices(seed), size);
  /** A world of which something of both topics goes. */
  const WORLD = [...Array(1_000).keys()]
    .map((seed) => worldOf(seed))
    .find((world) => goneOf(world).length > 10) as World;

  it('have what is deleted, each entry once, and name whom and which streams they are about', async () => {
    await begin(WORLD);
    await live(WORLD);
    await expectAll(WORLD);
    const store = archiveStore(WORLD);
    const all = await store.list({ context: 'default', topic: '', after: 0, limit: 10 });
    expect(new Set(all.map(({ topic }) => topic)).size).toBe(all.length);
    const gone = new Set(goneOf(WORLD));
    const namesWith = (has: (entry: World['entries'][number]) => boolean) => {
      const topics = WORLD.entries.filter((entry) => gone.has(entry.position) && has(entry)).map(({ topic }) => topic);
      return all.filter(({ topic }) => topics.includes(topic)).map(({ name }) => name);
    };
    const ofSubject = namesWith(({ position }) => position % 3 === 1);
    expect(ofSubject.length).toBeGreaterThan(0);
    for (const context of ['default', 'all']) {
      const target = { kind: 'subject', context, digest: subjectDigest('p1') } as const;
      expect(await store.holding(target, 10)).toEqual({ names: ofSubject, count: ofSubject.length });
      expect(await store.holding(target, 0)).toEqual({ names: [], count: ofSubject.length });
    }
    for (const stream of ['s1', 's2']) {
      const { names } = await store.holding({ kind: 'stream', context: 'default', stream }, 10);
      expect(names).toEqual(namesWith((entry) => entry.stream === stream));
    }
    expect((await store.holding({ kind: 'stream', context: 'default', stream: 'none' }, 10)).count).toBe(0);
    expect((await store.holding({ kind: 'subject', context: 'all', digest: subjectDigest('x') }, 10)).count).toBe(0);
  });

  it('have what is deleted, each entry once, wherever a run ended before', async () => {
    let deaths = 0;
    for (let steps = 0, isDone = false; !isDone; steps += 1) {
      await begin(WORLD);
      isDone = await live(WORLD, { dying: new DyingFiles(steps) }).then(
        () => true,
        () => false,
      );
      if (!isDone) deaths += 1;
      // What was deleted is in a file already, sealed or not.
      await live(WORLD);
      await expectAll(WORLD);
    }
    expect(deaths).toBeGreaterThan(30);
  }, 120_000);

  it('hold the deletion of their topics, and of no other, while they cannot be written', async () => {
    await begin(WORLD);
    await rm(path, { recursive: true, force: true });
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const files = { ...systemFiles, open: () => Promise.reject(full) } as FileSystem;
    expect(await live(WORLD, { files })).toContain('held');
    const holds = await archiveStore(WORLD).holds();
    expect([...holds.values()].map(({ problem }) => problem)).toContain('no space left on device (ENOSPC)');
    const stored = await suite.database.query<{ position: number; topic_id: number }>(
      'SELECT position, topic_id FROM log',
    );
    const stays = new Set(stored.map(({ position }) => position));
    expect(goneOf(WORLD).every((position) => stays.has(position))).toBe(true);
    const held = WORLD.entries.filter(({ topic }) => topic === 'held').map(({ position }) => position);
    const kept = new Set(expectedOf(WORLD).stored);
    expect(held.filter((position) => stays.has(position))).toEqual(held.filter((position) => kept.has(position)));
    await live(WORLD);
    await expectAll(WORLD);
    expect((await archiveStore(WORLD).holds()).size).toBe(0);
  });

  it('are written beside those of another instance in one directory', async () => {
    const large = worldOf(3, 120);
    await begin(large);
    await Promise.all([live(large, { name: 'one' }), live(large, { name: 'other' })]);
    // What was begun and not deleted is in the way of nobody.
    await live(large, { name: 'one' });
    await live(large, { name: 'other' });
    await expectAll(large);
  });
});
