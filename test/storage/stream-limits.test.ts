// Topics that keep only so much in each stream, on the real database against a naive model: exactly the newest events stay, whatever
// comes, is withdrawn, held or kept alone, however the limits change, and whatever statement fails.

import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../src/domain/events/event.js';
import { RetentionMode } from '../../src/domain/retention/retention-policy.js';
import { limitsOf } from '../../src/domain/retention/stream-limits.js';
import { EntryDeletion } from '../../src/engine/retention/entry-deletion.js';
import { SurplusDeletion } from '../../src/engine/retention/surplus-deletion.js';
import { TopicDeletion } from '../../src/engine/retention/topic-deletion.js';
import { UnpassedEvents } from '../../src/engine/retention/unpassed.js';
import { LoopSlices } from '../../src/lib/loop-slices.js';
import { UnreadEvents } from '../../src/storage/mysql/consumers/unread-events.js';
import { writeErasures } from '../../src/storage/mysql/erasure/erasure-writes.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import type { NameMinter } from '../../src/storage/mysql/names/name-minter.js';
import { MysqlRetentionStore } from '../../src/storage/mysql/retention/retention-store.js';
import { RetentionTopics } from '../../src/storage/mysql/retention/retention-topics.js';
import { MysqlStreamCounts } from '../../src/storage/mysql/retention/stream-counts.js';
import { connectionOptions, Database, type SqlValue } from '../../src/storage/mysql/sql/database.js';
import type { RetentionHold, RetentionTopic } from '../../src/storage/ports/retention-storage.js';
import { FaultyProxy, type Harm } from '../support/database/faulty-proxy.js';
import { useSchema } from '../support/database/schema-suite.js';
import { ManualClock } from '../support/manual-clock.js';
import { propertyParameters } from '../support/property.js';
import { RandomChoices } from '../support/random.js';
import {
  anyLimits,
  LimitsModel,
  type LimitsWorld,
  makeLimitsWorld,
  storeLimitsWorld,
  storeMore,
} from '../support/retention/limits-model.js';
import { NOW, storeWorld } from '../support/retention/retention-world.js';

const { numRuns = 12, seed = 20_261_128 } = propertyParameters(12);
const BATCH = 7;

