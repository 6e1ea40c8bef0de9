// The troubles of a consumer, and which of them are not stored yet.

import type { Position } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { Trouble } from './delivery-types.js';

export class DeliveryTroubles {
  readonly #byPosition = new Map<Position, Trouble>();
  /** What to write: the trouble, or null where it is over. */
  readonly #unsaved = new Map<Position, Trouble | null>();
  /** Stored troubles of events that the scan has not offered yet. */
  readonly #unclaimed = new KeyedHeap<Position>();
  #parked = 0;

  constructor(troubles: readonly Trouble[]) {
    for (const trouble of troubles) {
      this.#byPosition.set(trouble.position, trouble);
      if (trouble.state === 'PARKED') this.#parked++;
    }
    this.unclaim();
  }

  get parked(): number {
    return this.#parked;
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.size > 0;
  }

  get(position: Position): Trouble | undefined {
    return this.#byPosition.size === 0 ? undefined : this.#byPosition.get(position);
  }

  all(): Trouble[] {
    return [...this.#byPosition.values()];
  }

  set(trouble: Trouble): void {
    if (this.#byPosition.get(trouble.position)?.state === 'PARKED') this.#parked--;
    if (trouble.state === 'PARKED') this.#parked++;
    this.#byPosition.set(trouble.position, trouble);
    this.#unsaved.set(trouble.position, trouble);
  }

  /** The event was not offered yet, and may never be. */
  addUnclaimed(position: Position): void {
    this.#unclaimed.add(position, position);
  }

  /** The scan begins anew, and has offered nothing yet. */
  unclaim(): void {
    this.#unclaimed.clear();
    for (const trouble of this.#byPosition.values()) {
      if (trouble.state === 'RETRY') this.addUnclaimed(trouble.position);
    }
  }

  over(position: Position): void {
    const trouble = this.#byPosition.get(position);
    if (trouble === undefined) return;
    if (trouble.state === 'PARKED') this.#parked--;
    this.#byPosition.delete(position);
    this.#unsaved.set(position, null);
  }

  /** Ends stored troubles that the offset passed without the event ever being offered: it expired. */
  dropPassed(offset: Position, isOpen: (position: Position) => boolean): void {
    while ((this.#unclaimed.minKey ?? Number.POSITIVE_INFINITY) <= offset) {
      const position = this.#unclaimed.pop() as Position;
      if (this.#byPosition.get(position)?.state === 'RETRY' && !isOpen(position)) this.over(position);
    }
  }

  unsaved(): { readonly changed: Trouble[]; readonly over: Position[] } {
    const changed: Trouble[] = [];
    const over: Position[] = [];
    for (const [position, trouble] of this.#unsaved) {
      if (trouble === null) over.push(position);
      else changed.push(trouble);
    }
    return { changed, over };
  }

  /** These were stored; those that changed again meanwhile stay. */
  saved(changed: readonly Trouble[], over: readonly Position[]): void {
    for (const trouble of changed) {
      if (this.#unsaved.get(trouble.position) === trouble) this.#unsaved.delete(trouble.position);
    }
    for (const position of over) {
      if (this.#unsaved.get(position) === null) this.#unsaved.delete(position);
    }
  }
}
