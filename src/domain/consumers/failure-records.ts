// The failure records of a consumer, and which of them are not stored yet.

import type { Position } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { FailureRecord } from './delivery-types.js';

export class FailureRecords {
  readonly #byPosition = new Map<Position, FailureRecord>();
  /** What to write: the failure record, or null where it is over. */
  readonly #unsaved = new Map<Position, FailureRecord | null>();
  /** Stored failure records of events that the scan has not offered yet. */
  readonly #unclaimed = new KeyedHeap<Position>();
  #parked = 0;

  constructor(failures: readonly FailureRecord[]) {
    for (const failure of failures) {
      this.#byPosition.set(failure.position, failure);
      if (failure.state === 'PARKED') this.#parked++;
    }
    this.unclaim();
  }

  get parked(): number {
    return this.#parked;
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.size > 0;
  }

  get(position: Position): FailureRecord | undefined {
    return this.#byPosition.size === 0 ? undefined : this.#byPosition.get(position);
  }

  all(): FailureRecord[] {
    return [...this.#byPosition.values()];
  }

  set(failure: FailureRecord): void {
    if (this.#byPosition.get(failure.position)?.state === 'PARKED') this.#parked--;
    if (failure.state === 'PARKED') this.#parked++;
    this.#byPosition.set(failure.position, failure);
    this.#unsaved.set(failure.position, failure);
  }

  /** The event was not offered yet, and may never be. */
  addUnclaimed(position: Position): void {
    this.#unclaimed.add(position, position);
  }

  /** The scan begins anew, and has offered nothing yet. */
  unclaim(): void {
    this.#unclaimed.clear();
    for (const failure of this.#byPosition.values()) {
      if (failure.state === 'RETRY') this.addUnclaimed(failure.position);
    }
  }

  over(position: Position): void {
    const failure = this.#byPosition.get(position);
    if (failure === undefined) return;
    if (failure.state === 'PARKED') this.#parked--;
    this.#byPosition.delete(position);
    this.#unsaved.set(position, null);
  }

  /** Ends stored failure records that the offset passed without the event ever being offered: it expired. */
  dropPassed(offset: Position, isOpen: (position: Position) => boolean): void {
    while ((this.#unclaimed.minKey ?? Number.POSITIVE_INFINITY) <= offset) {
      const position = this.#unclaimed.pop() as Position;
      if (this.#byPosition.get(position)?.state === 'RETRY' && !isOpen(position)) this.over(position);
    }
  }

  unsaved(): { readonly changed: FailureRecord[]; readonly over: Position[] } {
    const changed: FailureRecord[] = [];
    const over: Position[] = [];
    for (const [position, failure] of this.#unsaved) {
      if (failure === null) over.push(position);
      else changed.push(failure);
    }
    return { changed, over };
  }

  /** Takes note of what was stored; records that changed again meanwhile stay unsaved. */
  saved(changed: readonly FailureRecord[], over: readonly Position[]): void {
    for (const failure of changed) {
      if (this.#unsaved.get(failure.position) === failure) this.#unsaved.delete(failure.position);
    }
    for (const position of over) {
      if (this.#unsaved.get(position) === null) this.#unsaved.delete(position);
    }
  }
}
