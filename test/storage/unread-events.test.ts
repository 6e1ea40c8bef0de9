// What deletions record of consumers that have not passed what goes, and how owners take it.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ConsumerSettings, DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { encodeRanges } from '../../src/domain/consumers/position-ranges.js';
import { EntryKind } from '../../src/domain/events/event.js';
import type { ConsumerChange } from '../../src/domain/management/consumer-change.js';
import { LoopSlices } from '../../src/lib/loop-slices.js';
import { writeConsumers } from '../../src/storage/mysql/consumers/consumer-changes.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import { UnreadEvents } from '../../src/storage/mysql/consumers/unread-events.js';
import { MysqlUnreadStore } from '../../src/storage/mysql/consumers/unread-store.js';
import { MysqlDeletedEvents } from '../../src/storage/mysql/log/deleted-events.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database, type Queries } from '../../src/storage/mysql/sql/database.js';
import type { Hold } from '../../src/storage/ports/consumer-storage.js';
import { FaultyProxy } from '../support/database/faulty-proxy.js';
import { useSchema } from '../support/database/schema-suite.js';

const INSTANCE = { id: 'instance-a', address: '10.0.0.1:50051' };
const OTHER = { id: 'instance-b', address: '10.0.0.2:50051' };
const TOPICS = { orders: 1, bills: 2, 'madeleine.audit': 3, 'other:orders': 4 } as const;
type Topic = keyof typeof TOPICS;

const suite = useSchema({ poolSize: 4 });
let store: MysqlConsumerStore;
let unread: UnreadEvents;
let gaps: MysqlUnreadStore;
let deleted: MysqlDeletedEvents;
let proxy: FaultyProxy;
let count = 0;
let position = 0;

beforeAll(async () => {
  proxy = new FaultyProxy(suite.url);
  await proxy.start();
  store = new MysqlConsumerStore(suite);
  unread = newUnread(suite.database);
  gaps = new MysqlUnreadStore(suite);
  deleted = new MysqlDeletedEvents(suite);
  await suite.database.query("INSERT INTO context (id, name) VALUES (1, 'default'), (2, 'other')");
  await suite.database.query(
    "INSERT INTO topic (id, context_id, name) VALUES (1, 1, 'orders'), (2, 1, 'bills'), (3, 1, 'madeleine.audit'), (4, 2, 'orders')",
  );
});

function newUnread(database: Database): UnreadEvents {
  return new UnreadEvents({
    database,
    names: new Names(),
    slices: new LoopSlices(),
    monotonicMs: () => performance.now(),
  });
}

afterEach(() => proxy.forget());
afterAll(() => proxy.stop());

interface Fields {
  readonly kind?: EntryKind;
  readonly issuer?: string;
  readonly to?: string;
  readonly payload?: string;
}

/** Stores an event; the next ones lie after it. */
async function event(topic: Topic, { kind = 1, issuer = 'shop', to, payload = '{}' }: Fields = {}): Promise<Deleted> {
  position += 1;
  const contextId = TOPICS[topic] === 4 ? 2 : 1;
  await suite.database.query(
    `INSERT INTO log (position, kind, event_id, context_id, topic_id, created_at, version, subject, issuer, recipient, content_type,
       payload_bytes, payload) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 'application/json', ?, ?)`,
    [
      ...[position, kind, position, contextId, TOPICS[topic], position, issuer, to ?? null, payload.length],
      Buffer.from(payload),
    ],
  );
  return { position, topicId: TOPICS[topic] };
}

async function events(topic: Topic, number: number): Promise<Deleted[]> {
  const rows: Deleted[] = [];
  for (let n = 0; n < number; n += 1) rows.push(await event(topic));
  return rows;
}

/** A consumer that has passed everything that was stored so far. */
async function consumer(
  settings: Partial<ConsumerSettings> = {},
  context = 'default',
): Promise<Hold & { name: string }> {
  const key = { context, name: `consumer-${++count}` };
  await store.create({ ...key, settings: { ...DEFAULT_SETTINGS, ...settings }, offset: position, createdAt: 1 });
  // Such a creation is not counted as a move: as by a server of before.
  await suite.database.query('UPDATE log_deletion SET moves = moves + 1 WHERE id = 1');
  const acquired = await store.acquire(key, INSTANCE, 10);
  if (acquired.kind !== 'acquired') throw new Error(acquired.kind);
  return { ...acquired.hold, name: key.name };
}

