// How fast events are deleted: as fast as the database takes it, as long as groups commit about as they do while nothing is deleted, and
// as long as the database clears away what was deleted.
//
// A batch is followed by a pause, the longer the longer the batch took: a database that is busy with something else is left to it. The
// pause is learnt: it grows while groups are slower than they were in a moment of rest, which comes every few seconds, and shrinks again.

import type { Millis } from '../../units.js';

/** Pauses as parts of what batches take. */
const PART = { least: 0.05, first: 1, most: 40 };
/** The shortest and the longest pause: after a process stood still, and before the lease ends. */
const PAUSE = { leastMs: 1, mostMs: 10_000 };
/** What the part is multiplied by. */
const GROWS = 1.6;
const SHRINKS = 0.85;
/** Groups may be slower than at rest by this part and so many milliseconds. */
const SLOWER = { part: 0.15, ms: 0.3 };
/** How often nothing is deleted for a moment, and for how long. */
const REST = { everyMs: 10_000, ms: 250 };
/** Groups that say something. */
const FEW_GROUPS = 8;
/** Deleted versions that the database may have to clear away, and how long it is waited for it where it has more. */
const MAX_PURGE_LAG = 100_000;
const PURGE_PAUSE_MS: Millis = 1_000;

/** Groups that were committed, and what they took together. */
export interface GroupTimes {
  readonly count: number;
  readonly totalMs: Millis;
}

const NONE: GroupTimes = { count: 0, totalMs: 0 };

export class DeletionPace {
  #part = PART.first;
  #restMs: Millis | undefined;
  #restedAtMs = Number.NEGATIVE_INFINITY;
  #since = NONE;
  /** Groups at rest that are too few yet to say something: of several moments. */
  #atRest = NONE;

  /** Whether the database has so much to clear away that it is waited for. */
  static isBehind(purgeLag: number | undefined): boolean {
    return purgeLag !== undefined && purgeLag > MAX_PURGE_LAG;
  }

  /** How long to pause after a batch; `groups`: those since the instance started. */
  afterBatch(tookMs: Millis, groups: GroupTimes, purgeLag: number | undefined): Millis {
    this.#learn(groups);
    if (DeletionPace.isBehind(purgeLag)) return PURGE_PAUSE_MS;
    return Math.min(PAUSE.mostMs, Math.max(PAUSE.leastMs, tookMs * this.#part));
  }

  /** Whether it is time to see how groups are while nothing is deleted; for how long nothing is to be deleted then. */
  rest(nowMs: Millis): Millis | undefined {
    if (nowMs - this.#restedAtMs < REST.everyMs) return undefined;
    this.#restedAtMs = nowMs;
    return REST.ms;
  }

  /** Takes note of the groups that were committed at rest. */
  rested(before: GroupTimes, after: GroupTimes): void {
    const { count, totalMs } = between(before, after);
    this.#since = after;
    if (count === 0) {
      // Nobody pushes here: nothing is known of what groups take.
      this.#restMs = undefined;
      this.#atRest = NONE;
      return;
    }
    this.#atRest = { count: this.#atRest.count + count, totalMs: this.#atRest.totalMs + totalMs };
    if (this.#atRest.count < FEW_GROUPS) return;
    this.#restMs = this.#atRest.totalMs / this.#atRest.count;
    this.#atRest = NONE;
  }

  #learn(groups: GroupTimes): void {
    const { count, totalMs } = between(this.#since, groups);
    if (this.#restMs === undefined) {
      this.#part = Math.max(PART.least, this.#part * SHRINKS);
      return;
    }
    if (count < FEW_GROUPS) return;
    this.#since = groups;
    const isSlow = totalMs / count > this.#restMs * (1 + SLOWER.part) + SLOWER.ms;
    this.#part = Math.min(PART.most, Math.max(PART.least, this.#part * (isSlow ? GROWS : SHRINKS)));
  }
}

function between(before: GroupTimes, after: GroupTimes): GroupTimes {
  return { count: after.count - before.count, totalMs: after.totalMs - before.totalMs };
}
