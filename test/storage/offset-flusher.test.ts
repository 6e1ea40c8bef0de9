import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { type FlushTarget, OffsetFlusher } from '../../src/engine/consumers/offset-flusher.js';
import { systemClock } from '../../src/lib/clock.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import type { Hold, OffsetWrite } from '../../src/storage/ports/consumer-storage.js';
import { useSchema } from '../support/database/schema-suite.js';
import { waitUntil } from '../support/wait-until.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** A consumer with nothing but an offset. */
class Place implements FlushTarget {
  offset = 0;
  stored = 0;
  lost = false;
  #taken = 0;
  readonly #hold: Hold;

  constructor(hold: Hold) {
    this.#hold = hold;
  }

  get id(): number {
    return this.#hold.id;
  }

  takeWrite(): OffsetWrite | undefined {
    if (this.offset === this.stored) return undefined;
    this.#taken = this.offset;
    const place = {
      generation: 1,
      generationLease: 1,
      generationOffset: undefined,
      offset: this.offset,
      acked: new Uint8Array(0),
      movedAt: undefined,
    };
    return { hold: this.#hold, ...place, failures: [], failuresOver: [] };
  }

  written(): void {
    this.stored = this.#taken;
  }

  loseHold(): void {
    this.lost = true;
  }

  holdLostError(): Error {
    return new Error('hold lost');
  }
}

describe('offset flusher', () => {
  const suite = useSchema({ poolSize: 4 });
  let store: MysqlConsumerStore;
  let count = 0;

  beforeAll(() => {
    store = new MysqlConsumerStore(suite);
  });

  const newPlace = async (): Promise<Place> => {
    const key = { context: 'default', name: `flushed-${++count}` };
    await store.create({ ...key, settings: DEFAULT_SETTINGS, offset: 0, createdAt: 1 });
    const acquired = await store.acquire(key, { id: 'flusher', address: 'x:1' }, 1);
    if (acquired.kind !== 'acquired') throw new Error(acquired.kind);
    return new Place(acquired.hold);
  };
  /** The real store, and how many writes each statement carried. */
  const counted = () => {
    const sizes: number[] = [];
    const flush = (writes: readonly OffsetWrite[]) => {
      sizes.push(writes.length);
      return store.flush(writes);
    };
    return { sizes, flush };
  };
  const offsetOf = async (place: Place) =>
    (await suite.database.query<{ acked_to: number }>('SELECT acked_to FROM consumer WHERE id = ?', [place.id]))[0]
      ?.acked_to;

  it('writes what many consumers had at once in one statement, and what came meanwhile in the next', async () => {
    const { sizes, flush } = counted();
    const flusher = new OffsetFlusher({ store: { flush }, clock: systemClock, logger: silent });
    const places = await Promise.all(Array.from({ length: 5 }, newPlace));
    const [first] = places as [Place];
    for (const place of places) place.offset = 1;
    const flushes = places.map((place) => flusher.flush(place));
    await waitUntil(() => sizes.length === 1, { what: 'the first statement', intervalMs: 1 });
    first.offset = 2;
    await Promise.all([...flushes, flusher.flush(first), flusher.flush(first)]);
    expect(sizes).toEqual([5, 1]);
    expect(await offsetOf(first)).toBe(2);
    expect(first.stored).toBe(2);
  });

  it('takes no more than 64 into a statement', async () => {
    const { sizes, flush } = counted();
    const flusher = new OffsetFlusher({ store: { flush }, clock: systemClock, logger: silent });
    const places = await Promise.all(Array.from({ length: 100 }, newPlace));
    for (const place of places) place.offset = 1;
    await Promise.all(places.map((place) => flusher.flush(place)));
    expect(sizes).toEqual([64, 36]);
  });

  it('asks the database nothing when there is nothing to write', async () => {
    const { sizes, flush } = counted();
    await new OffsetFlusher({ store: { flush }, clock: systemClock, logger: silent }).flush(await newPlace());
    expect(sizes).toEqual([]);
  });

  it('tells only those whose hold is lost', async () => {
    const flusher = new OffsetFlusher({ store, clock: systemClock, logger: silent });
    const [kept, gone] = [await newPlace(), await newPlace()];
    await suite.database.write('UPDATE consumer SET owner_epoch = owner_epoch + 1 WHERE id = ?', [gone.id]);
    kept.offset = 3;
    gone.offset = 3;
    const results = await Promise.allSettled([flusher.flush(kept), flusher.flush(gone)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect([kept.lost, gone.lost]).toEqual([false, true]);
  });

  it('writes by itself what nobody waits for, together', async () => {
    const { sizes, flush } = counted();
    const flusher = new OffsetFlusher({ store: { flush }, clock: systemClock, logger: silent, delayMs: 20 });
    const places = [await newPlace(), await newPlace()];
    for (const place of places) {
      place.offset = 9;
      flusher.flushSoon(place);
    }
    await waitUntil(() => places.every((place) => place.stored === 9), { what: 'both stored' });
    expect(sizes).toEqual([2]);
    flusher.stop();
  });

  it('keeps what could not be written, tells who waits, and writes it later', async () => {
    let fail = true;
    const flush = (writes: readonly OffsetWrite[]) => (fail ? Promise.reject(new Error('away')) : store.flush(writes));
    const flusher = new OffsetFlusher({ store: { flush }, clock: systemClock, logger: silent, delayMs: 10 });
    const place = await newPlace();
    place.offset = 4;
    await expect(flusher.flush(place)).rejects.toThrow('away');
    fail = false;
    await waitUntil(() => place.stored === 4, { what: 'stored after all' });
    flusher.stop();
  });
});
