// Rows of the table of states in consumer-ownership.ts, on the real database and a clock that the test moves.

import { beforeAll, describe, expect, it } from 'vitest';
import { type ConsumerKey, DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { ConsumerOwnership, type Ownership } from '../../src/engine/consumers/ownership/consumer-ownership.js';
import { SystemClock } from '../../src/lib/clock.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import { useSchema } from '../support/database/schema-suite.js';

class ManualClock extends SystemClock {
  now = 1_000_000;

  override monotonicMs(): number {
    return this.now;
  }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe('consumer ownership', () => {
  const suite = useSchema({ poolSize: 4 });
  let store: MysqlConsumerStore;
  let count = 0;

  beforeAll(() => {
    store = new MysqlConsumerStore(suite);
  });

  const newConsumer = async (): Promise<ConsumerKey> => {
    const key = { context: 'default', name: `owned-${++count}` };
    await store.create({ ...key, settings: DEFAULT_SETTINGS, offset: 0, createdAt: 1 });
    return key;
  };
  const newOwner = (id = `owner-${++count}`) => {
    const clock = new ManualClock();
    const instance = { id, address: `${id}:1` };
    return { clock, instance, ownership: new ConsumerOwnership({ store, instance, clock, logger: silent }) };
  };
  const hold = async (ownership: ConsumerOwnership, key: ConsumerKey) => {
    const told: string[] = [];
    const { ownership: held } = await ownership.acquire(key);
    if (held === undefined) throw new Error('not acquired');
    ownership.listen(key, { leaseTrustedAgain: () => told.push('trusted again'), loseHold: () => told.push('lost') });
    return { held: held as Ownership, told };
  };
  const giveAway = (key: ConsumerKey) =>
    suite.database.write("UPDATE consumer SET owner = 'thief', owner_epoch = owner_epoch + 1 WHERE name = ?", [
      Buffer.from(key.name),
    ]);

  it('trusts a lease for two thirds of its time since it was asked for', async () => {
    const { clock, ownership } = newOwner();
    const { held } = await hold(ownership, await newConsumer());
    clock.now += 9_999;
    expect(held.trusted).toBe(true);
    clock.now += 1;
    expect(held.trusted).toBe(false);
  });

  it('trusts it again, and says so, when a late renewal succeeds', async () => {
    const { clock, ownership } = newOwner();
    const { held, told } = await hold(ownership, await newConsumer());
    clock.now += 4_000;
    await ownership.renew();
    expect(told).toEqual([]);
    clock.now += 12_000;
    expect(held.trusted).toBe(false);
    await ownership.renew();
    expect(held.trusted).toBe(true);
    expect(told).toEqual(['trusted again']);
  });

  it('finds by renewing what it lost, and keeps the rest', async () => {
    const { ownership } = newOwner();
    const [kept, gone] = [await newConsumer(), await newConsumer()];
    const [keptHold, goneHold] = [await hold(ownership, kept), await hold(ownership, gone)];
    await giveAway(gone);
    await ownership.renew();
    expect([keptHold.told, goneHold.told]).toEqual([[], ['lost']]);
    await ownership.renew();
    expect(goneHold.told).toEqual(['lost']);
  });

  it('is not misled when one consumer was lost and a stray one counts in its place', async () => {
    const { ownership, instance } = newOwner();
    const [gone, stray] = [await newConsumer(), await newConsumer()];
    const { told } = await hold(ownership, gone);
    // An acquisition whose answer was lost: the row names us, but nothing runs here.
    await store.acquire(stray, instance, 1);
    await giveAway(gone);
    await ownership.renew();
    expect(told).toEqual(['lost']);
    expect((await store.find(stray))?.owner).toBeUndefined();
  });

  it('says nothing about what it released', async () => {
    const { clock, ownership } = newOwner();
    const key = await newConsumer();
    const { told } = await hold(ownership, key);
    clock.now += 20_000;
    await ownership.release([key]);
    expect((await store.find(key))?.owner).toBeUndefined();
    await ownership.renew();
    expect(told).toEqual([]);
  });

  it('leaves a consumer alone whose lease is good elsewhere', async () => {
    const [here, there] = [newOwner(), newOwner()];
    const key = await newConsumer();
    await hold(here.ownership, key);
    const { acquired, ownership } = await there.ownership.acquire(key);
    expect(acquired).toEqual({ kind: 'owned', owner: here.instance });
    expect(ownership).toBeUndefined();
  });
});
