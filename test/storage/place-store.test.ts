// Moves of offsets and snapshots on the real database.

import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, Ordering } from '../../src/domain/consumers/consumer.js';
import type { SavedPlace } from '../../src/domain/consumers/managed/consumer-snapshot.js';
import type { OffsetMove } from '../../src/domain/consumers/managed/offset-move.js';
import { EVERY_EVENT } from '../../src/domain/consumers/settings/consumer-filter.js';
import { MysqlPlaceStore } from '../../src/storage/mysql/consumers/place-store.js';
import {
  deleteSnapshot,
  deleteSnapshots,
  insertMove,
  saveSnapshot,
} from '../../src/storage/mysql/consumers/place-writes.js';
import { MAX_FORGOTTEN } from '../../src/storage/ports/place-storage.js';
import { useSchema } from '../support/database/schema-suite.js';

const NOON = 1_700_000_000_000_001;
const SEEK: OffsetMove = {
  ...{ kind: 'SEEK', movedAt: NOON, by: 'anna', reason: 'zwei\nZeilen 🎉', snapshot: '' },
  ...{ formerOffset: 2 ** 53 - 1, offset: 7, generation: 3 },
};
const PLACE: SavedPlace = {
  ...{
    name: 'before 1.2',
    offset: 7,
    doneTo: 20,
    acked: Buffer.from([1, 10, 10]),
    generation: 3,
    savedAt: NOON,
    by: 'ü',
  },
  settings: { ...DEFAULT_SETTINGS, ordering: Ordering.NONE, filter: { ...EVERY_EVENT, topics: ['a', 'ü '] } },
};

describe('place store', () => {
  const suite = useSchema({ poolSize: 4 });
  let store: MysqlPlaceStore;
  let consumerId = 0;

  beforeAll(() => {
    store = new MysqlPlaceStore(suite);
  });
  const newConsumer = () => ++consumerId;
  const insert = (id: number, move: Partial<OffsetMove> = {}) => insertMove(suite.database, id, { ...SEEK, ...move });
  const save = (id: number, place: Partial<SavedPlace> = {}) =>
    saveSnapshot(suite.database, id, { ...PLACE, ...place });
  const movesOf = (id: number, before?: number, limit = 100) => store.listMoves({ consumerId: id, before, limit });
  const namesOf = async (id: number, after?: string, limit = 100) =>
    (await store.listSnapshots({ consumerId: id, after, limit })).map(({ name }) => name);

  it('keeps moves as they were made, and lists the newest first', async () => {
    const id = newConsumer();
    const created = { kind: 'CREATED', formerOffset: undefined, reason: '', by: '', generation: 1 } as const;
    await insert(id, created);
    await insert(id);
    await insert(id, { kind: 'RESTORED', snapshot: 'before 1.2', reason: 'x'.repeat(1_024), by: 'ü'.repeat(127) });
    await insert(newConsumer());
    const moves = await movesOf(id);
    expect(moves).toMatchObject([
      { kind: 'RESTORED', snapshot: 'before 1.2', reason: 'x'.repeat(1_024), by: 'ü'.repeat(127) },
      SEEK,
      { ...SEEK, ...created },
    ]);
    expect(await movesOf(id, undefined, 2)).toEqual(moves.slice(0, 2));
    expect(await movesOf(id, moves[1]?.id)).toEqual(moves.slice(2));
    expect(await movesOf(id, moves[2]?.id)).toEqual([]);
  });

  it('forgets old moves, the oldest first and some at a time', async () => {
    const id = newConsumer();
    for (let n = 0; n < MAX_FORGOTTEN + 20; n++) await insert(id, { movedAt: 1_000 + n });
    await insert(id);
    expect(await store.forgetMoves(1_000)).toBe(0);
    expect(await store.forgetMoves(NOON)).toBe(MAX_FORGOTTEN);
    expect((await movesOf(id)).at(-1)?.movedAt).toBe(1_000 + MAX_FORGOTTEN);
    expect(await store.forgetMoves(NOON)).toBe(20);
    expect(await movesOf(id)).toMatchObject([SEEK]);
  });

  it('finds a snapshot as it was saved, and none of another name or consumer', async () => {
    const id = newConsumer();
    await save(id);
    expect(await store.findSnapshot(id, PLACE.name)).toEqual(PLACE);
    expect(await store.findSnapshot(id, 'Before 1.2')).toBeUndefined();
    expect(await store.findSnapshot(newConsumer(), PLACE.name)).toBeUndefined();
    const { acked: _, settings: __, ...shown } = PLACE;
    expect(await store.listSnapshots({ consumerId: id, after: undefined, limit: 1 })).toEqual([shown]);
  });

  it('replaces a snapshot of the name, whole', async () => {
    const id = newConsumer();
    await save(id);
    const other = { offset: 99, doneTo: 0, acked: Buffer.alloc(0), settings: DEFAULT_SETTINGS, savedAt: 5, by: '' };
    await save(id, { ...other, generation: 4 });
    expect(await store.findSnapshot(id, PLACE.name)).toEqual({ ...PLACE, ...other, generation: 4 });
    expect(await namesOf(id)).toEqual([PLACE.name]);
  });

  it('keeps a place with very many ranges', async () => {
    const id = newConsumer();
    const acked = Buffer.alloc(200_000, 1);
    await save(id, { acked });
    expect((await store.findSnapshot(id, PLACE.name))?.acked).toEqual(acked);
  });

  it('lists by name in byte order, in pages', async () => {
    const id = newConsumer();
    for (const name of ['b', 'a', 'ä', 'B', 'a b']) await save(id, { name });
    expect(await namesOf(id)).toEqual(['B', 'a', 'a b', 'b', 'ä']);
    expect(await namesOf(id, 'a', 2)).toEqual(['a b', 'b']);
    expect(await namesOf(id, 'ä')).toEqual([]);
  });

  it('deletes one, and all of a consumer', async () => {
    const [id, other] = [newConsumer(), newConsumer()];
    for (const name of ['a', 'b', 'c']) await save(id, { name });
    await save(other);
    expect(await deleteSnapshot(suite.database, id, 'b')).toBe(true);
    expect(await deleteSnapshot(suite.database, id, 'b')).toBe(false);
    expect(await namesOf(id)).toEqual(['a', 'c']);
    await deleteSnapshots(suite.database, id);
    expect(await namesOf(id)).toEqual([]);
    expect(await namesOf(other)).toEqual([PLACE.name]);
  });
});
