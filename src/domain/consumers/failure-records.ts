// The failure records of a consumer, and which of them are not stored yet.

import type { Position } from '../../units.js';
import { KeyedHeap } from '../collections/keyed-heap.js';
import type { FailureRecord } from './delivery-types.js';

export class FailureRecords {
  // Made for the first failure: most consumers have none, and there may be many thousand.
  #byPosition: Map<Position, FailureRecord> | undefined;
  /** What to write: the failure record, or null where it is over. */
  #unsaved: Map<Position, FailureRecord | null> | undefined;
  /** Stored failure records of events that the scan has not offered yet. */
  readonly #unclaimed = new KeyedHeap<Position>();
  #parked = 0;
  #replaying = 0;

  constructor(failures: readonly FailureRecord[]) {
    for (const failure of failures) {
      this.#keep(failure);
    }
    this.unclaim();
  }

  get parked(): number {
    return this.#parked;
  }

  /** Parked events that are asked for again. */
  get replaying(): number {
    return this.#replaying;
  }

  get hasUnsaved(): boolean {
    return (this.#unsaved?.size ?? 0) > 0;
  }

  get(position: Position): FailureRecord | undefined {
    return this.#byPosition?.get(position);
  }

  all(): FailureRecord[] {
    return [...(this.#byPosition?.values() ?? [])];
  }

  set(failure: FailureRecord): void {
    this.#count(this.get(failure.position), -1);
    this.#keep(failure);
    this.#change(failure.position, failure);
  }

  /** The event was not offered yet, and may never be. */
  addUnclaimed(position: Position): void {
    this.#unclaimed.add(position, position);
  }

  /** The scan begins anew, and has offered nothing yet. */
  unclaim(): void {
    this.#unclaimed.clear();
    for (const failure of this.all()) {
      if (failure.state === 'RETRY') this.addUnclaimed(failure.position);
    }
  }

  /** Ends the time that a member asked for: what remains is how often the event failed, if it did. */
  endExtension(position: Position): FailureRecord | undefined {
    const failure = this.get(position);
    if (failure === undefined) return undefined;
    const { attempts, losses, state } = failure;
    if (state === 'RETRY' && attempts === 0 && losses === 0) {
      this.over(position);
      return undefined;
    }
    const ended = { ...failure, notBeforeMs: 0 };
    this.set(ended);
    return ended;
  }

  over(position: Position): void {
    const failure = this.get(position);
    if (failure === undefined) return;
    this.#count(failure, -1);
    this.#byPosition?.delete(position);
    this.#change(position, null);
  }

  /** Ends stored failure records that the offset passed without the event ever being offered: it expired. */
  dropPassed(offset: Position, isOpen: (position: Position) => boolean): void {
    while ((this.#unclaimed.minKey ?? Number.POSITIVE_INFINITY) <= offset) {
      const position = this.#unclaimed.pop() as Position;
      if (this.get(position)?.state === 'RETRY' && !isOpen(position)) this.over(position);
    }
  }

  unsaved(): { readonly changed: FailureRecord[]; readonly over: Position[] } {
    const changed: FailureRecord[] = [];
    const over: Position[] = [];
    for (const [position, failure] of this.#unsaved ?? []) {
      if (failure === null) over.push(position);
      else changed.push(failure);
    }
    return { changed, over };
  }

  /**
   * Takes note that a failure record is stored, unless it changed again meanwhile; returns what is kept of it then. Its texts are left
   * to storage: events that wait or are parked may be many.
   */
  saved(failure: FailureRecord): FailureRecord | undefined {
    if (this.#unsaved?.get(failure.position) !== failure) return undefined;
    const kept = { ...failure, cause: undefined };
    this.#unsaved.delete(failure.position);
    this.#byPosition?.set(failure.position, kept);
    return kept;
  }

  /** Takes note that failure records are deleted in storage; those that came again meanwhile stay unsaved. */
  savedOver(positions: readonly Position[]): void {
    for (const position of positions) {
      if (this.#unsaved?.get(position) === null) this.#unsaved.delete(position);
    }
  }

  #keep(failure: FailureRecord): void {
    this.#count(failure, 1);
    this.#byPosition ??= new Map();
    this.#byPosition.set(failure.position, failure);
  }

  #count(failure: FailureRecord | undefined, sign: 1 | -1): void {
    if (failure?.state === 'PARKED') this.#parked += sign;
    else if (failure?.state === 'REPLAY') this.#replaying += sign;
  }

  #change(position: Position, failure: FailureRecord | null): void {
    this.#unsaved ??= new Map();
    this.#unsaved.set(position, failure);
  }
}
