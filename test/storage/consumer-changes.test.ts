// Changes of consumers by groups: what a group finds of them, and that it writes what was found to be so, and nothing else.

import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import type { SavedPlace } from '../../src/domain/consumers/managed/consumer-snapshot.js';
import type { OffsetMove } from '../../src/domain/consumers/managed/offset-move.js';
import { encodeRanges } from '../../src/domain/consumers/position-ranges.js';
import type { PlannedChange } from '../../src/domain/group/group-plan-types.js';
import type { ConsumerChange, HeldChange } from '../../src/domain/management/consumer-change.js';
import { scopedKey } from '../../src/domain/names.js';
import { readConsumers, writeChanges, writeConsumers } from '../../src/storage/mysql/consumers/consumer-changes.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import { MysqlPlaceStore } from '../../src/storage/mysql/consumers/place-store.js';
import { useSchema } from '../support/database/schema-suite.js';

const INSTANCE = { id: 'instance-a', address: '10.0.0.1:50051' };
/** Stored states of failures. */
const [RETRY, PARKED, REPLAY] = [1, 2, 3];
const FAILURES = [
  [1, RETRY],
  [2, PARKED],
  [3, REPLAY],
  [4, PARKED],
] as const;
const PAUSE = { pausedAt: 1_700_000_000_000_001, by: 'ü🎉'.repeat(42), reason: 'zwei\nZeilen '.repeat(78) };
const START = { generation: 5, firstLease: 77, offset: 2 };

const MOVE: OffsetMove = {
  ...{ kind: 'SEEK', movedAt: 8, by: 'anna', reason: 'again', snapshot: '', formerOffset: 7, offset: 2, generation: 5 },
};
const SEEK = { start: START, acked: new Uint8Array(), movedAt: 8, move: MOVE };
const PLACE: SavedPlace = {
  ...{ name: 'before', offset: 2, doneTo: 3, acked: encodeRanges([[3, 3]]), generation: 1, savedAt: 9, by: 'anna' },
  settings: DEFAULT_SETTINGS,
};

const suite = useSchema({ poolSize: 4 });
let store: MysqlConsumerStore;
let places: MysqlPlaceStore;
let count = 0;

beforeAll(() => {
  store = new MysqlConsumerStore(suite);
  places = new MysqlPlaceStore(suite);
});

const ignore = () => {};
const newKey = () => ({ context: 'default', name: `consumer-${++count}` });
const creation = (key: { context: string; name: string }, offset = 7) =>
  ({ kind: 'create', key, settings: DEFAULT_SETTINGS, offset, createdAt: 9, by: 'anna' }) as const;

/** A consumer that is run here, with one failure record of each state. */
async function held() {
  const key = newKey();
  await store.create({ ...key, settings: DEFAULT_SETTINGS, offset: 1, createdAt: 1 });
  const acquired = await store.acquire(key, INSTANCE, 10);
  if (acquired.kind !== 'acquired') throw new Error(acquired.kind);
  const { hold } = acquired;
  for (const [position, state] of FAILURES) {
    await suite.database.query(
      `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
       VALUES (?, ?, 3, 0, 0, '', ?)`,
      [hold.id, position, state],
    );
  }
  return { key, hold };
}

async function failures(id: number): Promise<[number, number, number][]> {
  const rows = await suite.database.query<{ position: number; state: number; attempts: number }>(
    'SELECT position, state, attempts FROM consumer_trouble WHERE consumer_id = ? ORDER BY position',
    [id],
  );
  return rows.map(({ position, state, attempts }) => [position, state, attempts]);
}

const UNTOUCHED = FAILURES.map(([position, state]) => [position, state, 3]);

const found = async (changes: readonly ConsumerChange[]) => readConsumers(suite.database, changes, ignore);
const write = (planned: readonly PlannedChange[]) =>
  suite.database.transaction((transaction) => writeChanges(transaction, planned, ignore));

const movesOf = (consumerId: number) => places.listMoves({ consumerId, before: undefined, limit: 100 });
const namesOf = async (consumerId: number) =>
  (await places.listSnapshots({ consumerId, after: undefined, limit: 100 })).map(({ name }) => name);

