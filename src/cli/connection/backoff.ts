// Waiting longer after each failure in a row, with jitter, so that a thousand clients do not return at the same moment.

import { setTimeout as delay } from 'node:timers/promises';
import type { Millis } from '../../units.js';

const FIRST_MS = 100;
const MAX_MS = 5000;

export class Backoff {
  #nextMs = FIRST_MS;
  readonly #signal: AbortSignal;
  readonly #random: () => number;

  /** The signal ends a wait; then `wait` rejects with its AbortError. */
  constructor(options: { readonly signal: AbortSignal; readonly random?: () => number }) {
    this.#signal = options.signal;
    this.#random = options.random ?? Math.random;
  }

  /** It works again: the next wait is short. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }

  /** How long the next wait is, in milliseconds: at least half of its step, and at least what the server asked for. */
  next(atLeastMs = 0): number {
    const step = this.#nextMs;
    this.#nextMs = Math.min(MAX_MS, step * 2);
    return Math.max(atLeastMs, step * (0.5 + this.#random() / 2));
  }

  async wait(atLeastMs?: Millis): Promise<void> {
    await delay(this.next(atLeastMs), undefined, { signal: this.#signal });
  }
}
