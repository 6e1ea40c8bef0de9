// How fast events are deleted: as fast as the database takes it, as long as groups commit about as they do while nothing is deleted, as
// long as the database clears away what was deleted, and, while somebody pushes, as a DeletionBudget allows.
//
// A batch is followed by a pause, the longer the longer the batch took: a database that is busy with something else is left to it. How
// much longer follows from what groups take while a batch is deleted and while none is, side by side: whatever else comes and goes is the
// same for both.

import { MAX_DELETED } from '../../storage/ports/retention-storage.js';
import type { Millis, Position } from '../../units.js';
import { DeletionBudget } from './deletion-budget.js';

/** Pauses as parts of what batches take. */
const PART = { least: 0.05, first: 1, most: 40 };
/** The shortest and the longest pause: after a process stood still, and before the lease ends. */
const PAUSE = { leastMs: 1, mostMs: 10_000 };
/** Groups may be slower, pauses and batches together, than in pauses: by this part and so many milliseconds. */
const SLOWER = { part: 0.15, ms: 0.3 };
/** Groups that say something. */
const FEW_GROUPS = 8;
/** The time after which groups count half. */
const HALF_LIFE_MS: Millis = 10_000;
/** What groups take at most, as they count: so many times the mean, and so many milliseconds more. */
const MUCH = { times: 4, ms: 10 };
/** How long nobody has to push until nobody is waited for. */
const NOBODY_MS: Millis = 2_000;
/** Deleted versions that the database may have to clear away, and how long it is waited for it where it has more. */
const MAX_PURGE_LAG = 100_000;
const PURGE_PAUSE_MS: Millis = 1_000;
/** Entries of a batch while somebody pushes: a short transaction, as others wait for the disk behind it. */
const SHORT_BATCH = 100;

/** Payloads of a batch. */
export const BATCH_BYTES = 4 * 1024 * 1024;

/** How many entries deletions take at a time. */
export interface BatchPace {
  readonly batch: number;
}

/** What is pushed, since the instance started. */
export interface PushProgress {
  /** Groups that this instance committed, and what they took together. */
  readonly count: number;
  readonly totalMs: Millis;
  /** Where the log ends, whoever pushes. */
  readonly head: Position;
}

/** A batch of entries that was deleted. */
export interface DeletedBatch {
  readonly entries: number;
  readonly tookMs: Millis;
  /** When it was over, on the clock that never jumps. */
  readonly nowMs: Millis;
}

export class DeletionPace implements BatchPace {
  readonly #budget = new DeletionBudget();
  readonly #inBatches = new GroupTimes();
  readonly #inPauses = new GroupTimes();
  #last: { readonly pushes: PushProgress; readonly nowMs: Millis } | undefined;
  #pushedAtMs: Millis | undefined;
  #isPushed = true;

  /** Whether the database has so much to clear away that it is waited for. */
  static isBehind(purgeLag: number | undefined): boolean {
    return purgeLag !== undefined && purgeLag > MAX_PURGE_LAG;
  }

  /** Entries of the next batch, at most. */
  get batch(): number {
    return this.#isPushed ? SHORT_BATCH : MAX_DELETED;
  }

  /** Takes note of what was pushed since the last batch. */
  beforeBatch(pushes: PushProgress, nowMs: Millis): void {
    this.#note(this.#inPauses, pushes, nowMs);
  }

  /** How long to pause after a batch, in which so much was pushed. */
  afterBatch({ entries, tookMs, nowMs }: DeletedBatch, pushes: PushProgress, purgeLag: number | undefined): Millis {
    this.#note(this.#inBatches, pushes, nowMs);
    if (!this.#isPushed) this.#budget.reset();
    const budgetMs = this.#isPushed ? this.#budget.spent(entries, pushes.head, nowMs) : 0;
    if (DeletionPace.isBehind(purgeLag)) return PURGE_PAUSE_MS;
    return Math.min(PAUSE.mostMs, Math.max(PAUSE.leastMs, tookMs * this.#part, budgetMs));
  }

  #note(times: GroupTimes, pushes: PushProgress, nowMs: Millis): void {
    const { pushes: before, nowMs: beforeMs } = this.#last ?? { pushes, nowMs };
    const left = 0.5 ** (Math.max(0, nowMs - beforeMs) / HALF_LIFE_MS);
    // Side by side: what is of before counts for both or for neither.
    for (const one of [this.#inBatches, this.#inPauses]) one.fade(left);
    times.add(pushes.count - before.count, pushes.totalMs - before.totalMs);
    if (pushes.head > before.head || this.#pushedAtMs === undefined) this.#pushedAtMs = nowMs;
    this.#isPushed = nowMs - this.#pushedAtMs < NOBODY_MS;
    this.#last = { pushes, nowMs };
  }

  /** Returns how often a pause is as long as its batch, so that the mean over both is what it may be. */
  get #part(): number {
    const [deletingMs, usualMs] = [this.#inBatches.meanMs, this.#inPauses.meanMs];
    if (deletingMs === undefined || usualMs === undefined) return this.#isPushed ? PART.first : PART.least;
    const mayMs = usualMs * SLOWER.part + SLOWER.ms;
    return Math.min(PART.most, Math.max(PART.least, (deletingMs - usualMs) / mayMs - 1));
  }
}

/** What groups took lately. */
class GroupTimes {
  #count = 0;
  #totalMs = 0;

  /** Undefined: there are too few. */
  get meanMs(): Millis | undefined {
    return this.#count < FEW_GROUPS ? undefined : this.#totalMs / this.#count;
  }

  /** Leaves a part of what they count. */
  fade(left: number): void {
    this.#count *= left;
    this.#totalMs *= left;
  }

  /** Adds groups; those of a moment in which everything stood still count as slow ones only. */
  add(count: number, totalMs: Millis): void {
    const { meanMs } = this;
    const mostMs = meanMs === undefined ? Number.POSITIVE_INFINITY : count * (MUCH.times * meanMs + MUCH.ms);
    this.#count += count;
    this.#totalMs += Math.min(totalMs, mostMs);
  }
}
