// A clock that stands still until a test moves it.

import type { Clock, Timer } from '../../src/lib/clock.js';
import type { Millis } from '../../src/units.js';

/** Turns of the event loop in which promises and immediates that hang on one another are done. */
const TURNS = 8;

class ManualTimer implements Timer {
  readonly #timers: Set<ManualTimer>;
  readonly #periodMs: Millis | undefined;
  readonly #work: () => void;
  atMs: Millis;

  constructor(timers: Set<ManualTimer>, atMs: Millis, periodMs: Millis | undefined, work: () => void) {
    this.#timers = timers;
    this.atMs = atMs;
    this.#periodMs = periodMs;
    this.#work = work;
    timers.add(this);
  }

  ring(nowMs: Millis): void {
    if (this.#periodMs === undefined) this.stop();
    else this.atMs = nowMs + this.#periodMs;
    this.#work();
  }

  stop(): void {
    this.#timers.delete(this);
  }

  unref(): this {
    return this;
  }
}

export class ManualClock implements Clock {
  readonly #timers = new Set<ManualTimer>();
  #ms: Millis = 1_000_000;

  monotonicMs(): Millis {
    return this.#ms;
  }

  nowMs(): Millis {
    return 1_790_000_000_000 + this.#ms;
  }

  after(delayMs: Millis, work: () => void): Timer {
    return new ManualTimer(this.#timers, this.#ms + delayMs, undefined, work);
  }

  every(periodMs: Millis, work: () => void): Timer {
    return new ManualTimer(this.#timers, this.#ms + periodMs, periodMs, work);
  }

  /** Lets time pass: timers ring in their order, each after what the one before it set off. */
  async advance(ms: Millis): Promise<void> {
    const endMs = this.#ms + ms;
    await turns();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#ms = Math.max(this.#ms, next.atMs);
      next.ring(this.#ms);
      await turns();
    }
    this.#ms = endMs;
  }

  /** Lets time pass at once; what is due rings, each once, and what that leads to has its turns of the event loop. */
  async pass(ms: Millis): Promise<void> {
    this.leap(ms);
    for (const timer of [...this.#timers]) if (timer.atMs <= this.#ms) timer.ring(this.#ms);
    await turns();
  }

  /** Lets time pass at once, as for a process that stood still: what was due meanwhile rings afterwards. */
  leap(ms: Millis): void {
    this.#ms += ms;
  }

  #next(endMs: Millis): ManualTimer | undefined {
    let next: ManualTimer | undefined;
    for (const timer of this.#timers) if (timer.atMs <= endMs && timer.atMs < (next?.atMs ?? Infinity)) next = timer;
    return next;
  }
}

/** Resolves when what is under way in this process is done, as far as it waits for no timer. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
