// Lets an instance forget what retention deleted, whoever did: what is in memory would be read from there as if it were still stored.

import type { Clock, Timer } from '../../lib/clock.js';
import type { RetentionStore } from '../../storage/ports/retention-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Micros, Millis } from '../../units.js';
import type { LogTail } from '../log/log-tail.js';

/** How often it is looked what was deleted: about so long it may still be read from memory. */
const LOOK_MS: Millis = 2_000;
/** A deletion is seen so much later than its time at most: a transaction takes less. */
const LATE_MICROS: Micros = 60_000_000;
/** Positions that are looked up at a time. */
const LOOK_UP = 1_000;

export interface ForgettingOptions {
  readonly store: Pick<RetentionStore, 'goneSince' | 'stored'>;
  readonly tail: Pick<LogTail, 'positionsOf' | 'drop'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Forgetting {
  readonly #options: ForgettingOptions;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #seen: Micros = 0;

  constructor(options: ForgettingOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, logger } = this.#options;
    this.#timer = clock
      .every(LOOK_MS, () => {
        this.#looking ??= this.look()
          .catch((error: unknown) => logger.debug({ err: error }, 'it was not looked what is deleted'))
          .finally(() => {
            this.#looking = undefined;
          });
      })
      .unref();
  }

  async stop(): Promise<void> {
    this.#timer?.stop();
    await this.#looking;
  }

  /** Looks now. */
  async look(): Promise<void> {
    const { store, tail } = this.#options;
    for (const { context, name, goneTo, goneAt } of await store.goneSince(Math.max(0, this.#seen - LATE_MICROS))) {
      const positions = tail.positionsOf({ context, name }, goneTo);
      for (let from = 0; from < positions.length; from += LOOK_UP) {
        const some = positions.slice(from, from + LOOK_UP);
        const stored = await store.stored(some);
        tail.drop(new Set(some.filter((position) => !stored.has(position))));
      }
      this.#seen = Math.max(this.#seen, goneAt);
    }
  }
}
