// Whether something is up, and since when it is so.

import type { Clock } from '../../lib/clock.js';
import type { Micros } from '../../units.js';

export class UpSince {
  readonly #clock: Clock;
  #isUp = true;
  #since: Micros;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.nowMs() * 1_000;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get since(): Micros {
    return this.#since;
  }

  set(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#since = this.#clock.nowMs() * 1_000;
  }
}