type Held = Awaited<ReturnType<typeof held>>;
const CHANGES: readonly (readonly [string, (of: Held) => HeldChange])[] = [
  ['configure', (of) => ({ kind: 'configure', ...of, settings: DEFAULT_SETTINGS, start: undefined })],
  ['configure anew', (of) => ({ kind: 'configure', ...of, settings: DEFAULT_SETTINGS, start: START })],
  ['seek', (of) => ({ kind: 'seek', ...of, ...SEEK })],
  ['save a snapshot', (of) => ({ kind: 'save-snapshot', ...of, place: PLACE })],
  ['delete a snapshot', (of) => ({ kind: 'delete-snapshot', ...of, name: PLACE.name })],
  ['pause', (of) => ({ kind: 'pause', ...of, pause: PAUSE })],
  ['replay', (of) => ({ kind: 'replay', ...of, positions: [2] })],
  ['discard', (of) => ({ kind: 'discard', ...of, positions: [2, 3] })],
  ['delete', (of) => ({ kind: 'delete', ...of })],
];

it('finds consumers by their names, deleted ones and what is parked included', async () => {
  const [one, gone, nobody] = [await held(), await held(), newKey()];
  await store.delete(gone.hold);
  const consumers = await found([
    { kind: 'replay', ...one, positions: [1, 2, 5] },
    { kind: 'discard', ...one, positions: [3] },
    { kind: 'delete', ...gone },
    creation(nobody),
  ]);
  const keyOf = ({ context, name }: { context: string; name: string }) => scopedKey(context, name);
  expect(Object.fromEntries(consumers)).toEqual({
    [keyOf(one.key)]: {
      ...{ id: one.hold.id, epoch: one.hold.epoch, isDeleted: false },
      parked: new Map([
        [2, { replaying: false }],
        [3, { replaying: true }],
      ]),
    },
    [keyOf(gone.key)]: { id: gone.hold.id, epoch: gone.hold.epoch + 1, isDeleted: true, parked: new Map() },
  });
});

it('has the rows of all consumers by ascending id before it takes parked events and makes changes', async () => {
  const [first, second] = [await held(), await held()];
  const { id: consumerId, epoch: ownerEpoch } = second.hold;
  const writes = {
    replaced: [{ consumerId, ownerEpoch, position: 2 }],
    consumers: [{ change: { kind: 'pause', ...first, pause: PAUSE } as const, id: first.hold.id }],
  };
  const locked: unknown[] = [];
  const isDone = await suite.database.transaction((transaction) => {
    const execute: typeof transaction.execute = (sql, values = []) => {
      if (sql.includes('FOR UPDATE')) locked.push(...new Set(values));
      return transaction.execute(sql, values);
    };
    const [query, write] = [transaction.query.bind(transaction), transaction.write.bind(transaction)];
    return writeConsumers({ query, execute, write }, writes, ignore);
  });
  expect(isDone).toBe(true);
  expect(locked.slice(0, 2)).toEqual([first.hold.id, consumerId]);
  expect(await failures(consumerId)).toEqual(UNTOUCHED.filter(([position]) => position !== 2));
  expect((await store.find(first.key))?.pause).toEqual(PAUSE);
});

describe('a creation', () => {
  it('makes several at once, and deleted ones anew', async () => {
    const [one, other, gone] = [newKey(), newKey(), await held()];
    await store.delete(gone.hold);
    const again = { change: creation(gone.key), id: gone.hold.id };
    expect(
      await write([{ change: creation(one), id: undefined }, again, { change: creation(other), id: undefined }]),
    ).toBe(true);
    for (const key of [one, other]) {
      expect(await store.find(key)).toMatchObject({ ...key, generation: 1, offset: 7, createdAt: 9 });
    }
    expect(await store.find(gone.key)).toMatchObject({ id: gone.hold.id, generation: 2, offset: 7 });
    expect(await write([again])).toBe(false);
  });

  it('is kept as the first move, or the next one of what was there before; not of what goes with its last member', async () => {
    const [one, other, gone] = [newKey(), newKey(), await held()];
    const ephemeral = { ...creation(newKey()), settings: { ...DEFAULT_SETTINGS, ephemeral: true } };
    await store.delete(gone.hold);
    const created = [one, other].map((key) => ({ change: { ...creation(key), by: key.name }, id: undefined }));
    const more = { change: ephemeral, id: undefined };
    expect(await write([...created, { change: creation(gone.key, 5), id: gone.hold.id }, more])).toBe(true);
    const made = { kind: 'CREATED', movedAt: 9, reason: '', snapshot: '' };
    for (const key of [one, other]) {
      const { id = 0 } = (await store.find(key)) ?? {};
      const move = { ...made, by: key.name, formerOffset: undefined, offset: 7, generation: 1 };
      expect(await movesOf(id)).toEqual([{ id: expect.any(Number), ...move }]);
    }
    const again = { ...made, by: 'anna', formerOffset: 1, offset: 5, generation: 2 };
    expect(await movesOf(gone.hold.id)).toMatchObject([again]);
    expect(await movesOf((await store.find(ephemeral.key))?.id ?? 0)).toEqual([]);
  });

  it('makes nothing where there is one of the name by now', async () => {
    const [one, other] = [await held(), newKey()];
    const both = [other, one.key].map((key) => ({ change: creation(key), id: undefined }));
    expect(await write(both)).toBe(false);
    expect(await store.find(one.key)).toMatchObject({ offset: 1 });
  });
});