const passTo = (id: number, offset: number, acked: readonly (readonly [number, number])[] = []) =>
  suite.database.query('UPDATE consumer SET acked_to = ?, acked_above = ? WHERE id = ?', [
    offset,
    Buffer.from(encodeRanges(acked)),
    id,
  ]);

interface Deleted {
  readonly position: number;
  readonly topicId: number;
}

/** Deletes events, each topic's in a transaction of its own. */
async function remove(rows: readonly Deleted[], reason = 'age'): Promise<void> {
  for (const topicId of new Set(rows.map((row) => row.topicId))) {
    const entries = rows.filter((row) => row.topicId === topicId);
    await unread.delete({ topicId, reason, entries }, (transaction) => deleteRows(transaction, entries));
  }
}

async function deleteRows(transaction: Queries, rows: readonly Deleted[]): Promise<true> {
  for (const { position: at } of rows) await transaction.write('DELETE FROM log WHERE position = ?', [at]);
  return true;
}

/** Statements of a deletion, by a part of a process that has just begun. */
async function statementsOf(rows: readonly Deleted[]): Promise<readonly string[]> {
  const database = new Database({ url: proxy.url, poolSize: 1, random: Math.random });
  const deletion = { topicId: TOPICS.orders, reason: 'age', entries: rows };
  proxy.forget();
  await newUnread(database).delete(deletion, (transaction) => deleteRows(transaction, rows));
  await database.close();
  return proxy.statements.filter(({ command }) => command !== 'prepare').map(({ text }) => text);
}

const positionsOf = (rows: readonly Deleted[]) => rows.map((row) => row.position);
const expired = async (id: number) =>
  (await suite.database.query<{ expired_unread: number }>('SELECT expired_unread FROM consumer WHERE id = ?', [id]))[0]
    ?.expired_unread;
const take = async (hold: Hold) =>
  (await gaps.takeGaps(hold))?.gaps.map(({ first, last, events: number }) => [first, last, number]);
const write = (change: ConsumerChange, id: number | undefined) =>
  suite.database.transaction((transaction) =>
    writeConsumers(transaction, { replaced: [], consumers: [{ change, id }] }, () => {}),
  );

