// Whether several callers want the same things now: as long as one is alone it may have all of them.

import type { Millis } from '../units.js';
import type { Clock } from './clock.js';

/** The caller of what the server does by itself, who is nobody's neighbour. */
export const SERVER = '';
/** How long after two callers came in turn there are several. */
const MANY_MS: Millis = 1_000;

export class Callers {
  readonly #clock: Clock;
  #last = SERVER;
  #manyUntilMs: Millis = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of one who wants something. */
  note(caller: string): void {
    if (caller === this.#last || caller === SERVER) return;
    // The first one of all has no neighbour yet.
    if (this.#last !== SERVER) this.#manyUntilMs = this.#clock.monotonicMs() + MANY_MS;
    this.#last = caller;
  }

  get areMany(): boolean {
    return this.#clock.monotonicMs() < this.#manyUntilMs;
  }
}
