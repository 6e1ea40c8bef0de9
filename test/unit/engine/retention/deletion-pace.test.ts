// How fast events are deleted: pushes stay about as fast as they are while nothing is deleted, whatever a batch takes and whatever clocks do.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeletionPace, type GroupTimes } from '../../../../src/engine/retention/deletion-pace.js';
import { propertyParameters } from '../../../support/property.js';

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
  #groups: GroupTimes = { count: 0, totalMs: 0 };

  constructor(load: Load) {
    this.#load = load;
  }

  /** Returns the mean of what groups took, and how much of the time was deleted. */
  during(ms: number): { readonly groupMs: number; readonly deleting: number } {
    const [before, startedMs, endMs] = [this.#groups, this.#nowMs, this.#nowMs + ms];
    let deletedMs = 0;
    while (this.#nowMs < endMs) {
      const restMs = this.#pace.rest(this.#nowMs);
      if (restMs !== undefined) this.#rest(restMs);
      deletedMs += this.#load.batchMs;
      this.#batch();
    }
    const count = this.#groups.count - before.count;
    const groupMs = count === 0 ? 0 : (this.#groups.totalMs - before.totalMs) / count;
    return { groupMs, deleting: deletedMs / (this.#nowMs - startedMs) };
  }

  #rest(ms: number): void {
    const before = { ...this.#groups };
    this.#pass(ms, 1);
    this.#pace.rested(before, this.#groups);
  }

  #batch(): void {
    const { batchMs, slowdown } = this.#load;
    this.#pass(batchMs, slowdown);
    this.#pass(this.#pace.afterBatch(batchMs, this.#groups, undefined), 1);
  }

  #pass(ms: number, slowdown: number): void {
    const { groupMs, groupsPerSecond } = this.#load;
    this.#nowMs += ms;
    const count = (ms / 1_000) * groupsPerSecond;
    const { count: former, totalMs } = this.#groups;
    this.#groups = { count: former + count, totalMs: totalMs + count * groupMs * slowdown };
  }
}

const NONE: GroupTimes = { count: 0, totalMs: 0 };
/** Groups that took so long each, after those before. */
const more = ({ count, totalMs }: GroupTimes, groups: number, ms: number): GroupTimes => {
  return { count: count + groups, totalMs: totalMs + groups * ms };
};
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
        const pauseMs = pace.afterBatch(tookMs, groups, 0);
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
      return pace.afterBatch(10, groups, 0);
    };
    for (let batch = 0; batch < 50; batch += 1) step(2);
    const before = step(2);
    expect(step(3_600_000)).toBeLessThanOrEqual(before * 1.6);
    expect([step(2), step(2), step(2)].at(-1)).toBeLessThanOrEqual(before);
  });

  it('waits a second each time while the database has much to clear away, however fast groups are', () => {
    const pace = new DeletionPace();
    expect(pace.afterBatch(1, NONE, 100_000)).toBeLessThan(10);
    for (const lag of [100_001, 2 ** 53]) expect(pace.afterBatch(1, NONE, lag)).toBe(1_000);
    expect(pace.afterBatch(1, NONE, undefined)).toBeLessThan(10);
  });

  it('rests at once, and every ten seconds from then on, also after a clock that stood still or leapt', () => {
    const pace = new DeletionPace();
    expect(pace.rest(1_000_000)).toBe(250);
    for (const now of [1_000_000, 1_009_999]) expect(pace.rest(now)).toBeUndefined();
    expect(pace.rest(1_010_000)).toBe(250);
    expect(pace.rest(1e15)).toBe(250);
    expect(pace.rest(1e15 + 9_999)).toBeUndefined();
  });
});