describe('a deletion', () => {
  it('records nothing for who has passed what goes', async () => {
    const one = await consumer();
    const rows = await events('orders', 3);
    await passTo(one.id, position);
    await remove(rows);
    expect(await take(one)).toEqual([]);
    expect(await expired(one.id)).toBe(0);
  });

  it('records what lies above the offset and is not answered', async () => {
    const one = await consumer();
    const rows = await events('orders', 6);
    const [a = 0, b = 0, c = 0, d = 0, , f = 0] = positionsOf(rows);
    await passTo(one.id, a, [[c, d]]);
    await remove(rows);
    expect(await expired(one.id)).toBe(3);
    expect(await take(one)).toEqual([[b, f, 3]]);
  });

  it('goes by what each consumer selects', async () => {
    const bills = await consumer({ filter: { topics: ['bills'] } });
    const audit = await consumer({ filter: { topics: ['madeleine.audit'] } });
    const paid = await consumer({ filter: { description: '{"paid":true}' } });
    const withdrawn = await consumer({ filter: { kinds: [EntryKind.INVALIDATED] } });
    const own = await consumer({ ignoreOwn: true });
    const everywhere = await consumer({}, 'all');
    const elsewhere = await consumer({}, 'other');
    const ephemeral = await consumer({ ephemeral: true });
    const rows = [
      await event('orders'),
      await event('bills', { payload: '{"paid":true,"n":1}' }),
      await event('madeleine.audit'),
      await event('orders', { kind: EntryKind.INVALIDATED }),
      await event('orders', { issuer: own.name }),
      await event('orders', { to: bills.name }),
      await event('other:orders'),
    ];
    await remove(rows);
    const counts = [bills, audit, paid, withdrawn, own, everywhere, elsewhere, ephemeral];
    expect(await Promise.all(counts.map(({ id }) => expired(id)))).toEqual([1, 1, 1, 1, 2, 4, 1, 0]);
  });

  it('tells nobody of ephemeral events', async () => {
    const one = await consumer();
    const [row] = await events('orders', 1);
    await remove(row === undefined ? [] : [row], 'ephemeral');
    expect(await expired(one.id)).toBe(0);
    expect(await deleted.deletedTo({ context: 'default' }, position - 1)).toBe(0);
  });

  it('that is rolled back records nothing', async () => {
    const one = await consumer();
    const rows = await events('orders', 1);
    const proxied = new Database({ url: proxy.url, poolSize: 2, random: Math.random });
    proxy.inject({ harm: { kind: 'cut before' }, when: ({ text }) => text === 'COMMIT' });
    const deletion = { topicId: TOPICS.orders, reason: 'age', entries: rows };
    const failed = newUnread(proxied).delete(deletion, (transaction) => deleteRows(transaction, rows));
    await expect(failed).rejects.toThrow();
    await proxied.close();
    expect(await take(one)).toEqual([]);
    await remove(rows);
    expect(await expired(one.id)).toBe(1);
  });

  it('records what is parked as well, and forgets that it was', async () => {
    const one = await consumer();
    const rows = await events('orders', 2);
    const [parked = 0, retried = 0] = positionsOf(rows);
    for (const [at, state] of [
      [parked, 2],
      [retried, 1],
    ] as const) {
      await suite.database.query(
        `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
         VALUES (?, ?, 1, 0, 0, '', ?)`,
        [one.id, at, state],
      );
    }
    await passTo(one.id, position);
    await remove(rows);
    expect(await take(one)).toEqual([[parked, parked, 1]]);
    expect(await expired(one.id)).toBe(1);
    const [left] = await suite.database.query('SELECT position FROM consumer_trouble WHERE consumer_id = ?', [one.id]);
    expect(left).toEqual({ position: retried });
  });

  it('takes as many statements for many consumers as for one, and has log_deletion locked for the last one only', async () => {
    const counts: number[] = [];
    for (const number of [1, 10, 300]) {
      await suite.database.query('UPDATE consumer SET deleted_at = NOW(6) WHERE deleted_at IS NULL');
      const lot: Hold[] = [];
      for (let n = 0; n < number; n += 1) lot.push(await consumer());
      const [waiting] = await events('orders', 1);
      await remove(waiting === undefined ? [] : [waiting]);
      position += 20_000;
      const rows = await events('orders', 5);
      const statements = await statementsOf(rows);
      counts.push(statements.length);
      const locks = statements.flatMap((text, at) => (text.includes('UPDATE log_deletion') ? [at] : []));
      expect(locks).toEqual([statements.length - 2]);
      for (const { id } of [...lot.slice(0, 2), ...lot.slice(-2)]) expect(await expired(id)).toBe(6);
    }
    expect(new Set(counts).size).toBe(1);
    expect(counts[0]).toBeLessThan(25);
  });

  it('is done again where a consumer was moved while it was under way, and ends though one is moved each time', async () => {
    const one = await consumer();
    for (const times of [1, 100]) {
      const rows = await events('orders', 1);
      await passTo(one.id, position);
      const move = async () => {
        if (times === 100) await consumer();
        await passTo(one.id, 0);
        await suite.database.query('UPDATE log_deletion SET moves = moves + 1 WHERE id = 1');
      };
      let moved = 0;
      const before = (await expired(one.id)) ?? 0;
      const deletion = { topicId: TOPICS.orders, reason: 'age', entries: rows };
      const deleted = await unread.delete(deletion, async (transaction) => {
        if (moved++ < times) await move();
        return deleteRows(transaction, rows);
      });
      expect(deleted).toBe('deleted');
      expect(moved).toBe(times === 1 ? 2 : 4);
      expect(await expired(one.id)).toBe(before + 1);
    }
  });

  it('that somebody may hold is not done where a consumer was moved since it was looked', async () => {
    const one = await consumer();
    const rows = await events('orders', 1);
    const deletion = { topicId: TOPICS.orders, reason: 'age', entries: rows };
    const [{ moves } = { moves: 0 }] = await suite.database.query<{ moves: number }>('SELECT moves FROM log_deletion');
    const remover = (transaction: Queries) => deleteRows(transaction, rows);
    expect(await unread.delete({ ...deletion, moves: moves - 1 }, remover)).toBe('moved');
    const moving = async (transaction: Queries) => {
      await suite.database.query('UPDATE log_deletion SET moves = moves + 1 WHERE id = 1');
      return remover(transaction);
    };
    expect(await unread.delete({ ...deletion, moves }, moving)).toBe('moved');
    expect(await expired(one.id)).toBe(0);
    expect(await unread.delete({ ...deletion, moves: moves + 1 }, remover)).toBe('deleted');
    expect(await expired(one.id)).toBe(1);
  });

  it('records nothing of what was passed, nor for who was deleted, while it was under way', async () => {
    const [one, gone] = [await consumer(), await consumer()];
    const rows = await events('orders', 3);
    const deletion = { topicId: TOPICS.orders, reason: 'age', entries: rows };
    await unread.delete(deletion, async (transaction) => {
      await passTo(one.id, rows[1]?.position ?? 0);
      await store.delete(gone);
      return deleteRows(transaction, rows);
    });
    expect(await expired(one.id)).toBe(1);
    expect(await take(one)).toEqual([[position, position, 1]]);
    const left = await suite.database.query('SELECT id FROM consumer_gap WHERE consumer_id = ?', [gone.id]);
    expect(left).toEqual([]);
  });

  it('notices at once who was moved back', async () => {
    const one = await consumer();
    const rows = await events('orders', 2);
    await passTo(one.id, position);
    await remove(rows.slice(0, 1));
    expect(await expired(one.id)).toBe(0);
    const start = { generation: 2, firstLease: 1, offset: 0 };
    const move = { kind: 'SEEK', movedAt: 1, by: '', reason: '', snapshot: '', formerOffset: 9, ...start } as const;
    const key = { context: 'default', name: one.name };
    const seek = { kind: 'seek', key, hold: one, start, acked: new Uint8Array(), movedAt: 1, move } as const;
    expect(await write(seek, one.id)).toBe(true);
    await remove(rows.slice(1));
    expect(await expired(one.id)).toBe(1);
  });
});

