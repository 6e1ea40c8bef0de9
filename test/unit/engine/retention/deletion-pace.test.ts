// How fast events are deleted: pushes stay about as fast as they are while nothing is deleted, whatever a batch takes and whatever clocks do.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeletionPace, type PushProgress } from '../../../../src/engine/retention/deletion-pace.js';
import { propertyParameters } from '../../../support/property.js';

const NONE: PushProgress = { count: 0, totalMs: 0, head: 0 };

/** A database in which groups are slower, the more of the time is deleted. */
interface Load {
  /** What a group takes at rest. */
  readonly groupMs: number;
  /** How often it takes that while something is deleted all the time. */
  readonly slowdown: number;
  readonly batchMs: number;
  readonly groupsPerSecond: number;
}

/** Deletes for some minutes, as retention does. */
class Deleting {
  readonly #pace = new DeletionPace();
  readonly #load: Load;
  #nowMs = 0;
  #pushes: PushProgress = NONE;

  constructor(load: Load) {
    this.#load = load;
  }

  /** Returns the mean of what groups took, and how much of the time was deleted. */
  during(ms: number): { readonly groupMs: number; readonly deleting: number } {
    const [before, startedMs, endMs] = [this.#pushes, this.#nowMs, this.#nowMs + ms];
    let deletedMs = 0;
    while (this.#nowMs < endMs) {
      const restMs = this.#pace.rest(this.#nowMs);
      if (restMs !== undefined) this.#rest(restMs);
      deletedMs += this.#load.batchMs;
      this.#batch();
    }
    const count = this.#pushes.count - before.count;
    const groupMs = count === 0 ? 0 : (this.#pushes.totalMs - before.totalMs) / count;
    return { groupMs, deleting: deletedMs / (this.#nowMs - startedMs) };
  }

  #rest(ms: number): void {
    const before = { ...this.#pushes };
    this.#pass(ms, 1);
    this.#pace.rested(before, this.#pushes);
  }

  #batch(): void {
    const { batchMs, slowdown } = this.#load;
    this.#pass(batchMs, slowdown);
    this.#pass(this.#pace.afterBatch(took(batchMs, this.#nowMs), this.#pushes, undefined), 1);
  }

  #pass(ms: number, slowdown: number): void {
    const { groupMs, groupsPerSecond } = this.#load;
    this.#nowMs += ms;
    const count = (ms / 1_000) * groupsPerSecond;
    this.#pushes = more(this.#pushes, count, groupMs * slowdown);
  }
}

/** Groups of one event that took so long each, after those before. */
const more = ({ count, totalMs, head }: PushProgress, groups: number, ms: number): PushProgress => {
  return { count: count + groups, totalMs: totalMs + groups * ms, head: head + groups };
};
/** A batch that is too small for its entries to count. */
const took = (tookMs: number, nowMs = 0) => ({ entries: 0, tookMs, nowMs });
const MINUTE = 60_000;

describe('the pace of deletions', () => {
  it('leaves groups about as fast as they are at rest, whatever deleting costs them', () => {
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
        expect(groupMs).toBeLessThanOrEqual(one.groupMs * 1.15 + 0.3 + one.groupMs * 0.05);
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

  it('does not forget those who push seldom: their groups are gathered over several rests', () => {
    const deleting = new Deleting({ groupMs: 5, slowdown: 4, batchMs: 50, groupsPerSecond: 10 });
    deleting.during(5 * MINUTE);
    expect(deleting.during(5 * MINUTE).groupMs).toBeLessThanOrEqual(5 * 1.2 + 0.3);
  });

  it.each([0, 0.001, 1, 500, 86_400_000, 365 * 86_400_000])(
    'pauses for some time, and less than the lease lasts, after a batch of %s ms, as of a process that stood still',
    (tookMs) => {
      const pace = new DeletionPace();
      pace.rested(NONE, more(NONE, 100, 1));
      let groups = more(NONE, 100, 1);
      for (let batch = 0; batch < 100; batch += 1) {
        groups = more(groups, 100, 100);
        const pauseMs = pace.afterBatch(took(tookMs), groups, 0);
        expect(pauseMs).toBeGreaterThanOrEqual(1);
        expect(pauseMs).toBeLessThanOrEqual(10_000);
      }
    },
  );

  it('is as fast as before soon after a moment in which everything stood still', () => {
    const pace = new DeletionPace();
    let groups = more(NONE, 1_000_000, 2);
    pace.rested(NONE, groups);
    const step = (ms: number) => {
      groups = more(groups, 1_000_000, ms);
      return pace.afterBatch(took(10), groups, 0);
    };
    for (let batch = 0; batch < 50; batch += 1) step(2);
    const before = step(2);
    expect(step(3_600_000)).toBeLessThanOrEqual(before * 1.6);
    expect([step(2), step(2), step(2)].at(-1)).toBeLessThanOrEqual(before);
  });

  it('waits a second each time while the database has much to clear away, however fast groups are', () => {
    const pace = new DeletionPace();
    expect(pace.afterBatch(took(1), NONE, 100_000)).toBeLessThan(10);
    for (const lag of [100_001, 2 ** 53]) expect(pace.afterBatch(took(1), NONE, lag)).toBe(1_000);
    expect(pace.afterBatch(took(1), NONE, undefined)).toBeLessThan(10);
  });

  it('rests at once, and every ten seconds from then on, also after a clock that stood still or leapt', () => {
    const pace = new DeletionPace();
    expect(pace.rest(1_000_000)).toBe(250);
    for (const now of [1_000_000, 1_009_999]) expect(pace.rest(now)).toBeUndefined();
    expect(pace.rest(1_010_000)).toBe(250);
    expect(pace.rest(1e15)).toBe(250);
    expect(pace.rest(1e15 + 9_999)).toBeUndefined();
  });

  it('deletes a few entries for each that is pushed, and some besides, but a batch', () => {
    const steps = fc.array(
      fc.record({
        entries: fc.integer({ min: 1, max: 500 }),
        pushed: fc.integer({ min: 0, max: 5_000 }),
        tookMs: fc.integer({ min: 0, max: 2_000 }),
      }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (batches) => {
        const pace = new DeletionPace();
        let pushes = more(NONE, 100, 1);
        pace.rested(NONE, pushes);
        const head = pushes.head;
        let [nowMs, deleted] = [0, 0];
        for (const { entries, pushed, tookMs } of batches) {
          // Before the batch: what is deleted is never ahead of what may be by more than a batch.
          const most = 500 + 2.2 * (pushes.head - head) + nowMs;
          expect(deleted).toBeLessThanOrEqual(most + 1e-6 * most);
          nowMs += tookMs;
          pushes = more(pushes, pushed, 1);
          deleted += entries;
          const pauseMs = pace.afterBatch({ entries, tookMs, nowMs }, pushes, 0);
          // As many are pushed meanwhile as were before.
          nowMs += pauseMs;
          pushes = more(pushes, tookMs === 0 ? 0 : (pushed / tookMs) * pauseMs, 1);
        }
      }),
      propertyParameters(200),
    );
  });

  it('keeps to it though another instance is who pushes', () => {
    const pace = new DeletionPace();
    pace.rested(NONE, { ...NONE, head: 100 });
    pace.afterBatch({ entries: 500, tookMs: 10, nowMs: 0 }, { ...NONE, head: 100 }, 0);
    expect(pace.afterBatch({ entries: 500, tookMs: 10, nowMs: 10 }, { ...NONE, head: 100 }, 0)).toBeGreaterThan(400);
  });

  it('rests within a second where somebody begins to push', () => {
    const pace = new DeletionPace();
    expect(pace.rest(0)).toBe(250);
    pace.rested(NONE, NONE);
    const batch = { entries: 500, tookMs: 10 };
    expect(pace.afterBatch({ ...batch, nowMs: 2_000 }, NONE, 0)).toBeLessThan(100);
    expect(pace.rest(2_500)).toBeUndefined();
    pace.afterBatch({ ...batch, nowMs: 2_500 }, more(NONE, 10, 1), 0);
    expect(pace.rest(3_499)).toBeUndefined();
    expect(pace.rest(3_500)).toBe(250);
  });

  it('takes short batches while somebody pushes, and until it is known that nobody does', () => {
    const pace = new DeletionPace();
    expect(pace.batch).toBe(100);
    pace.rested(NONE, NONE);
    expect(pace.batch).toBe(500);
    pace.rested(NONE, more(NONE, 1, 1));
    expect(pace.batch).toBe(100);
  });
});
