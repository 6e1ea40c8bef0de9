// The consumers' port on the real database.

import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import type { FailureRecord } from '../../src/domain/consumers/delivery-types.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import {
  type Acquired,
  type ConsumerRecord,
  type Hold,
  type OffsetWrite,
  OWNERSHIP_LEASE_MS,
} from '../../src/storage/ports/consumer-storage.js';
import { useSchema } from '../support/database/schema-suite.js';

const HERE = { id: 'instance-a', address: '10.0.0.1:50051' };
const THERE = { id: 'instance-b', address: '10.0.0.2:50051' };

describe('consumer store', () => {
  const suite = useSchema({ poolSize: 4 });
  let store: MysqlConsumerStore;
  let count = 0;

  beforeAll(() => {
    store = new MysqlConsumerStore(suite);
  });

  const newKey = (context = 'default') => ({ context, name: `consumer-${++count}` });
  const create = async (key = newKey(), settings = DEFAULT_SETTINGS): Promise<ConsumerRecord> =>
    (await store.create({ ...key, settings, offset: 7, createdAt: 1_700_000_000_000_000 })).record;
  const acquire = async (record: ConsumerRecord, instance = HERE) => {
    const acquired = await store.acquire(record, instance, 1_000);
    if (acquired.kind !== 'acquired') throw new Error(`not acquired: ${acquired.kind}`);
    return acquired;
  };
  const write = (hold: Hold, more: Partial<OffsetWrite> = {}): OffsetWrite => ({
    ...{
      hold,
      generation: 1,
      generationLease: 1,
      generationOffset: undefined,
      offset: 10,
      acked: new Uint8Array(0),
      movedAt: undefined,
    },
    ...{ failures: [], failuresOver: [] },
    ...more,
  });
  const failureAt = (position: number): FailureRecord => ({
    ...{ position, attempts: 1, losses: 0, notBeforeMs: 0, failedLease: 5 },
    ...{ cause: { code: 'ACK_TIMEOUT', reason: 'too late' }, parkedAtMs: 0, state: 'RETRY' },
  });
  const endLease = (record: ConsumerRecord) =>
    suite.database.write('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 SECOND WHERE id = ?', [record.id]);

  it('creates a consumer and finds it as it was made', async () => {
    const key = newKey();
    const filter = { topics: ['a', 'ü '], subjects: [3] };
    const settings = { ...DEFAULT_SETTINGS, filter, ackTimeoutMs: 1500, ignoreOwn: true };
    const { record, created } = await store.create({ ...key, settings, offset: 7, createdAt: 1_700_000_000_000_001 });
    expect(created).toBe(true);
    expect(await store.find(key)).toEqual(record);
    expect(record).toMatchObject({
      ...key,
      settings,
      offset: 7,
      generation: 1,
      acked: Buffer.alloc(0),
      owner: undefined,
    });
    expect(record.createdAt).toBe(1_700_000_000_000_001);
  });

  it('returns the consumer that exists, unchanged', async () => {
    const record = await create();
    const again = await store.create({
      ...record,
      settings: { ...DEFAULT_SETTINGS, maxAttempts: 3 },
      offset: 99,
      createdAt: 1,
    });
    expect(again).toEqual({ record, created: false });
  });

  it('creates one consumer when many create it at once', async () => {
    const key = newKey();
    const draft = { ...key, settings: DEFAULT_SETTINGS, offset: 0, createdAt: 1 };
    const results = await Promise.all(Array.from({ length: 8 }, () => store.create(draft)));
    expect(results.filter((result) => result.created)).toHaveLength(1);
    expect(new Set(results.map((result) => result.record.id)).size).toBe(1);
  });

  it('tells names apart byte by byte', async () => {
    await create({ context: 'names', name: 'a' });
    expect(await store.find({ context: 'names', name: 'A' })).toBeUndefined();
    expect(await store.find({ context: 'names', name: 'a ' })).toBeUndefined();
  });

  it('lists by context and name, after one, and by prefix', async () => {
    for (const [context, name] of [
      ['l2', 'a'],
      ['l1', 'b'],
      ['l1', 'a'],
      ['l1', 'ba'],
      ['l1', 'c'],
    ] as const) {
      await create({ context, name });
    }
    const names = async (options: Partial<Parameters<typeof store.list>[0]>) =>
      (await store.list({ context: 'l1', limit: 100, ...options })).map((record) => `${record.context}/${record.name}`);
    expect(await names({})).toEqual(['l1/a', 'l1/b', 'l1/ba', 'l1/c']);
    expect(await names({ namePrefix: 'b' })).toEqual(['l1/b', 'l1/ba']);
    expect(await names({ after: { context: 'l1', name: 'b' }, limit: 1 })).toEqual(['l1/ba']);
    const all = await names({ context: 'all', after: { context: 'l1', name: 'ba' } });
    expect(all.slice(0, 2)).toEqual(['l1/c', 'l2/a']);
  });

  it('gives a consumer to one instance at a time', async () => {
    const record = await create();
    const first = await acquire(record);
    expect(first.record.owner).toEqual(HERE);
    expect(await store.acquire(record, THERE, 10)).toEqual({ kind: 'owned', owner: HERE } satisfies Acquired);
    expect(await store.acquire(newKey(), THERE, 10)).toEqual({ kind: 'unknown' });
  });

  it('gives an abandoned consumer to the next, with a new epoch and leases of its own', async () => {
    const record = await create();
    const first = await acquire(record);
    await endLease(record);
    expect((await store.find(record))?.owner).toBeUndefined();
    const second = await acquire(record, THERE);
    expect(second.hold.epoch).toBe(first.hold.epoch + 1);
    expect(second.leases.next).toBe(first.leases.end);
    expect(await store.flush([write(first.hold, { offset: 50 })])).toEqual(new Set([record.id]));
    expect((await store.find(record))?.offset).toBe(7);
  });

  it('renews everything of an instance at once, and only that', async () => {
    const instance = { id: 'renewing', address: 'x:1' };
    const records = [await create(), await create()];
    for (const record of records) await acquire(record, instance);
    await suite.database.write('UPDATE consumer SET lease_until = NOW(6) WHERE owner = ?', [Buffer.from(instance.id)]);
    expect(await store.renew(instance.id)).toBe(2);
    expect((await store.find(records[1] as ConsumerRecord))?.owner).toEqual(instance);
    expect(await store.renew('nobody')).toBe(0);
    expect(await store.listOwned(instance.id)).toMatchObject(records.map(({ id, name }) => ({ id, name, epoch: 1 })));
  });

  it('releases what is held, so that another may take it at once', async () => {
    const record = await create();
    const { hold } = await acquire(record);
    await store.release([{ ...hold, epoch: hold.epoch - 1 }]);
    expect((await store.find(record))?.owner).toEqual(HERE);
    await store.release([hold]);
    expect((await acquire(record, THERE)).hold.epoch).toBe(hold.epoch + 1);
  });

  it('releases what runs that have ended held, and nothing else', async () => {
    const [name, other] = ['0193f0a4-5b5c-7d1e-8f3a-0123456789ab', '0193f0a4-5b5c-7d1e-8f3a-0123456789ac'];
    const owners = [
      `${name}:000000000009`,
      `${name}:000000000010`,
      `${name}:000000000011`,
      `${other}:000000000001`,
      name,
    ];
    const records: ConsumerRecord[] = [];
    for (const id of owners) {
      const record = await create();
      await acquire(record, { id, address: 'same:1' });
      records.push(record);
    }
    await store.releaseEnded({ first: `${name}:000000000000`, before: `${name}:000000000011` });
    const found = await Promise.all(records.map((record) => store.find(record)));
    expect(found.map((record) => record?.owner?.id)).toEqual([undefined, undefined, ...owners.slice(2)]);
    expect((await acquire(records[0] as ConsumerRecord, THERE)).kind).toBe('acquired');
  });

  it('never reserves a lease twice', async () => {
    const record = await create();
    const { hold, leases } = await acquire(record);
    expect(leases).toEqual({ next: 1, end: 1_001 });
    expect(await store.reserveLeases(hold, 500)).toEqual({ next: 1_001, end: 1_501 });
    const again = await acquire(record);
    expect(again.leases).toEqual({ next: 1_501, end: 2_501 });
    expect(await store.reserveLeases(hold, 500)).toBeUndefined();
  });

  it('writes the places of many consumers and tells which holds are lost', async () => {
    const records = await Promise.all(Array.from({ length: 6 }, () => create()));
    const holds = await Promise.all(records.map(async (record) => (await acquire(record)).hold));
    const stale = await acquire(records[2] as ConsumerRecord);
    const acked = Buffer.from([0, 12, 255, 39]);
    const lost = await store.flush(holds.map((hold) => write(hold, { acked, movedAt: 5 })).reverse());
    expect(lost).toEqual(new Set([stale.hold.id]));
    for (const [index, record] of records.entries()) {
      const expected =
        index === 2 ? { offset: 7, acked: Buffer.alloc(0), movedAt: undefined } : { offset: 10, acked, movedAt: 5 };
      expect(await store.find(record)).toMatchObject(expected);
    }
  });

  it('writes long lists of ranges with the short ones, and nothing of it by way of the disk', async () => {
    const records = await Promise.all(Array.from({ length: 5 }, () => create()));
    const holds = await Promise.all(records.map(async (record) => (await acquire(record)).hold));
    const acked = (index: number) => Buffer.alloc(index === 3 ? 40_000 : index * 100, index + 1);
    const alone = new Database({ url: suite.url, poolSize: 1, random: Math.random });
    const diskTables = async () =>
      (await alone.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Created_tmp_disk_tables'"))[0]?.Value;
    const flush = (writes: OffsetWrite[]) => new MysqlConsumerStore({ database: alone }).flush(writes);
    const before = await diskTables();
    expect(await flush(holds.map((hold, index) => write(hold, { acked: acked(index) })))).toEqual(new Set());
    await flush([write(holds[0] as Hold, { acked: acked(3) })]);
    expect(await diskTables()).toBe(before);
    await alone.close();
    for (const [index, record] of records.entries()) {
      expect((await store.find(record))?.acked).toEqual(acked(index === 0 ? 3 : index));
    }
  });

  it('stores failure records with the place, replaces and settles them', async () => {
    const record = await create();
    const { hold } = await acquire(record);
    const failure = failureAt(11);
    await store.flush([write(hold, { failures: [failure, failureAt(12)] })]);
    await store.flush([write(hold, { failures: [{ ...failure, attempts: 2 }], failuresOver: [12] })]);
    expect((await acquire(record)).failures).toEqual([{ ...failure, attempts: 2, cause: undefined }]);
  });

  it('stores why an event failed and since when it is parked, and leaves texts as they are where none are given', async () => {
    const record = await create();
    const { hold } = await acquire(record);
    const cause = { code: 'NO_STOCK', reason: 'nothing left 🎉'.repeat(100) };
    const parked = { ...failureAt(11), failedLease: 7, cause, parkedAtMs: 1_700_000_000_123, state: 'PARKED' as const };
    await store.flush([write(hold, { failures: [parked, failureAt(12)] })]);
    await store.flush([write(hold, { failures: [{ ...parked, cause: undefined, state: 'REPLAY' }] })]);
    const rows = await suite.database.query(
      'SELECT position, code, reason, parked_at, failed_lease, state FROM consumer_trouble WHERE consumer_id = ? ORDER BY position',
      [record.id],
    );
    const reason = cause.reason.slice(0, 1_024);
    expect(rows).toEqual([
      { position: 11, code: 'NO_STOCK', reason, parked_at: 1_700_000_000_123_000, failed_lease: 7, state: 3 },
      { position: 12, code: 'ACK_TIMEOUT', reason: 'too late', parked_at: 0, failed_lease: 5, state: 1 },
    ]);
    expect((await acquire(record)).failures[0]).toEqual({ ...parked, cause: undefined, state: 'REPLAY' });
  });

  it('hands over very many parked events, without their texts', async () => {
    const record = await create();
    const { hold } = await acquire(record);
    const cause = { code: 'BAD', reason: 'x'.repeat(1_024) };
    const failures = Array.from({ length: 20_000 }, (_, index) => ({
      ...{ ...failureAt(11 + index), cause, parkedAtMs: 1_700_000_000_000, state: 'PARKED' as const },
    }));
    await store.flush([write(hold, { failures })]);
    const found = (await acquire(record)).failures;
    expect(found).toHaveLength(failures.length);
    expect(found.at(-1)).toEqual({ ...failures.at(-1), cause: undefined });
    expect(await store.countParked([record.id])).toEqual(new Map([[record.id, failures.length]]));
    const next = await acquire(record);
    await store.flush([write(next.hold, { failuresOver: failures.map(({ position }) => position) })]);
    expect((await acquire(record)).failures).toEqual([]);
  });

  it('counts the parked events of many consumers', async () => {
    const [none, some, many] = [await create(), await create(), await create()];
    for (const [record, count] of [
      [some, 2],
      [many, 700],
    ] as const) {
      const positions = Array.from({ length: count }, (_, index) => 11 + index);
      const parked = positions.map((position) => ({ ...failureAt(position), state: 'PARKED' as const }));
      const { hold } = await acquire(record);
      await store.flush([write(hold, { failures: [...parked, failureAt(10_000)] })]);
    }
    expect(await store.countParked([none.id, some.id, many.id])).toEqual(
      new Map([
        [some.id, 2],
        [many.id, 700],
      ]),
    );
    expect(await store.countParked([])).toEqual(new Map());
  });

  it('stores no failure record for a consumer whose hold is lost', async () => {
    const record = await create();
    const { hold } = await acquire(record);
    const next = await acquire(record);
    expect(await store.flush([write(hold, { failures: [failureAt(11)] })])).toEqual(new Set([next.hold.id]));
    expect((await acquire(record)).failures).toEqual([]);
  });

  it('writes a new generation with the place that it begins at', async () => {
    const record = await create();
    const { hold } = await acquire(record);
    expect(record.generationOffset).toBe(record.offset);
    await store.flush([
      write(hold, { generation: 2, generationLease: 33, generationOffset: 3, offset: 4, movedAt: 8 }),
    ]);
    const begun = { generation: 2, generationLease: 33, generationOffset: 3, offset: 4, movedAt: 8 };
    expect(await store.find(record)).toMatchObject(begun);
    await store.flush([write(hold, { generation: 2, generationLease: 33, offset: 5 })]);
    expect(await store.find(record)).toMatchObject({ generationOffset: 3, offset: 5 });
  });

  it('continues generation and leases of a consumer that is deleted and created again', async () => {
    const record = await create();
    const { hold, leases } = await acquire(record);
    expect(await store.delete(hold)).toBe(true);
    expect(await store.delete(hold)).toBe(false);
    expect(await store.find(record)).toBeUndefined();
    expect((await store.acquire(record, HERE, 1)).kind).toBe('unknown');
    const again = await create(record);
    expect(again).toMatchObject({ id: record.id, generation: 2, generationLease: leases.end, offset: 7 });
    expect((await acquire(again)).leases.next).toBe(leases.end);
  });

  it('sweeps ephemeral consumers that nobody has run for a minute', async () => {
    const settings = { ...DEFAULT_SETTINGS, ephemeral: true };
    const [orphan, fresh] = [await create(newKey(), settings), await create(newKey(), settings)];
    const lasting = await create();
    await suite.database.write('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 61 SECOND WHERE id IN (?, ?)', [
      orphan.id,
      lasting.id,
    ]);
    const found = await store.sweepEphemeral([]);
    expect(found.map(({ id }) => id)).toEqual([orphan.id]);
    expect(await store.find(orphan)).toBeDefined();
    await store.sweepEphemeral(found);
    expect(await store.find(orphan)).toBeUndefined();
    expect(await store.find(fresh)).toBeDefined();
    expect(await store.find(lasting)).toBeDefined();
    await suite.database.write('UPDATE consumer SET deleted_at = NOW(6) - INTERVAL 2 DAY WHERE id = ?', [orphan.id]);
    await store.sweepEphemeral([]);
    expect(await suite.database.query('SELECT id FROM consumer WHERE id = ?', [orphan.id])).toEqual([]);
  });

  it('sweeps no ephemeral consumer whose lease seems to have run out because the clock was set ahead', async () => {
    const record = await create(newKey(), { ...DEFAULT_SETTINGS, ephemeral: true });
    await acquire(record, { id: 'set ahead', address: 'x:1' });
    const leap = () =>
      suite.database.write('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 HOUR WHERE id = ?', [record.id]);
    await leap();
    const found = await store.sweepEphemeral([]);
    expect(found.map(({ id }) => id)).toContain(record.id);
    await store.renew('set ahead');
    await store.sweepEphemeral(found);
    expect((await store.find(record))?.owner?.id).toBe('set ahead');
    // Another run of it, which is no longer there either.
    await leap();
    await acquire(record, THERE);
    await leap();
    await store.sweepEphemeral(found);
    expect(await store.find(record)).toBeDefined();
  });

  it('gives an abandoned consumer to the next in time although the clock was set back an hour', async () => {
    const record = await create();
    await acquire(record);
    await suite.database.write('UPDATE consumer SET lease_until = NOW(6) + INTERVAL 1 HOUR WHERE id = ?', [record.id]);
    expect((await store.acquire(record, THERE, 10)).kind).toBe('owned');
    const [row] = await suite.database.query<{ seconds: number }>(
      'SELECT TIMESTAMPDIFF(SECOND, NOW(6), lease_until) AS seconds FROM consumer WHERE id = ?',
      [record.id],
    );
    expect(row?.seconds).toBeLessThanOrEqual(OWNERSHIP_LEASE_MS / 1_000);
    expect(row?.seconds).toBeGreaterThan(OWNERSHIP_LEASE_MS / 1_000 - 5);
  });

  it('looks nothing up by scanning', async () => {
    const plan = async (sql: string) =>
      (await suite.database.query<{ table: string; key: string | null }>(`EXPLAIN FORMAT=TRADITIONAL ${sql}`)).map(
        (row) => row.key,
      );
    expect(await plan("SELECT id FROM consumer WHERE owner = 'x'")).toEqual(['consumer_owner']);
    expect(
      await plan('SELECT id FROM consumer WHERE ephemeral = 1 AND deleted_at IS NULL AND lease_until < NOW(6)'),
    ).toEqual(['consumer_ephemeral']);
    expect(
      await plan(
        'UPDATE consumer SET acked_to = CASE id WHEN 1 THEN 2 WHEN 3 THEN 4 END WHERE id IN (1, 3) ' +
          'AND owner_epoch = CASE id WHEN 1 THEN 5 WHEN 3 THEN 6 END',
      ),
    ).toEqual(['PRIMARY']);
  });

  it('lists consumers of all beside those of a context, and tells what is done above offsets', async () => {
    const context = `listed ${++count}`;
    const own = await create({ context, name: 'own' });
    await create({ context: `${context} beside`, name: 'elsewhere' });
    const everywhere = await create({ context: 'all', name: context });
    const listed = await store.list({ context, withAll: true, limit: 1_000 });
    expect(listed.map(({ id }) => id).filter((id) => id >= own.id)).toEqual([everywhere.id, own.id]);
    expect((await store.list({ context, limit: 10 })).map(({ id }) => id)).toEqual([own.id]);
    const { hold } = await acquire(own);
    const acked = Uint8Array.of(1, 2, 3);
    await store.flush([write(hold, { acked })]);
    expect([...(await store.acked([own.id, everywhere.id]))].map(([id, bytes]) => [id, [...bytes]])).toEqual([
      [own.id, [1, 2, 3]],
    ]);
    expect(await store.acked([])).toEqual(new Map());
  });
});