describe('gaps', () => {
  it('are taken once by a hold, again by the next one, and never once they were told', async () => {
    const one = await consumer();
    await remove(await events('orders', 2));
    expect((await gaps.withGaps(INSTANCE.id)).get(one.id)).toBe(2);
    const [gap] = (await gaps.takeGaps(one))?.gaps ?? [];
    expect(gap).toMatchObject({ events: 2 });
    expect(await take(one)).toEqual([]);
    expect((await gaps.withGaps(INSTANCE.id)).has(one.id)).toBe(false);

    await suite.database.query('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 MINUTE WHERE id = ?', [one.id]);
    const next = await store.acquire({ context: 'default', name: one.name }, OTHER, 10);
    if (next.kind !== 'acquired') throw new Error(next.kind);
    await remove(await events('orders', 1));
    expect(await gaps.takeGaps(one)).toBeUndefined();
    const again = (await gaps.takeGaps(next.hold))?.gaps ?? [];
    expect(again).toMatchObject([{ id: gap?.id, events: 2 }, { events: 1 }]);
    const ids = again.map(({ id }) => id);
    const left = () => suite.database.query('SELECT id FROM consumer_gap WHERE consumer_id = ?', [one.id]);
    await gaps.toldGaps(one, ids);
    expect(await left()).toHaveLength(2);
    await gaps.toldGaps(next.hold, ids);
    expect(await left()).toEqual([]);
    expect(await expired(one.id)).toBe(3);
  });

  it('that were taken stay as they are when more goes', async () => {
    const one = await consumer();
    const rows = await events('orders', 3);
    const [a = 0, b = 0, c = 0] = positionsOf(rows);
    await remove(rows.slice(0, 1));
    expect(await take(one)).toEqual([[a, a, 1]]);
    await remove(rows.slice(1, 2));
    await remove(rows.slice(2));
    expect(await take(one)).toEqual([[b, c, 2]]);
    expect(await expired(one.id)).toBe(3);
  });

  it('go with the consumer', async () => {
    const one = await consumer();
    await remove(await events('orders', 1));
    await store.delete(one);
    const rows = await suite.database.query('SELECT id FROM consumer_gap WHERE consumer_id = ?', [one.id]);
    expect(rows).toEqual([]);
    const key = { context: 'default', name: one.name };
    await store.create({ ...key, settings: DEFAULT_SETTINGS, offset: position, createdAt: 1 });
    expect(await expired(one.id)).toBe(0);
  });

  it('are recorded with a move to before what was deleted, not with one to the oldest event', async () => {
    const rows = await events('bills', 2);
    const one = await consumer({ filter: { topics: ['bills'] } });
    const others = await consumer({ filter: { topics: ['unused'] } });
    const ephemeral = await consumer({ filter: { topics: ['bills'] }, ephemeral: true });
    await remove(rows);
    const [first = 0, last = 0] = positionsOf(rows);
    const seek = (hold: Hold & { name: string }, offset: number, fromOldest: boolean) => {
      const start = { generation: 2, firstLease: 1, offset };
      const move = { kind: 'SEEK', movedAt: 1, by: '', reason: '', snapshot: '', formerOffset: 9, ...start } as const;
      const key = { context: 'default', name: hold.name };
      const change = { kind: 'seek', key, hold, start, acked: new Uint8Array(), movedAt: 1, move, fromOldest } as const;
      return write(change, hold.id);
    };
    await seek(one, 0, true);
    await seek(others, 0, false);
    await seek(ephemeral, 0, false);
    expect(await take(ephemeral)).toEqual([]);
    expect(await take(one)).toEqual([]);
    expect(await take(others)).toEqual([]);
    await seek(one, first, false);
    await seek(one, last, false);
    expect(await take(one)).toEqual([[first + 1, last, 0]]);
    expect(await expired(one.id)).toBe(0);
  });

  it('are recorded with a new consumer that begins before what was deleted', async () => {
    const rows = await events('bills', 1);
    await remove(rows);
    const settings = { ...DEFAULT_SETTINGS, filter: { topics: ['bills'] } };
    for (const fromOldest of [false, true]) {
      const key = { context: 'default', name: `new-${fromOldest}` };
      expect(
        await write({ kind: 'create', key, settings, offset: 0, createdAt: 1, by: '', fromOldest }, undefined),
      ).toBe(true);
      const acquired = await store.acquire(key, INSTANCE, 10);
      if (acquired.kind !== 'acquired') throw new Error(acquired.kind);
      expect(await take(acquired.hold)).toEqual(fromOldest ? [] : [[1, rows[0]?.position, 0]]);
    }
  });
});

