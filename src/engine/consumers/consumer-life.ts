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
  readonly #clock: Clock;
  /** Made when the server drains: there may be many thousand sessions, and each promise has two functions. */
  #drained: Promise<void> | undefined;
  #tellDrained: (() => void) | undefined;
  #ended: Error | undefined;
  #usedAtMs: Millis;
  /** Events that members gave back while it drains. */
  #returned = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#usedAtMs = clock.monotonicMs();
  }

  get draining(): boolean {
    return this.#drained !== undefined;
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
    if (this.draining) throw drainingError();
  }

  /** Begins to drain; resolves once nothing is left to wait for, or when it ends. */
  drain(): Promise<void> {
    this.#drained ??= new Promise((resolve) => {
      this.#tellDrained = resolve;
      if (this.#ended !== undefined) resolve();
    });
    return this.#drained;
  }

  /** How many events members gave back since it drains: they wait for another owner. */
  get returned(): number {
    return this.#returned;
  }

  /** Takes note that members gave events back, to be delivered again. */
  noteReturned(events: number): void {
    if (this.draining) this.#returned += events;
  }

  /** Takes note that no subscriber is left, and nothing that one had. */
  tellDrained(): void {
    this.#tellDrained?.();
  }

  end(error: Error): void {
    this.#ended ??= error;
    this.#tellDrained?.();
  }
}
