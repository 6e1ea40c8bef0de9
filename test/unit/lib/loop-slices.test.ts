// Slices are counted in rows and bytes, and by what else comes between them: not in time.

import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/lib/clock.js';
import { LoopSlices, SLICE_BYTES, SLICE_ROWS } from '../../../src/lib/loop-slices.js';

/** By it each slice takes a millisecond. */
class SlowClock extends SystemClock {
  #readMs = 0;

  override monotonicMs(): number {
    this.#readMs += 1;
    return this.#readMs;
  }
}

/** What was looked at without the event loop having been left to others in between. */
class Meter {
  readonly slices: { rows: number; bytes: number; callers: Set<string> }[] = [];
  #open = false;

  note(bytes: number, caller = ''): boolean {
    if (!this.#open) {
      this.slices.push({ rows: 0, bytes: 0, callers: new Set() });
      this.#open = true;
      setImmediate(() => {
        this.#open = false;
      });
    }
    const slice = this.slices.at(-1) as (typeof this.slices)[number];
    slice.rows += 1;
    slice.bytes += bytes;
    slice.callers.add(caller);
    return true;
  }
}

const bytesOf = (bytes: number) => bytes;
const one = () => 1;
const of = (count: number, bytes: number) => Array.from({ length: count }, () => bytes);

describe('slices of the event loop', () => {
  it.each([
    ['many small rows', of(10 * SLICE_ROWS, 100), 10],
    ['rows of 30 kB', of(40, 30_000), 10],
    ['rows larger than a slice', of(5, 230_000), 5],
  ])('have so many rows and bytes: %s', async (_, sizes, slices) => {
    const meter = new Meter();
    const seen: number[] = [];
    const work = (bytes: number) => {
      seen.push(bytes);
      return meter.note(bytes);
    };
    await new LoopSlices(new SlowClock()).each('a', { items: sizes, bytesOf, look: work });
    expect(seen).toEqual(sizes);
    expect(meter.slices).toHaveLength(slices);
    for (const { rows, bytes } of meter.slices) {
      expect(rows).toBeLessThanOrEqual(SLICE_ROWS);
      if (rows > 1) expect(bytes).toBeLessThanOrEqual(SLICE_BYTES);
    }
  });

  it('are taken in turn by callers, however many questions one of them asks', async () => {
    const slices = new LoopSlices(new SlowClock());
    const order: string[] = [];
    const ask = (caller: string) =>
      slices.each(caller, { items: of(4, 230_000), bytesOf, look: () => order.push(caller) > 0 });
    await Promise.all([...Array.from({ length: 16 }, () => ask('greedy')), ask('modest')]);
    expect(order).toHaveLength(68);
    // From when it is known, every second slice is of the one who asked one thing.
    expect(order.slice(0, 10).filter((caller) => caller === 'modest')).toHaveLength(4);
  });

  it('leave the loop to others only after work that is worth it', async () => {
    class QuickClock extends SystemClock {
      override monotonicMs(): number {
        return 0;
      }
    }
    const meter = new Meter();
    const slices = new LoopSlices(new QuickClock());
    const ask = () => slices.each('a', { items: of(10, 10), bytesOf, look: (bytes) => meter.note(bytes) });
    await Promise.all(Array.from({ length: 50 }, ask));
    expect(meter.slices).toHaveLength(1);
  });

  it('end with what the work says, and with the signal', async () => {
    const slices = new LoopSlices(new SlowClock());
    const seen: number[] = [];
    await slices.each('a', { items: [1, 2, 3, 4], bytesOf: one, look: (n) => seen.push(n) < 2 });
    expect(seen).toEqual([1, 2]);
    const gone = new AbortController();
    const look = (n: number) => {
      if (n === 6) gone.abort(new Error('gone'));
      return seen.push(n) > 0;
    };
    const work = { items: [5, 6, 7], bytesOf: () => SLICE_BYTES, look };
    await expect(slices.each('a', work, gone.signal)).rejects.toThrow('gone');
    expect(seen).toEqual([1, 2, 5, 6]);
  });

  it('end with an error of the work, and others go on', async () => {
    const slices = new LoopSlices(new SlowClock());
    const look = () => {
      throw new Error('broken');
    };
    await expect(slices.each('a', { items: [1], bytesOf: one, look })).rejects.toThrow('broken');
    expect(
      await slices.filter(
        'b',
        [1, 2, 3],
        () => SLICE_BYTES,
        (n) => n !== 2,
      ),
    ).toEqual([1, 3]);
  });
});
