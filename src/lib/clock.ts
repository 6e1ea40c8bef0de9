// Time as a dependency, so that tests own it: what the clocks show, and timers.

import type { Millis } from '../units.js';

/** What was set with a clock. */
export interface Timer {
  /** Calls back no more. */
  stop(): void;
  /** Lets the process end while it runs. */
  unref(): this;
}

export interface Clock {
  /** Milliseconds of a clock that never jumps: for timeouts and leases. */
  monotonicMs(): Millis;
  /** Milliseconds since 1970 UTC: for what people read. */
  nowMs(): Millis;
  /** Calls back once, after so long on the clock that never jumps. */
  after(delayMs: Millis, work: () => void): Timer;
  /** Calls back again and again, so long after the call before. */
  every(periodMs: Millis, work: () => void): Timer;
}

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout;
  }

  stop(): void {
    clearTimeout(this.#timeout);
  }

  unref(): this {
    this.#timeout.unref();
    return this;
  }
}

export class SystemClock implements Clock {
  monotonicMs(): Millis {
    return performance.now();
  }

  nowMs(): Millis {
    return Date.now();
  }

  after(delayMs: Millis, work: () => void): Timer {
    return new SystemTimer(setTimeout(work, delayMs));
  }

  every(periodMs: Millis, work: () => void): Timer {
    return new SystemTimer(setInterval(work, periodMs));
  }
}

/**
 * Returns how far the wall clock is ahead of the one that never jumps: what turns an instant of one into one of the
 * other.
 */
export function wallAheadMs(clock: Clock): Millis {
  return clock.nowMs() - clock.monotonicMs();
}

/** Readings of the two clocks are further apart than they are by less than this: the wall clock shows whole milliseconds. */
const READING_MS = 2;

/** The difference of the clocks, held until the wall clock is set: an instant that is told again is told the same. */
export class WallTime {
  readonly #clock: Clock;
  #aheadMs: Millis = Number.NaN;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How far the wall clock is ahead of the one that never jumps. */
  get aheadMs(): Millis {
    const aheadMs = wallAheadMs(this.#clock);
    if (!(Math.abs(aheadMs - this.#aheadMs) < READING_MS)) this.#aheadMs = aheadMs;
    return this.#aheadMs;
  }
}

export const systemClock: Clock = new SystemClock();
