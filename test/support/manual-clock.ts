// A clock that stands still until a test moves it.

import type { Clock, Timer } from '../../src/lib/clock.js';
import type { Millis } from '../../src/units.js';

class ManualTimer implements Timer {
  readonly work: () => void;
  readonly periodMs: Millis | undefined;
  atMs: Millis;
  isStopped = false;

  constructor(atMs: Millis, work: () => void, periodMs?: Millis) {
    this.atMs = atMs;
    this.work = work;
    this.periodMs = periodMs;
  }

  stop(): void {
    this.isStopped = true;
  }

  unref(): this {
    return this;
  }
}

export class ManualClock implements Clock {
  #nowMs: Millis = 1_000_000;
  #timers: ManualTimer[] = [];

  monotonicMs(): Millis {
    return this.#nowMs;
  }

  nowMs(): Millis {
    return this.#nowMs;
  }

  after(delayMs: Millis, work: () => void): Timer {
    return this.#add(new ManualTimer(this.#nowMs + delayMs, work));
  }

  every(periodMs: Millis, work: () => void): Timer {
    return this.#add(new ManualTimer(this.#nowMs + periodMs, work, periodMs));
  }

  /** Lets time pass; what is due is called, and what that leads to has its turns of the event loop. */
  async pass(ms: Millis): Promise<void> {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs, isStopped }) => atMs <= this.#nowMs && !isStopped);
    this.#timers = this.#timers.filter(({ atMs, isStopped }) => atMs > this.#nowMs && !isStopped);
    for (const { work, periodMs } of due) {
      work();
      if (periodMs !== undefined) this.every(periodMs, work);
    }
    for (let turn = 0; turn < 4; turn += 1) await new Promise((done) => setImmediate(done));
  }

  #add(timer: ManualTimer): Timer {
    this.#timers.push(timer);
    return timer;
  }
}
