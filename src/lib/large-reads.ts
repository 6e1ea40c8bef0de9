// Reads that keep the database busy for long: few at a time of all callers, who take turns, and among the pages of the log.

import { FairGate } from './fair-gate.js';
import { orAbort } from './or-abort.js';
import type { Paced } from './paced.js';

export interface LargeReadsOptions {
  /** How many are under way at a time, at most. */
  readonly atOnce: number;
  /** Where pages of the log take turns. */
  readonly pages: FairGate;
  readonly paced: Paced;
}

export interface ReadFor {
  readonly caller: string;
  readonly signal: AbortSignal;
}

export class LargeReads {
  readonly #gate: FairGate;
  readonly #options: LargeReadsOptions;

  constructor(options: LargeReadsOptions) {
    this.#gate = new FairGate(options.atOnce);
    this.#options = options;
  }

  /** Returns what the read gives, which begins when it is the caller's turn. Rejects with the signal's reason if that comes first. */
  run<T>({ caller, signal }: ReadFor, read: () => Promise<T>): Promise<T> {
    const { pages, paced } = this.#options;
    const inTurn = () => this.#gate.run(caller, () => pages.run(caller, read, signal), signal);
    return orAbort(paced.run(caller, inTurn), signal);
  }
}
