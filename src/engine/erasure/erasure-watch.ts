// Follows the erasures that any instance decides: this one keeps to them from then on, and says so.

import type { Clock } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { ErasureStore } from '../../storage/ports/erasure-storage.js';
import type { Millis, Position } from '../../units.js';
import type { Erasures } from './erasures.js';

/** How long the last word may take: a stop does not wait for a database that is gone. */
const LAST_WORD_MS: Millis = 500;

export interface ErasureWatchOptions {
  readonly store: Pick<ErasureStore, 'since' | 'acknowledge'>;
  readonly erasures: Erasures;
  /** Unique to one run of one process. */
  readonly instanceId: string;
  readonly clock: Clock;
}

export class ErasureWatch {
  readonly #options: ErasureWatchOptions;
  /** Undefined: nothing was looked for yet. */
  #newest: Position | undefined;

  constructor(options: ErasureWatchOptions) {
    this.#options = options;
  }

  /** The newest erasure that this instance keeps to; 0: none. */
  get keepsTo(): Position {
    return this.#newest ?? 0;
  }

  /** Whether this instance does not keep yet to an erasure with the position, the newest one. */
  isBehind(newest: Position): boolean {
    return this.#newest === undefined || newest > this.#newest;
  }

  /**
   * Keeps to the erasures up to the newest one, which has to be durable; `forget` lets go of what they cover, and then the others are
   * told that this one keeps to them. What was read before the start is in nobody's memory: of what is finished nothing is loaded then.
   */
  async follow(newest: Position, forget: () => void): Promise<void> {
    const { store, erasures, instanceId } = this.#options;
    const found = await store.since(this.#newest ?? newest);
    erasures.add(found);
    if (found.length > 0) forget();
    await store.acknowledge(instanceId, newest);
    this.#newest = newest;
  }

  /** Says that nothing is shown by this instance any more. */
  async end(): Promise<void> {
    const { store, instanceId, clock } = this.#options;
    await within(clock, LAST_WORD_MS, store.acknowledge(instanceId, Number.MAX_SAFE_INTEGER), () => undefined);
  }
}
