// How fast events are deleted: as fast as the database takes it, as long as groups commit about as they do while nothing is deleted, as
// long as the database clears away what was deleted, and, while somebody pushes, as a DeletionBudget allows.
//
// A batch is followed by a pause, the longer the longer the batch took: a database that is busy with something else is left to it. The
// pause is learnt: it grows while groups are slower than they were in a moment of rest, which comes every few seconds, and shrinks again.

import { MAX_DELETED } from '../../storage/ports/retention-storage.js';
import type { Millis, Position } from '../../units.js';
import { DeletionBudget } from './deletion-budget.js';

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
/** When that is at the earliest where somebody begins to push. */
const REST_SOON_MS: Millis = 1_000;
/** Groups that say something. */
const FEW_GROUPS = 8;
/** Deleted versions that the database may have to clear away, and how long it is waited for it where it has more. */
const MAX_PURGE_LAG = 100_000;
const PURGE_PAUSE_MS: Millis = 1_000;

/** Entries of a batch while somebody pushes: a short transaction, as others wait for the disk behind it. */
const SHORT_BATCH = 100;

/** How many entries deletions take at a time. */
export interface BatchPace {
  readonly batch: number;
}

/** Groups that an instance committed, and what they took together. */
export interface GroupTimes {
  readonly count: number;
  readonly totalMs: Millis;
}

/** What is pushed: by this instance, and by all. */
export interface PushProgress extends GroupTimes {
  /** Where the log ends. */
  readonly head: Position;
}

/** A batch of entries that was deleted. */
export interface DeletedBatch {
  readonly entries: number;
  readonly tookMs: Millis;
  /** When it was over, on the clock that never jumps. */
  readonly nowMs: Millis;
}

const NONE: GroupTimes = { count: 0, totalMs: 0 };

export class DeletionPace implements BatchPace {
  #part = PART.first;
  #restMs: Millis | undefined;
  #restedAtMs = Number.NEGATIVE_INFINITY;
  #since = NONE;
  /** Groups at rest that are too few yet to say something: of several moments. */
  #atRest = NONE;
  readonly #budget = new DeletionBudget();
  /** Where the log ended when it was looked last; undefined: somebody pushes. */
  #stillAt: Position | undefined;

  /** Entries of the next batch, at most. */
  get batch(): number {
    return this.#stillAt === undefined ? SHORT_BATCH : MAX_DELETED;
  }

  /** Whether the database has so much to clear away that it is waited for. */
  static isBehind(purgeLag: number | undefined): boolean {
    return purgeLag !== undefined && purgeLag > MAX_PURGE_LAG;
  }

  /** How long to pause after a batch; `pushes`: those since the instance started. */
  afterBatch({ entries, tookMs, nowMs }: DeletedBatch, pushes: PushProgress, purgeLag: number | undefined): Millis {
    this.#learn(pushes);
    const isPushed = this.#stillAt === undefined;
    const budgetMs = isPushed ? this.#budget.spent(entries, pushes.head, nowMs) : 0;
    if (!isPushed && pushes.head > (this.#stillAt ?? 0)) this.#restSoon(nowMs);
    if (DeletionPace.isBehind(purgeLag)) return PURGE_PAUSE_MS;
    return Math.min(PAUSE.mostMs, Math.max(PAUSE.leastMs, tookMs * this.#part, budgetMs));
  }

  /** Whether it is time to see how groups are while nothing is deleted; for how long nothing is to be deleted then. */
  rest(nowMs: Millis): Millis | undefined {
    if (nowMs - this.#restedAtMs < REST.everyMs) return undefined;
    this.#restedAtMs = nowMs;
    return REST.ms;
  }

  /** Takes note of what was pushed at rest. */
  rested(before: PushProgress, after: PushProgress): void {
    const { count, totalMs } = between(before, after);
    this.#stillAt = after.head === before.head ? after.head : undefined;
    if (this.#stillAt !== undefined) this.#budget.reset();
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

  /** Somebody pushes where nobody did: how groups are at rest is to be known before long. */
  #restSoon(nowMs: Millis): void {
    this.#restedAtMs = Math.min(this.#restedAtMs, nowMs - REST.everyMs + REST_SOON_MS);
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