it('tells how far deletions reach in what is selected', async () => {
  const [bill, order, elsewhere] = [await event('bills'), await event('orders'), await event('other:orders')];
  await remove([bill, order, elsewhere]);
  const to = (criteria: { context?: string; topics?: string[] }, after = 0) =>
    deleted.deletedTo({ context: 'default', ...criteria }, after);
  expect(await to({})).toBe(order.position);
  expect(await to({ topics: ['bills'] })).toBe(bill.position);
  expect(await to({ topics: ['bills', 'orders'] })).toBe(order.position);
  expect(await to({ topics: ['unused'] })).toBe(0);
  expect(await to({ context: 'other' })).toBe(elsewhere.position);
  expect(await to({ context: 'all' })).toBe(elsewhere.position);
  expect(await to({}, order.position)).toBe(0);
  const reserved = await event('madeleine.audit');
  await remove([reserved]);
  expect(await to({})).toBe(order.position);
  expect(await to({ topics: ['madeleine.audit'] })).toBe(reserved.position);
});

it('looks at the topics that are named only, though events of 10,000 others were deleted', async () => {
  const bill = await event('bills');
  await remove([bill]);
  const others = Array.from({ length: 10_000 }, (_, n) => 1_000 + n);
  const rows = (row: (id: number) => string) => others.map(row).join();
  await suite.database.query(
    `INSERT INTO topic (id, context_id, name) VALUES ${rows((id) => `(${id}, 1, 'topic ${id}')`)}`,
  );
  await suite.database.query(
    `INSERT INTO deleted_topic (topic_id, last_position) VALUES ${rows((id) => `(${id}, ${position + id})`)}`,
  );
  const session = new Database({ url: suite.url, poolSize: 1, random: Math.random });
  const reader = new MysqlDeletedEvents({ database: session });
  const reads = async () => {
    const rows = await session.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Handler_read%'");
    return rows.reduce((sum, { Value: value }) => sum + Number(value), 0);
  };
  for (const context of ['default', 'all']) {
    const before = await reads();
    expect(await reader.deletedTo({ context, topics: ['bills', 'unused'] }, 0)).toBe(bill.position);
    expect((await reads()) - before, context).toBeLessThan(500);
  }
  expect(await reader.deletedTo({ context: 'default', topics: ['topic 10999'] }, 0)).toBe(position + 10_999);
  await session.close();
});