describe('a change of a consumer that is run here', () => {
  it('stores settings, with the generation that begins with them', async () => {
    const one = await held();
    const settings = { ...DEFAULT_SETTINGS, maxAttempts: 99 };
    const { id } = one.hold;
    expect(await write([{ change: { kind: 'configure', ...one, settings, start: undefined }, id }])).toBe(true);
    expect(await store.find(one.key)).toMatchObject({ settings, generation: 1, offset: 1 });
    expect(await failures(id)).toEqual(UNTOUCHED);
    expect(await write([{ change: { kind: 'configure', ...one, settings, start: START }, id }])).toBe(true);
    const begun = { generation: 5, generationLease: 77, generationOffset: 2, offset: 2, acked: new Uint8Array(0) };
    expect(await store.find(one.key)).toMatchObject({ ...begun, acked: expect.toSatisfy((a) => a.length === 0) });
    expect(await failures(id)).toEqual([[2, PARKED, 3]]);
  });

  it('moves the place', async () => {
    const one = await held();
    const { id } = one.hold;
    expect(await write([{ change: { kind: 'seek', ...one, ...SEEK }, id }])).toBe(true);
    expect(await store.find(one.key)).toMatchObject({ generation: 5, generationLease: 77, offset: 2, movedAt: 8 });
    expect(await failures(id)).toEqual([[2, PARKED, 3]]);
  });

  it('goes to a place with what is done above it: what is parked there stays so', async () => {
    const one = await held();
    const { id } = one.hold;
    const acked = encodeRanges([[3, 3]]);
    const move = { ...MOVE, kind: 'RESTORED', snapshot: 'before' } as const;
    const start = { ...START, offset: 1 };
    expect(await write([{ change: { kind: 'seek', ...one, ...SEEK, start, acked, move }, id }])).toBe(true);
    expect((await store.find(one.key))?.acked).toEqual(Buffer.from(acked));
    expect(await failures(id)).toEqual([[3, REPLAY, 3]]);
    expect(await movesOf(id)).toMatchObject([move]);
  });

  it('forgets what lies beyond all that is done with one statement', async () => {
    const one = await held();
    const beyond = Array.from({ length: 1_200 }, (_, n) => `(${one.hold.id}, ${10 + n}, 3, 0, 0, '', ${PARKED})`);
    await suite.database.query(
      `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
       VALUES ${beyond.join()}`,
    );
    const change = { kind: 'seek', ...one, ...SEEK, acked: encodeRanges([[3, 3]]) } as const;
    const forgotten: number[] = [];
    await suite.database.transaction((transaction) => {
      const write: typeof transaction.write = async (sql, values) => {
        const result = await transaction.write(sql, values);
        if (sql.includes('DELETE FROM consumer_trouble')) forgotten.push(result.affectedRows);
        return result;
      };
      const { query, execute } = transaction;
      const counted = { query: query.bind(transaction), execute: execute.bind(transaction), write };
      return writeChanges(counted, [{ change, id: one.hold.id }], ignore);
    });
    // The retry at 1, what is parked at 4, and all beyond.
    expect(forgotten).toEqual([1_202]);
    expect(await failures(one.hold.id)).toEqual([
      [2, PARKED, 3],
      [3, REPLAY, 3],
    ]);
  });

  it('keeps places under their names, and deletes them', async () => {
    const one = await held();
    const { id } = one.hold;
    const save = (place: SavedPlace) => write([{ change: { kind: 'save-snapshot', ...one, place }, id }]);
    expect(await save(PLACE)).toBe(true);
    expect(await save({ ...PLACE, name: 'after' })).toBe(true);
    expect(await save({ ...PLACE, offset: 5 })).toBe(true);
    expect(await places.findSnapshot(id, PLACE.name)).toMatchObject({ offset: 5, doneTo: 3 });
    expect(await places.countSnapshots(id)).toBe(2);
    const gone = { kind: 'delete-snapshot', ...one, name: PLACE.name } as const;
    expect(await write([{ change: gone, id }])).toBe(true);
    expect(await write([{ change: gone, id }])).toBe(false);
    expect(await namesOf(id)).toEqual(['after']);
  });

  it('pauses it until that ends, for whoever takes it over', async () => {
    const one = await held();
    const { id } = one.hold;
    expect((await store.find(one.key))?.pause).toBeUndefined();
    expect(await write([{ change: { kind: 'pause', ...one, pause: PAUSE }, id }])).toBe(true);
    expect(await store.acquire(one.key, INSTANCE, 10)).toMatchObject({ record: { pause: PAUSE } });
    const { context, name: namePrefix } = one.key;
    expect(await store.list({ context, namePrefix, limit: 1 })).toMatchObject([{ id, pause: PAUSE }]);
    const hold = { id, epoch: one.hold.epoch + 1 };
    expect(await write([{ change: { kind: 'pause', key: one.key, hold, pause: undefined }, id }])).toBe(true);
    expect((await store.find(one.key))?.pause).toBeUndefined();
  });

  it('makes anew what was deleted while it was paused as one that is not', async () => {
    const one = await held();
    const { id } = one.hold;
    await write([{ change: { kind: 'pause', ...one, pause: PAUSE }, id }]);
    await write([{ change: { kind: 'delete', ...one }, id }]);
    await write([{ change: creation(one.key), id }]);
    expect((await store.find(one.key))?.pause).toBeUndefined();
  });

  it('replays and discards what is parked', async () => {
    const one = await held();
    const { id } = one.hold;
    expect(await write([{ change: { kind: 'replay', ...one, positions: [2] }, id }])).toBe(true);
    expect(await failures(id)).toEqual([
      [1, RETRY, 3],
      [2, REPLAY, 0],
      [3, REPLAY, 3],
      [4, PARKED, 3],
    ]);
    expect(await write([{ change: { kind: 'discard', ...one, positions: [3, 4] }, id }])).toBe(true);
    expect(await failures(id)).toEqual([
      [1, RETRY, 3],
      [2, REPLAY, 0],
    ]);
  });

  it.each([1, 5])('takes for parked what is parked: not position %i', async (position) => {
    const one = await held();
    const { id } = one.hold;
    for (const kind of ['replay', 'discard'] as const) {
      expect(await write([{ change: { kind, ...one, positions: [2, position] }, id }])).toBe(false);
    }
  });

  it('deletes it with all that is kept of it', async () => {
    const one = await held();
    expect(await write([{ change: { kind: 'delete', ...one }, id: one.hold.id }])).toBe(true);
    expect(await store.find(one.key)).toBeUndefined();
    expect(await failures(one.hold.id)).toEqual([]);
  });

  it('deletes its snapshots with it, and keeps who moved it', async () => {
    const one = await held();
    const { id } = one.hold;
    await write([{ change: { kind: 'seek', ...one, ...SEEK }, id }]);
    await write([{ change: { kind: 'save-snapshot', ...one, place: PLACE }, id }]);
    await write([{ change: { kind: 'delete', ...one }, id }]);
    expect(await namesOf(id)).toEqual([]);
    expect(await movesOf(id)).toHaveLength(1);
  });

  it.each(CHANGES)('does not %s what has another owner, or is gone', async (_what, change) => {
    const [taken, gone] = [await held(), await held()];
    await store.acquire(taken.key, INSTANCE, 10);
    await store.delete(gone.hold);
    for (const one of [taken, gone]) expect(await write([{ change: change(one), id: one.hold.id }])).toBe(false);
    expect(await failures(taken.hold.id)).toEqual(UNTOUCHED);
    expect(await store.find(taken.key)).toMatchObject({ settings: DEFAULT_SETTINGS, generation: 1, offset: 1 });
  });
});
