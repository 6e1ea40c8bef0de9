// Retention on the real database against a naive model: whatever statement fails, and however often the instance that deletes ends in the
// middle, what is left and what is told is what the model says, and nothing of what is gone is left behind.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClockWatch } from '../../src/engine/retention/clock-watch.js';
import { EntryDeletion } from '../../src/engine/retention/entry-deletion.js';
import { TopicDeletion } from '../../src/engine/retention/topic-deletion.js';
import { UnpassedEvents } from '../../src/engine/retention/unpassed.js';
import { LoopSlices } from '../../src/lib/loop-slices.js';
import { UnreadEvents } from '../../src/storage/mysql/consumers/unread-events.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { MysqlRetentionStore } from '../../src/storage/mysql/retention/retention-store.js';
import { RetentionTopics } from '../../src/storage/mysql/retention/retention-topics.js';
import { MysqlStreamCounts } from '../../src/storage/mysql/retention/stream-counts.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import type { RetentionHold } from '../../src/storage/ports/retention-storage.js';
import { FaultyProxy, type Harm } from '../support/database/faulty-proxy.js';
import { useSchema } from '../support/database/schema-suite.js';
import { ManualClock } from '../support/manual-clock.js';
import { propertyParameters } from '../support/property.js';
import { RandomChoices } from '../support/random.js';
import { DAY, expectedOf, makeWorld, NOW, storeWorld, type World } from '../support/retention/retention-world.js';

const { numRuns = 12, seed = 20_261_127 } = propertyParameters(12);
const BATCH = 7;

