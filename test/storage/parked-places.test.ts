// Places of parked events: what a group reads of them, and that it takes what is still there as it was, and nothing else.

import { beforeAll, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { type ParkedPlace, parkedKey, type ReplacedPlace } from '../../src/domain/group/group-plan-types.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import { readParked, takeParked } from '../../src/storage/mysql/consumers/parked-places.js';
import { useSchema } from '../support/database/schema-suite.js';

const INSTANCE = { id: 'instance-a', address: '10.0.0.1:50051' };
/** Stored states of failures. */
const [RETRY, PARKED, REPLAY] = [1, 2, 3];

const suite = useSchema({ poolSize: 4 });
let store: MysqlConsumerStore;

beforeAll(() => {
  store = new MysqlConsumerStore(suite);
});

let count = 0;

/** A consumer that is run here, with one entry of each state; places of it by their positions. */
async function consumer() {
  const key = { context: 'default', name: `consumer-${++count}` };
  await store.create({ ...key, settings: DEFAULT_SETTINGS, offset: 0, createdAt: 1 });
  const acquired = await store.acquire(key, INSTANCE, 10);
  if (acquired.kind !== 'acquired') throw new Error(acquired.kind);
  const { id: consumerId, epoch: ownerEpoch } = acquired.hold;
  for (const [position, state] of [
    [1, RETRY],
    [2, PARKED],
    [3, REPLAY],
    [4, PARKED],
  ]) {
    await suite.database.query(
      `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
       VALUES (?, ?, 3, 0, 0, '', ?)`,
      [consumerId, position as number, state as number],
    );
  }
  const place = (position: number): ReplacedPlace => ({ consumerId, ownerEpoch, position, erasedTo: 0 });
  return { key, hold: acquired.hold, place };
}

const ignore = () => {};

async function statesOf(places: readonly ReplacedPlace[]) {
  const states = await readParked(suite.database, places, ignore);
  return places.map((place) => states.get(parkedKey(place)));
}

async function stored(consumerId: number): Promise<number[]> {
  const rows = await suite.database.query<{ position: number }>(
    'SELECT position FROM consumer_trouble WHERE consumer_id = ? ORDER BY position',
    [consumerId],
  );
  return rows.map(({ position }) => position);
}

const take = (places: readonly ParkedPlace[]) =>
  suite.database.transaction((transaction) => takeParked(transaction, places, ignore));

it('says what is at a place', async () => {
  const { place } = await consumer();
  expect(await statesOf([1, 2, 3, 5].map(place))).toEqual(['empty', 'parked', 'replaying', 'empty']);
});

it('says that a place is lost to another owner, or with its consumer', async () => {
  const { key, hold, place } = await consumer();
  await store.acquire(key, INSTANCE, 10);
  const anew = { ...place(2), ownerEpoch: hold.epoch + 1 };
  expect(await statesOf([place(2), anew])).toEqual(['lost', 'parked']);
  await store.delete({ id: hold.id, epoch: anew.ownerEpoch });
  expect(await statesOf([anew, { ...anew, consumerId: 999_999 }])).toEqual(['lost', 'lost']);
});

it('says that what was read of a place is outdated once something was erased', async () => {
  const { place } = await consumer();
  await suite.database.query(
    `INSERT INTO erasure (position, context_id, subject_digest, stream_id, before_event_id, decided_at, done_to, events, moved_at)
     VALUES (7, 0, ?, NULL, 1, 1, 0, 0, 1)`,
    [Buffer.alloc(32)],
  );
  const read = (position: number, erasedTo: number) => ({ ...place(position), erasedTo });
  expect(await statesOf([read(2, 6)])).toEqual(['outdated']);
  expect(await statesOf([read(2, 7), read(3, 6), read(5, 6)])).toEqual(['parked', 'replaying', 'empty']);
  await suite.database.query('DELETE FROM erasure');
});

it('takes what is parked, of several consumers', async () => {
  const [one, other] = [await consumer(), await consumer()];
  expect(await take([other.place(4), one.place(2), other.place(2)])).toBe(true);
  expect(await stored(one.hold.id)).toEqual([1, 3, 4]);
  expect(await stored(other.hold.id)).toEqual([1, 3]);
  expect(await take([one.place(2)])).toBe(false);
});

it.each([1, 3, 5])('does not take what is not parked: position %i', async (position) => {
  const { hold, place } = await consumer();
  expect(await take([place(position)])).toBe(false);
  expect(await stored(hold.id)).toEqual([1, 2, 3, 4]);
});

it('does not take what has another owner', async () => {
  const { key, hold, place } = await consumer();
  await store.acquire(key, INSTANCE, 10);
  expect(await take([place(2)])).toBe(false);
  expect(await stored(hold.id)).toEqual([1, 2, 3, 4]);
});
