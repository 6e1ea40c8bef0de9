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
  /** Calls back once, after so long on the clock that never jumps: milliseconds or years. */
  after(delayMs: Millis, work: () => void): Timer;
  /** Calls back again and again, so long after the call before. */
  every(periodMs: Millis, work: () => void): Timer;
}

/** The longest delay of the runtime's timers, almost 25 days: a longer one they take for 1 ms. */
export const MAX_DELAY_MS: Millis = 2 ** 31 - 1;

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

/** Calls back once after a delay of any length, which it takes in parts that the runtime's timers can. */
class FarTimer implements Timer {
  readonly #work: () => void;
  #leftMs: Millis;
  #timer: Timer;
  #isUnref = false;

  constructor(delayMs: Millis, work: () => void) {
    this.#work = work;
    this.#leftMs = delayMs;
    this.#timer = this.#next();
  }

  stop(): void {
    this.#timer.stop();
  }

  unref(): this {
    this.#isUnref = true;
    this.#timer.unref();
    return this;
  }

  #next(): Timer {
    const partMs = Math.min(this.#leftMs, MAX_DELAY_MS);
    this.#leftMs -= partMs;
    return new SystemTimer(setTimeout(() => this.#goOn(), partMs));
  }

  #goOn(): void {
    if (this.#leftMs === 0) {
      this.#work();
      return;
    }
    this.#timer = this.#next();
    if (this.#isUnref) this.#timer.unref();
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
    return delayMs > MAX_DELAY_MS ? new FarTimer(delayMs, work) : new SystemTimer(setTimeout(work, delayMs));
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
