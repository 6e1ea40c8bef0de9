// What of a window is not confirmed as stored.

import type { DeliveryState } from './delivery-state.js';
import type { WindowChanges } from './delivery-types.js';
import { encodeRanges } from './position-ranges.js';

export class UnsavedChanges {
  readonly #state: DeliveryState;
  #savedVersion = 0;
  #savedGeneration: number;

  constructor(state: DeliveryState) {
    this.#state = state;
    this.#savedGeneration = state.generation;
  }

  /** Whether `take` has something that was not confirmed. The next lease alone does not count. */
  get any(): boolean {
    return this.#state.progress.version !== this.#savedVersion || this.anyFailure;
  }

  /** Whether a failure record changed that was not confirmed: store it before anything is delivered again. */
  get anyFailure(): boolean {
    return this.#state.failures.hasUnsaved;
  }

  /** Returns all that was not confirmed. A cost of the number of ranges: once a flush, not once an event. */
  take(): WindowChanges {
    const { progress, failures, leases, generation, generationOffset } = this.#state;
    const { changed, over } = failures.unsaved();
    return {
      version: progress.version,
      generation,
      offset: progress.offset,
      acked: encodeRanges(progress.acked),
      nextLease: leases.next,
      generationFirstLease: leases.generationFirst,
      generationOffset: generation === this.#savedGeneration ? undefined : generationOffset,
      failures: changed,
      failuresOver: over,
    };
  }

  /** Takes note that these changes are stored; what changed since stays to be written. */
  confirm(changes: WindowChanges): void {
    this.#savedVersion = Math.max(this.#savedVersion, changes.version);
    this.#savedGeneration = Math.max(this.#savedGeneration, changes.generation);
    const { failures, records } = this.#state;
    for (const failure of changes.failures) {
      const kept = failures.saved(failure);
      const record = records.get(failure.position);
      if (kept !== undefined && record?.failure === failure) record.failure = kept;
    }
    failures.savedOver(changes.failuresOver);
  }
}
