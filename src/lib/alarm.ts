// One timer for many things that time brings about. It may ring early, never late; whoever owns it looks what is due.

import type { Millis } from '../units.js';
import type { Clock, Timer } from './clock.js';

/** The longest delay: timers of the runtime cannot run for months. */
const MAX_DELAY_MS = 60_000;

export interface AlarmOptions {
  readonly clock: Clock;
  readonly onRing: () => void;
}

export class Alarm {
  readonly #options: AlarmOptions;
  #timer: Timer | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(options: AlarmOptions) {
    this.#options = options;
  }

  /** Rings at this time of the clock that never jumps, at the latest. A later time than before changes nothing. */
  ringBy(atMs: Millis): void {
    if (atMs >= this.#atMs) return;
    this.#timer?.stop();
    this.#atMs = atMs;
    // The runtime's timers may fire a fraction of a millisecond too soon.
    const delayMs = Math.min(Math.max(atMs - this.#options.clock.monotonicMs(), 0), MAX_DELAY_MS) + 1;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#options.onRing();
    });
  }

  stop(): void {
    this.#timer?.stop();
    // Never rings again.
    this.#atMs = Number.NEGATIVE_INFINITY;
  }
}
