// Waiting longer after each failure in a row, with jitter, so that a thousand clients do not return at the same moment.

import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs, JITTER } from '../../domain/backoff.js';
import type { Millis } from '../../units.js';

const BACKOFF = { baseMs: 100, capMs: 5_000, jitter: JITTER.upperHalf };

export class Backoff {
  #failures = 0;
  readonly #signal: AbortSignal;
  readonly #random: () => number;

  /** Takes the signal that ends a wait; then `wait` rejects with its AbortError. */
  constructor(options: { readonly signal: AbortSignal; readonly random?: () => number }) {
    this.#signal = options.signal;
    this.#random = options.random ?? Math.random;
  }

  /** Makes the next wait short: it works again. */
  reset(): void {
    this.#failures = 0;
  }

  /** How long the next wait is, in milliseconds: at least half of its step, and at least what the server asked for. */
  next(atLeastMs: Millis = 0): Millis {
    this.#failures += 1;
    return Math.max(atLeastMs, backoffMs(BACKOFF, this.#failures, this.#random));
  }

  async wait(atLeastMs?: Millis): Promise<void> {
    await delay(this.next(atLeastMs), undefined, { signal: this.#signal });
  }
}