describe('retention', () => {
  const suite = useSchema({ poolSize: 4 });
  let proxy: FaultyProxy;
  let database: Database;
  let store: MysqlRetentionStore;
  let lives = 0;

  beforeAll(async () => {
    await suite.database.query('CREATE TABLE test_now (micros BIGINT UNSIGNED NOT NULL)');
    await suite.database.query('INSERT INTO test_now VALUES (?)', [NOW]);
    proxy = new FaultyProxy(suite.url);
    await proxy.start();
    database = new Database({ url: proxy.url, poolSize: 2, random: Math.random });
    store = newStore();
  });
  afterAll(async () => {
    await database.close();
    await proxy.stop();
  });

  /** That of a new life of an instance. */
  function newStore(): MysqlRetentionStore {
    const slices = new LoopSlices();
    const unread = new UnreadEvents({ database, names: new Names(), slices, monotonicMs: () => performance.now() });
    return new MysqlRetentionStore({
      database,
      topics: new RetentionTopics(database),
      unread,
      nowSql: '(SELECT micros FROM test_now)',
    });
  }

  const setClock = (now: number) => suite.database.query('UPDATE test_now SET micros = ?', [now]);

  function newDeletion(): TopicDeletion {
    const log = new MysqlEventLog({ database, names: new Names() });
    return new TopicDeletion({
      store,
      counts: new MysqlStreamCounts({ database }),
      deletion: new EntryDeletion({ store }),
      unpassed: new UnpassedEvents({ store, log, slices: new LoopSlices() }),
      pace: { batch: BATCH },
    });
  }

  /** A life of an instance: deletes until nothing is due. */
  async function live(world: World): Promise<void> {
    lives += 1;
    store = newStore();
    // That of a life that ended in the middle runs out.
    await suite.database.write('UPDATE retention_cursor SET lease_until = 1 WHERE id = 1');
    const hold = (await store.acquire(`life ${lives}`)) as RetentionHold;
    const deletion = newDeletion();
    const clock = await store.clock();
    const upTo = Math.min(await store.settledTo(), world.settledTo);
    for (const topic of world.topics) {
      for (let isMore = true; isMore; ) ({ isMore } = await deletion.look(hold, topic, { clock, upTo }));
      for (let after: number | undefined = 0; after !== undefined; ) {
        ({ after } = await deletion.lookAtKept(hold, topic, { clock, after }));
      }
    }
    await store.release(hold);
  }

  const column = async (sql: string): Promise<number[]> =>
    (await suite.database.query<Record<string, number>>(sql)).map((row) => Object.values(row)[0] as number);

  async function assertAsExpected(world: World): Promise<void> {
    const { stored, kept, unread, ledger } = expectedOf(world);
    const isStored = new Set(stored);
    const of = <T>(value: (entry: World['entries'][number]) => T[]) =>
      world.entries.filter(({ position }) => isStored.has(position)).flatMap(value);
    expect(await column('SELECT position FROM log ORDER BY position')).toEqual(stored);
    expect(await column('SELECT position FROM retention_kept ORDER BY position')).toEqual(kept);
    expect(await column('SELECT position FROM event_identity ORDER BY position')).toEqual(stored);
    expect(await column('SELECT event_id FROM wait ORDER BY event_id')).toEqual(
      of(({ endedId }) => (endedId === undefined ? [] : [endedId])),
    );
    expect(await column('SELECT position FROM shape_index ORDER BY position')).toEqual(
      of(({ topic, position, withdraws }) => (topic === 'orders' && !withdraws ? [position] : [])),
    );
    const ids = await suite.database.query<{ message_id: Buffer }>('SELECT message_id FROM push_ledger');
    expect(ids.map((row) => row.message_id.toString('hex')).sort()).toEqual(ledger);
    const told = await suite.database.query<{ id: number; expired_unread: number }>(
      'SELECT id, expired_unread FROM consumer WHERE expired_unread > 0 ORDER BY id',
    );
    expect(told.map((row) => [row.id, row.expired_unread])).toEqual(unread);
    const gone = world.entries.filter(({ position, withdraws }) => !withdraws && !isStored.has(position)).length;
    expect(await column('SELECT CAST(COALESCE(SUM(gone_events), 0) AS UNSIGNED) FROM retention_topic')).toEqual([gone]);
    const [orphans] = await column(
      `SELECT COUNT(*) FROM cawin c LEFT JOIN log l ON l.event_id = IF(c.event_id > 10000, c.event_id - 10000, c.event_id)
       WHERE l.position IS NULL`,
    );
    expect(orphans).toBe(0);
    for (const table of ['firing', 'attempt']) {
      const sql = `SELECT COUNT(*) FROM ${table} t LEFT JOIN cawin c ON c.id = t.cawin_id WHERE c.id IS NULL`;
      expect(await column(sql), table).toEqual([0]);
    }
    if (ledger.length > 0) expect(await column('SELECT ledgered_at > 0 FROM log_head')).toEqual([1]);
  }

  async function begin(choices: RandomChoices): Promise<World> {
    const world = makeWorld(choices);
    await storeWorld(suite.database, world);
    await setClock(NOW);
    return world;
  }

  it('leaves what the model leaves, and tells what it tells', async () => {
    const choices = new RandomChoices(seed);
    for (let run = 0; run < numRuns * 2; run += 1) {
      const world = await begin(choices.branch());
      await live(world);
      await assertAsExpected(world);
      // Nothing is due twice.
      await live(world);
      await assertAsExpected(world);
    }
  });

  const HARMS: readonly Harm[] = [
    { kind: 'cut before' },
    { kind: 'cut after' },
    { kind: 'error', errno: 1205 },
    { kind: 'error', errno: 1021 },
  ];

  it.each(HARMS.map((harm) => [harm.kind === 'error' ? `error ${harm.errno}` : harm.kind, harm] as const))(
    'does so with %s at any statement',
    async (_, harm) => {
      const choices = new RandomChoices(seed + 1);
      for (let run = 0; run < Math.ceil(numRuns / 4); run += 1) {
        const world = await begin(choices.branch());
        for (let skip = 0, isHarmed = true; isHarmed; skip += choices.between(1, 3)) {
          proxy.forget();
          const fault = proxy.inject({ harm, when: ({ command }) => command !== 'prepare', skip });
          await live(world).catch(() => {});
          isHarmed = fault.hits > 0;
        }
        proxy.forget();
        await live(world);
        await assertAsExpected(world);
      }
    },
    120_000,
  );

  it('goes on only with the hold', async () => {
    const world = await begin(new RandomChoices(seed + 2));
    const former = (await store.acquire('former')) as RetentionHold;
    expect(await store.acquire('other')).toBeUndefined();
    await suite.database.write('UPDATE retention_cursor SET lease_until = 1');
    await store.acquire('other');
    const clock = await store.clock();
    for (const topic of world.topics) {
      const result = await newDeletion().look(former, topic, { clock, upTo: world.settledTo });
      expect(result.goneEntries).toBe(0);
    }
    expect(await column('SELECT position FROM log ORDER BY position')).toEqual(world.entries.map((e) => e.position));
    expect(await store.renew(former)).toBe(false);
  });

  it('deletes nothing by a clock that leapt a year, until somebody resumes, and then nothing by the span', async () => {
    const world = await begin(new RandomChoices(seed + 3));
    const manual = new ManualClock();
    const said: string[] = [];
    const say = (_: object, message: string) => void said.push(message);
    const logger = { debug: say, info: say, warn: say, error: say };
    const watch = new ClockWatch({ store, clock: manual, logger });
    expect((await watch.look()).stopped).toBeUndefined();
    await manual.advance(10_000);
    await setClock(NOW + 10_000_000 + 365 * DAY);
    const clock = await watch.look();
    expect(clock.stopped?.leaptBy).toBeCloseTo(365 * DAY, -6);
    expect(said).toEqual(['the clock of the database leapt: nothing is deleted until `madeleine retention resume`']);
    // Another instance, and another look, find it stopped.
    expect((await new ClockWatch({ store, clock: manual, logger }).look()).stopped).toBeDefined();
    expect((await watch.look()).stopped).toBeDefined();
    await suite.database.write('UPDATE retention_cursor SET stopped_at = NULL WHERE id = 1');
    expect((await watch.look()).stopped).toBeUndefined();
    await live(world);
    await assertAsExpected(world);
  });

  it('waits an hour after nobody looked for more than a day, and stops when the clock was set back meanwhile', async () => {
    await begin(new RandomChoices(seed + 4));
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const newWatch = () => new ClockWatch({ store, clock: new ManualClock(), logger });
    await newWatch().look();
    await setClock(NOW + DAY - 1);
    expect((await newWatch().look()).waitsUntil).toBe(0);
    await setClock(NOW + 3 * DAY);
    expect((await newWatch().look()).waitsUntil).toBe(NOW + 3 * DAY + 3_600_000_000);
    await setClock(NOW);
    const { stopped, leapt } = await newWatch().look();
    expect(stopped?.leaptBy).toBe(-3 * DAY);
    expect(leapt).toEqual([]);
  });
});
