// Whether a session still takes calls, and since when nobody uses it.

import { drainingError } from '../../domain/errors.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';

/**
 * | state    | entered when                         | left when          | takes                                   |
 * |----------|--------------------------------------|--------------------|-----------------------------------------|
 * | open     | at first                             | `drain`, `end`     | everything                              |
 * | draining | the server drains                    | `end`              | answers and changes, no members or fetches |
 * | ended    | deleted, released, lost, or stopped  | never              | nothing                                 |
 */
export class ConsumerLife {
  /** Resolves once no subscriber is left of a session that drains, or when it ends. */
  readonly drained: Promise<void>;
  readonly #clock: Clock;
  #allLeft: () => void = () => {};
  #draining = false;
  #ended: Error | undefined;
  #usedAtMs: Millis;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#usedAtMs = clock.monotonicMs();
    this.drained = new Promise((resolve) => {
      this.#allLeft = resolve;
    });
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** What ended it; undefined while it runs. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** The time when somebody last did something with it. */
  get usedAtMs(): Millis {
    return this.#usedAtMs;
  }

  /** Takes note that somebody uses it. */
  use(): void {
    this.#usedAtMs = this.#clock.monotonicMs();
  }

  /** Throws what ended it, if it ended. */
  assertRunning(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** Throws what ended it, if it ended, and DRAINING once it drains. */
  assertOpen(): void {
    this.assertRunning();
    if (this.#draining) throw drainingError();
  }

  drain(): void {
    this.#draining = true;
  }

  /** Takes note that no subscriber is left. */
  allLeft(): void {
    if (this.#draining) this.#allLeft();
  }

  end(error: Error): void {
    this.#ended ??= error;
    this.#allLeft();
  }
}