describe('limits of streams', () => {
  const suite = useSchema({ poolSize: 4 });
  let proxy: FaultyProxy;
  let database: Database;
  let store: MysqlRetentionStore;
  let counts: MysqlStreamCounts;
  let lives = 0;

  beforeAll(async () => {
    proxy = new FaultyProxy(suite.url);
    await proxy.start();
    database = new Database({ url: proxy.url, poolSize: 2, random: Math.random });
    newStores();
  });
  afterAll(async () => {
    await database.close();
    await proxy.stop();
  });

  function newStores(): void {
    const unread = new UnreadEvents({
      ...{ database, names: new Names(), slices: new LoopSlices(), monotonicMs: () => performance.now() },
    });
    store = new MysqlRetentionStore({ database, topics: new RetentionTopics(database), unread, nowSql: String(NOW) });
    counts = new MysqlStreamCounts({ database });
  }

  function newParts() {
    const log = new MysqlEventLog({ database, names: new Names() });
    const unpassed = new UnpassedEvents({ store, log, slices: new LoopSlices() });
    const deletion = new EntryDeletion({ store });
    const shared = { store, counts, unpassed, deletion, pace: { batch: BATCH } };
    return { surplus: new SurplusDeletion({ ...shared, clock: new ManualClock() }), topics: new TopicDeletion(shared) };
  }

  /** A life of an instance: deletes until nothing is due. `tries`: how often a failure lets it go on as if nothing were. */
  async function live(topics: readonly RetentionTopic[], settledTo: number, tries = 1): Promise<void> {
    lives += 1;
    newStores();
    await suite.database.write('UPDATE retention_cursor SET lease_until = 1 WHERE id = 1');
    const hold = (await store.acquire(`life ${lives}`)) as RetentionHold;
    const parts = newParts();
    const upTo = Math.min(await store.settledTo(), settledTo);
    const again = async <T>(work: () => Promise<T>): Promise<T> => {
      for (let left = tries; ; left -= 1) {
        try {
          return await work();
        } catch (error) {
          if (left <= 1) throw error;
        }
      }
    };
    const clock = await again(() => store.clock());
    for (const topic of topics) {
      for (let isMore = true; isMore; )
        ({ isMore } = await again(() => parts.surplus.look(hold, topic, { clock, upTo })));
      for (let isMore = topic.policy.ageMicros !== undefined; isMore; )
        ({ isMore } = await again(() => parts.topics.look(hold, topic, { clock, upTo })));
      for (let after: number | undefined = 0; after !== undefined; ) {
        const from: number = after;
        ({ after } = await again(() => parts.topics.lookAtKept(hold, topic, { clock, after: from })));
      }
    }
    await again(() => store.release(hold));
  }

  async function rows(sql: string): Promise<unknown[][]> {
    return (await suite.database.query<Record<string, unknown>>(sql)).map((row) => Object.values(row));
  }

  async function assertAsExpected(
    model: LimitsModel,
    topics: readonly RetentionTopic[],
    upTo: number,
    settled: number,
  ) {
    const column = async (sql: string) => (await rows(sql)).flat();
    expect(await column('SELECT position FROM log ORDER BY position')).toEqual(model.stored(upTo));
    expect(await column('SELECT position FROM retention_kept ORDER BY position')).toEqual(model.kept);
    expect(await rows('SELECT id, expired_unread FROM consumer WHERE expired_unread > 0 ORDER BY id')).toEqual(
      model.unread,
    );
    const limited = topics.filter(({ policy }) => policy.streamLimits !== undefined).map(({ topicId }) => topicId);
    const counted = await rows('SELECT topic_id, stream_id, events, bytes FROM retention_stream ORDER BY 1, 2');
    expect(counted.filter(([topicId]) => limited.includes(topicId as number))).toEqual(
      model.counts(topics, upTo, settled),
    );
  }

  /** A world in two parts, of which the second comes while the limits of the first are obeyed, and then others. */
  async function begin(choices: RandomChoices): Promise<{ world: LimitsWorld; model: LimitsModel; half: number }> {
    const world = makeLimitsWorld(choices);
    await storeLimitsWorld(suite.database, world, world.half);
    return { world, model: new LimitsModel(world), half: world.half };
  }

  const END = 1_000_000;

  it('leave exactly what the model leaves, and count what it counts', async () => {
    const choices = new RandomChoices(seed);
    for (let run = 0; run < numRuns * 2; run += 1) {
      const { world, model, half } = await begin(choices.branch());
      const { settledTo } = world;
      const first = Math.min(half, settledTo);
      await live(world.topics, first);
      model.step(world.topics, half, first);
      await assertAsExpected(model, world.topics, half, first);
      await storeMore(suite.database, world, half);
      const others = choices.chance(0.5) ? world.topics : anyLimits(choices);
      await live(others, settledTo);
      model.step(others, END, settledTo);
      await assertAsExpected(model, others, END, settledTo);
      await suite.database.query('UPDATE firing SET state = 2');
      model.makeCallbacks();
      await live(others, settledTo);
      model.step(others, END, settledTo);
      await assertAsExpected(model, others, END, settledTo);
    }
  });

  const HARMS: readonly Harm[] = [
    { kind: 'cut before' },
    { kind: 'cut after' },
    { kind: 'error', errno: 1205 },
    { kind: 'error', errno: 1021 },
  ];

  it.each(HARMS.map((harm) => [harm.kind === 'error' ? `error ${harm.errno}` : harm.kind, harm] as const))(
    'do so with %s at any statement',
    async (_, harm) => {
      const choices = new RandomChoices(seed + 1);
      for (let run = 0; run < Math.ceil(numRuns / 6); run += 1) {
        const { world, model, half } = await begin(choices.branch());
        const { topics, settledTo } = world;
        const first = Math.min(half, settledTo);
        for (let skip = 0, isHarmed = true; isHarmed; skip += choices.between(1, 3)) {
          proxy.forget();
          const fault = proxy.inject({ harm, when: ({ command }) => command !== 'prepare', skip });
          // Some go on as if nothing had been: what they know is older than what is stored.
          await live(topics, first, choices.of([1, 3])).catch(() => {});
          isHarmed = fault.hits > 0;
          if (skip === 6) await storeMore(suite.database, world, half);
        }
        proxy.forget();
        const isWhole = (await rows('SELECT position FROM log_head'))[0]?.[0] !== half + 1;
        await live(topics, first);
        model.step(topics, isWhole ? END : half, first);
        await assertAsExpected(model, topics, isWhole ? END : half, first);
      }
    },
    120_000,
  );

  const invoices = (limits: { events?: number; bytes?: number }): RetentionTopic => ({
    ...{ topicId: 2, context: 'default', name: 'invoices' },
    policy: {
      ...{ ageMicros: undefined, mode: RetentionMode.EXPIRE, unreadWarning: 'none' },
      streamLimits: limitsOf(limits.events ?? 0, limits.bytes ?? 0),
    },
  });

  /** A stream of these payloads, at positions from 1 on. */
  async function storeStream(sizes: readonly number[]): Promise<void> {
    const entries = sizes.map((size, index) => ({
      ...{ position: index + 1, topic: 'invoices', stream: 's1', tag: 'red', at: NOW - 1, payload: 'x'.repeat(size) },
      ...{ messageId: Buffer.alloc(16, index + 1), isGiven: false, endedId: undefined, withdraws: false, cawins: [] },
    }));
    await storeWorld(suite.database, { entries, consumers: [], topics: [], settledTo: sizes.length });
  }
  const left = async () => (await rows('SELECT position FROM log ORDER BY position')).flat();

  it('leave the newest event, however large it is', async () => {
    await storeStream([10, 10, 500]);
    await live([invoices({ bytes: 100 })], 3);
    expect(await left()).toEqual([3]);
    await storeStream([10, 500, 10, 10]);
    await live([invoices({ bytes: 25 })], 4);
    expect(await left()).toEqual([3, 4]);
  });

  it('count what is erased as nothing, while it is counted and while it goes', async () => {
    await storeStream([40, 40, 40, 40, 40]);
    const topic = invoices({ bytes: 250 });
    await live([topic], 3);
    expect(await rows('SELECT events, bytes FROM retention_stream')).toEqual([[4, 160]]);
    const blanking = {
      ...{ erasure: 9, upTo: 9, eventIds: [], waitIds: [], events: 2, unindexed: [] },
      // One that is counted, and one that is not.
      entries: [2, 5].map((position) => ({ position, rest: {} }) as unknown as LogEntry),
    };
    const connection = await createConnection({ ...connectionOptions(suite.url), multipleStatements: true });
    const query = async <T>(sql: string, values: readonly SqlValue[] = []) =>
      (await connection.query(sql, [...values]))[0] as T[];
    const queries = { query, execute: query, write: async () => ({ affectedRows: 0 }) };
    await query('BEGIN');
    await writeErasures(queries, { begun: [], blanked: blanking }, { minter: {} as NameMinter, onTrip: () => {} });
    await query('COMMIT');
    await connection.end();
    expect(await rows('SELECT events, bytes FROM retention_stream')).toEqual([[4, 120]]);
    await live([topic], 5);
    expect(await rows('SELECT events, bytes FROM retention_stream')).toEqual([[5, 120]]);
    await live([invoices({ bytes: 80 })], 5);
    expect(await left()).toEqual([2, 3, 4, 5]);
    expect(await rows('SELECT events, bytes FROM retention_stream')).toEqual([[4, 80]]);
  });

  it('are obeyed by a new count after somebody deleted who does not count', async () => {
    await storeStream([1, 1, 1, 1, 1, 1]);
    await live([invoices({ events: 5 })], 6);
    expect(await left()).toEqual([2, 3, 4, 5, 6]);
    await suite.database.query("UPDATE retention_cursor SET owner = 'old', owner_epoch = owner_epoch + 1");
    await suite.database.query('DELETE FROM log WHERE position < 4');
    await live([invoices({ events: 3 })], 6);
    expect(await left()).toEqual([4, 5, 6]);
    expect(await rows('SELECT events FROM retention_stream')).toEqual([[3]]);
  });

  it('take nothing by a count that is not so any more, nor without the hold', async () => {
    await storeStream([1, 1, 1, 1]);
    const topic = invoices({ events: 2 });
    const hold = (await store.acquire('one')) as RetentionHold;
    const { surplus } = newParts();
    const moment = { clock: await store.clock(), upTo: 4 };
    // Counts, and finds the stream.
    expect((await surplus.look(hold, topic, moment)).isMore).toBe(true);
    await suite.database.query('DELETE FROM log WHERE position = 1');
    await suite.database.query('UPDATE retention_stream SET events = 3, bytes = 3');
    expect(await surplus.look(hold, topic, moment)).toMatchObject({ goneEntries: 0, isMore: true });
    expect(await left()).toEqual([2, 3, 4]);
    for (let isMore = true; isMore; ) ({ isMore } = await surplus.look(hold, topic, moment));
    expect(await left()).toEqual([3, 4]);
    await suite.database.query('UPDATE retention_cursor SET lease_until = 1');
    await store.acquire('other');
    expect((await surplus.look(hold, invoices({ events: 1 }), moment)).isHeld).toBe(true);
    expect((await surplus.look(hold, invoices({ events: 1 }), moment)).isHeld).toBe(false);
    expect(await left()).toEqual([3, 4]);
  });
});
