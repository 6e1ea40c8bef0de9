// How fast events are deleted: pushes stay about as fast as they are while nothing is deleted, whatever a batch takes, however many are
// pushed, and whatever clocks do.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeletionPace, type PushProgress } from '../../../../src/engine/retention/deletion-pace.js';
import { propertyParameters } from '../../../support/property.js';

const NONE: PushProgress = { count: 0, totalMs: 0, head: 0 };
const MINUTE = 60_000;

/** Groups of one event that took so long each, after those before. */
function more({ count, totalMs, head }: PushProgress, groups: number, ms: number): PushProgress {
  return { count: count + groups, totalMs: totalMs + groups * ms, head: head + groups };
}

/** A database in which groups are slower while something is deleted. */
interface Load {
  /** What a group takes otherwise. */
  readonly groupMs: number;
  /** How often it takes that meanwhile. */
  readonly slowdown: number;
  readonly batchMs: number;
  readonly groupsPerSecond: number;
  /** Of a batch; few do not count. */
  readonly entries?: number;
}

/** Deletes for some minutes, as retention does. */
class Deleting {
  readonly #pace = new DeletionPace();
  #load: Load;
  #nowMs = 0;
  #pushes = NONE;

  constructor(load: Load) {
    this.#load = load;
  }

  /** From now on others push. */
  under(load: Load): this {
    this.#load = load;
    return this;
  }

