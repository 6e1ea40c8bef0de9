// What may be deleted while others push: a few entries for each that is pushed, so that the log shrinks and those who push keep most of
// the machine, and some more, so that it ends where few are pushed. Groups do not tell of this by themselves: on a machine that is busy with
// pushes what deletions take is missing elsewhere, too, in the process and at its clients.

import type { Millis, Position } from '../../units.js';

/** Entries for each one that is pushed. */
const PER_PUSHED = 2.2;
/** Entries a second, besides. */
const LEAST_PER_SECOND = 2_000;
/** Entries that may be saved up: a batch. */
const MOST_SAVED = 500;

export class DeletionBudget {
  #left = 0;
  #last: { readonly head: Position; readonly nowMs: Millis } | undefined;

  /** Forgets what is left: nobody pushes, and there is no bound. */
  reset(): void {
    this.#left = 0;
    this.#last = undefined;
  }

  /** Takes note of entries that were deleted; returns how long to wait until more may be. `head`: where the log ends by now. */
  spent(entries: number, head: Position, nowMs: Millis): Millis {
    const { head: before, nowMs: beforeMs } = this.#last ?? { head, nowMs };
    const tookMs = Math.max(0, nowMs - beforeMs);
    const earned = PER_PUSHED * (head - before) + (LEAST_PER_SECOND * tookMs) / 1_000;
    this.#last = { head, nowMs };
    this.#left = Math.min(MOST_SAVED, this.#left + earned) - entries;
    if (this.#left >= 0) return 0;
    const perMs = Math.max(LEAST_PER_SECOND / 1_000, tookMs === 0 ? 0 : earned / tookMs);
    return -this.#left / perMs;
  }
}
