// The stores of topics: pages of a build of identities, each counted once and only where the build stands, and samples of what was
// discarded, within their bounds.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { MysqlDiscardStore } from '../../src/storage/mysql/topics/discard-store.js';
import { MysqlIdentityStore } from '../../src/storage/mysql/topics/identity-store.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

const BUILD = { topicId: 1, buildId: 7 };
let test: TestDatabase;
let database: Database;
let identities: MysqlIdentityStore;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 4, random: Math.random });
  await migrate(database);
  identities = new MysqlIdentityStore(database);
  await database.write("INSERT INTO context (id, name) VALUES (1, 'default')");
  await database.write("INSERT INTO topic (id, context_id, name) VALUES (1, 1, 'orders')");
});
afterAll(async () => {
  await database.close();
  await test.drop();
});

const digest = (value: number) => Buffer.alloc(34, value);
const row = (position: number, value: number) => ({ digest: digest(value), eventId: 100 + position, position });

/** An entry of an event that occurred (1), or was withdrawn (2). */
function entry(position: number, { kind = 1, eventId = 100 + position, payload = '{}' as string | null } = {}) {
  return database.write(
    `INSERT INTO log (position, kind, event_id, context_id, topic_id, created_at, version, subject, issuer, payload_bytes, payload)
     VALUES (?, ?, ?, 1, 1, ?, 0, 0, 'i', 0, ?)`,
    [position, kind, eventId, position, payload],
  );
}

/** Begins a build over the first 20 positions, with nothing that was identified before. */
async function begin(buildId = BUILD.buildId): Promise<void> {
  await database.write('DELETE FROM event_identity');
  await database.write('DELETE FROM identity_build');
  await database.write(
    `INSERT INTO identity_build (topic_id, build_id, description_paths, watched_after, built_to, identified, unidentified, repeated,
       repeated_ids, started_at) VALUES (1, ?, '["/id"]', 20, 0, 0, 0, 0, '[]', 1)`,
    [buildId],
  );
}

async function state() {
  const [found] = await database.execute(
    'SELECT built_to, identified, unidentified, repeated, repeated_ids FROM identity_build',
  );
  return found;
}
const identified = async () =>
  (await database.execute<{ event_id: number }>('SELECT event_id FROM event_identity ORDER BY event_id')).map(
    ({ event_id: id }) => id,
  );

describe('a page of a build of identities', () => {
  beforeAll(async () => {
    for (let position = 1; position <= 12; position += 1) await entry(position);
    await entry(13, { payload: null });
    await entry(14);
    await entry(15, { kind: 2, eventId: 114 });
  });

  it('is counted once, whoever adds it, with what is repeated in it and since', async () => {
    await begin();
    const first = { after: 0, upTo: 6, rows: [row(1, 1), row(2, 2), row(3, 1), row(4, 3)], unidentified: 2 };
    const second = { after: 6, upTo: 20, rows: [row(7, 2), row(8, 4)], unidentified: 0 };
    const both = await Promise.all([identities.add(BUILD, first), identities.add(BUILD, first)]);
    expect(both.filter(({ kind }) => kind === 'stored')).toEqual([{ kind: 'stored', repeated: 1 }]);
    expect(await state()).toEqual({ built_to: 6, identified: 4, unidentified: 2, repeated: 1, repeated_ids: '[103]' });
    expect(await identities.add(BUILD, first)).toEqual({ kind: 'done', builtTo: 6 });
    expect(await identities.pending()).toMatchObject([{ ...BUILD, builtTo: 6, watchedAfter: 20, topic: 'orders' }]);
    expect(await identities.add(BUILD, second)).toEqual({ kind: 'stored', repeated: 1 });
    expect(await state()).toEqual({
      built_to: 20,
      identified: 6,
      unidentified: 2,
      repeated: 2,
      repeated_ids: '[103,107]',
    });
    expect(await identified()).toEqual([101, 102, 103, 104, 107, 108]);
  });

  it('passes by what is gone, erased or withdrawn, and what is identified already counts as it is', async () => {
    await begin();
    await database.write('INSERT INTO event_identity (topic_id, digest, event_id, position) VALUES (1, ?, 111, 11)', [
      digest(5),
    ]);
    const rows = [row(9, 5), row(10, 6), row(11, 5), row(12, 5), row(13, 7), row(14, 8), row(99, 9)];
    expect(await identities.add(BUILD, { after: 0, upTo: 20, rows, unidentified: 0 })).toMatchObject({ repeated: 2 });
    // The one that had its identity before comes after an earlier event of the page.
    expect(await state()).toMatchObject({ identified: 4, repeated_ids: '[111,112]' });
    expect(await identified()).toEqual([109, 110, 111, 112]);
  });

  it('of a build that is gone, or that ended, counts for nothing', async () => {
    const page = { after: 0, upTo: 20, rows: [row(1, 1)], unidentified: 0 };
    await begin(8);
    expect(await identities.add(BUILD, page)).toEqual({ kind: 'gone' });
    await begin();
    await database.write('UPDATE identity_build SET ended_at = 5');
    expect(await identities.add(BUILD, page)).toEqual({ kind: 'gone' });
    expect(await identities.pending()).toEqual([]);
    expect(await state()).toMatchObject({ built_to: 0, identified: 0 });
  });
});

describe('samples of what was discarded', () => {
  const most = { ofTopic: 3, ofAll: 5 };
  const sample = (context: string, topic: string, n: number) => ({
    ...{ context, topic, issuer: `i${n}`, messageId: '', discardedAt: n, contentType: '' },
    ...{ payloadBytes: 3, payload: Buffer.from([0, n, 255]), description: undefined },
  });

  it('are the newest of each topic and of all, by whatever names, from several instances at once', async () => {
    const stores = [0, 1].map(() => new MysqlDiscardStore(database));
    const names = ['a', 'a ', 'A', 'ä'];
    for (let round = 0; round < 4; round += 1) {
      const adding = stores.map((store, index) =>
        store.add(
          names.map((topic) => sample('default', topic, 10 * round + index)),
          { ofTopic: 3, ofAll: 100 },
        ),
      );
      await Promise.all(adding);
    }
    const [store] = stores as [MysqlDiscardStore];
    const list = (topic: string, limit = 100) => store.list({ context: 'all', topic, before: undefined, limit });
    for (const topic of names) expect(await list(topic)).toHaveLength(3);
    const [newest] = await list('a', 1);
    expect(newest).toMatchObject({ topic: 'a', payloadBytes: 3 });
    expect(Buffer.from(newest?.payload ?? []).at(-1)).toBe(255);
    await store.add([sample('other', 'b', 50)], most);
    const left = await list('');
    expect(left).toHaveLength(5);
    expect(left[0]).toMatchObject({ context: 'other', topic: 'b', issuer: 'i50' });
    expect(left.map(({ id }) => id)).toEqual(left.map(({ id }) => id).toSorted((one, two) => two - one));
    expect(await store.list({ context: 'other', topic: '', before: left[0]?.id, limit: 9 })).toEqual([]);
  });
});