  /** Returns the mean of what groups took, how much of the time was deleted, and how many entries. */
  during(ms: number): { readonly groupMs: number; readonly deleting: number; readonly entries: number } {
    const [before, startedMs, endMs] = [this.#pushes, this.#nowMs, this.#nowMs + ms];
    const { batchMs, slowdown, entries = 0 } = this.#load;
    let batches = 0;
    while (this.#nowMs < endMs) {
      this.#pace.beforeBatch(this.#pushes, this.#nowMs);
      this.#pass(batchMs, slowdown);
      const batch = { entries, tookMs: batchMs, nowMs: this.#nowMs };
      this.#pass(this.#pace.afterBatch(batch, this.#pushes, undefined), 1);
      batches += 1;
    }
    const count = this.#pushes.count - before.count;
    const groupMs = count === 0 ? 0 : (this.#pushes.totalMs - before.totalMs) / count;
    return { groupMs, deleting: (batches * batchMs) / (this.#nowMs - startedMs), entries: batches * entries };
  }

  #pass(ms: number, slowdown: number): void {
    const { groupMs, groupsPerSecond } = this.#load;
    this.#nowMs += ms;
    this.#pushes = more(this.#pushes, (ms / 1_000) * groupsPerSecond, groupMs * slowdown);
  }
}

/** A batch with what is pushed in it and in the pause before it. */
function step(
  pace: DeletionPace,
  { before, after }: { readonly before: PushProgress; readonly after: PushProgress },
  { tookMs = 10, entries = 0, nowMs = 0 } = {},
): number {
  pace.beforeBatch(before, nowMs);
  return pace.afterBatch({ entries, tookMs, nowMs }, after, 0);
}

describe('the pace of deletions', () => {
  it('leaves groups about as fast as they are otherwise, whatever deleting costs them', () => {
    const load = fc.record({
      groupMs: fc.double({ min: 0.5, max: 50, noNaN: true }),
      slowdown: fc.double({ min: 1, max: 7, noNaN: true }),
      batchMs: fc.double({ min: 1, max: 200, noNaN: true }),
      groupsPerSecond: fc.integer({ min: 40, max: 1_000 }),
    });
    fc.assert(
      fc.property(load, (one) => {
        const deleting = new Deleting(one);
        deleting.during(2 * MINUTE);
        const { groupMs } = deleting.during(5 * MINUTE);
        expect(groupMs).toBeLessThanOrEqual(one.groupMs * 1.2 + 0.3);
      }),
      propertyParameters(50),
    );
  });

  it('is all that there is where deleting costs groups nothing, or nobody pushes', () => {
    for (const groupsPerSecond of [0, 500]) {
      const deleting = new Deleting({ groupMs: 5, slowdown: 1, batchMs: 20, groupsPerSecond });
      deleting.during(2 * MINUTE);
      expect(deleting.during(MINUTE).deleting).toBeGreaterThan(0.9);
    }
  });

  it('does not take a busier time for harm that deletions do', () => {
    const quiet = { groupMs: 2, slowdown: 1.05, batchMs: 10, groupsPerSecond: 100 };
    const deleting = new Deleting(quiet);
    deleting.during(MINUTE);
    for (let turn = 0; turn < 10; turn += 1) {
      // Now and then a longer pause tells what groups take in one.
      expect(deleting.under({ ...quiet, groupMs: 12 }).during(5_000).deleting).toBeGreaterThan(0.5);
      expect(deleting.under(quiet).during(5_000).deleting).toBeGreaterThan(0.5);
    }
  });

  it('does not forget those who push seldom', () => {
    const deleting = new Deleting({ groupMs: 5, slowdown: 4, batchMs: 50, groupsPerSecond: 10 });
    deleting.during(5 * MINUTE);
    expect(deleting.during(5 * MINUTE).groupMs).toBeLessThanOrEqual(5 * 1.2 + 0.3);
  });

  it.each([0, 0.001, 1, 500, 86_400_000, 365 * 86_400_000])(
    'pauses for some time, and less than the lease lasts, after a batch of %s ms, as of a process that stood still',
    (tookMs) => {
      const pace = new DeletionPace();
      let pushes = NONE;
      for (let batch = 0; batch < 100; batch += 1) {
        const before = more(pushes, 100, 1);
        pushes = more(before, 100, 100);
        const pauseMs = step(pace, { before, after: pushes }, { tookMs });
        expect(pauseMs).toBeGreaterThanOrEqual(1);
        expect(pauseMs).toBeLessThanOrEqual(10_000);
      }
    },
  );

  it('is as fast as before soon after a moment in which everything stood still', () => {
    const pace = new DeletionPace();
    let pushes = NONE;
    let nowMs = 0;
    const batch = (ms: number) => {
      const before = more(pushes, 100, 2);
      pushes = more(before, 100, ms);
      nowMs += 500;
      return step(pace, { before, after: pushes }, { nowMs });
    };
    for (let n = 0; n < 50; n += 1) batch(2);
    const usual = batch(2);
    batch(3_600_000);
    for (let n = 0; n < 50; n += 1) batch(2);
    expect(batch(2)).toBe(usual);
  });

  it('waits a second each time while the database has much to clear away, however fast groups are', () => {
    const pace = new DeletionPace();
    const batch = { entries: 0, tookMs: 1, nowMs: 0 };
    expect(pace.afterBatch(batch, NONE, 100_000)).toBeLessThan(10);
    for (const lag of [100_001, 2 ** 53]) expect(pace.afterBatch(batch, NONE, lag)).toBe(1_000);
    expect(pace.afterBatch(batch, NONE, undefined)).toBeLessThan(10);
  });

  it('takes short batches while somebody pushes, and until it is known that nobody does', () => {
    const pace = new DeletionPace();
    expect(pace.batch).toBe(100);
    const sizes = [0, 1_999, 2_000, 60_000].map((nowMs) => {
      pace.beforeBatch(NONE, nowMs);
      return pace.batch;
    });
    expect(sizes).toEqual([100, 100, 500, 500]);
    // By another instance.
    pace.beforeBatch({ ...NONE, head: 1 }, 61_000);
    expect(pace.batch).toBe(100);
  });

  it('deletes a few entries for each that is pushed, and some besides, but a batch', () => {
    const steps = fc.array(
      fc.record({
        entries: fc.integer({ min: 1, max: 500 }),
        pushed: fc.integer({ min: 1, max: 5_000 }),
        tookMs: fc.integer({ min: 0, max: 1_000 }),
      }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (batches) => {
        const pace = new DeletionPace();
        let pushes = NONE;
        let [nowMs, deleted] = [0, 0];
        for (const { entries, pushed, tookMs } of batches) {
          // Before the batch: what is deleted is never ahead of what may be by more than a batch.
          const most = 500 + 2.2 * pushes.head + 2 * nowMs;
          expect(deleted).toBeLessThanOrEqual(most + 1e-6 * most);
          const before = pushes;
          nowMs += tookMs;
          pushes = more(pushes, pushed, 1);
          deleted += entries;
          nowMs += step(pace, { before, after: pushes }, { entries, tookMs, nowMs });
        }
      }),
      propertyParameters(200),
    );
  });

  it('deletes at least twice as many as are pushed, where that costs groups nothing', () => {
    for (const groupsPerSecond of [10, 200, 4_000]) {
      const deleting = new Deleting({ groupMs: 5, slowdown: 1, batchMs: 5, groupsPerSecond, entries: 100 });
      deleting.during(10_000);
      const { entries } = deleting.during(MINUTE);
      expect(entries).toBeGreaterThanOrEqual(2 * groupsPerSecond * 60);
      expect(entries).toBeGreaterThanOrEqual(1_900 * 60);
    }
  });
});
