// What was leased to one member and is not handed to it yet. Its size is bounded by the member's credit: everything in here is
// in flight for the delivery window.

import type { Delivery } from '../../domain/consumers/delivery-types.js';
import type { UnreadSpan } from '../../domain/consumers/unread/unread-spans.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';

/** Deliveries on their way, in parallel: `deliveries[i]` is of `entries[i]`. */
export interface DeliveryBatch {
  readonly entries: readonly LogEntry[];
  readonly deliveries: readonly Delivery[];
  /** What was deleted before these. */
  readonly gaps?: readonly UnreadSpan[];
}

/** Places of what was taken that are kept. */
const KEPT_PLACES = 64;

/** Bytes of an entry in the form in which the member gets it. */
export type MeasureEntry = (entry: LogEntry) => number;

export class PendingDeliveries {
  #entries: LogEntry[] = [];
  #deliveries: Delivery[] = [];
  /** Index before which everything was taken. */
  #start = 0;
  #stale = false;
  /** What its owner counts by when it was looked through last. */
  era = 0;
  #bytes = 0;

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Bytes of its events, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Its deliveries, in the order in which they were leased. */
  get deliveries(): readonly Delivery[] {
    return this.#deliveries.slice(this.#start);
  }

  push(entry: LogEntry, delivery: Delivery): void {
    this.#bytes += entryBytes(entry);
    this.#entries.push(entry);
    this.#deliveries.push(delivery);
  }

  clear(): void {
    this.#entries = [];
    this.#deliveries = [];
    this.#start = 0;
    this.#stale = false;
    this.#bytes = 0;
  }

  /** Takes note that some deliveries in here may have ended: their clock ran out, or they were answered unseen. */
  markStale(): void {
    this.#stale = this.size > 0;
  }

  /** Drops what is no longer leased as it was, if anything may be. */
  prune(current: (delivery: Delivery) => boolean): void {
    if (!this.#stale) return;
    const entries = this.#entries.slice(this.#start);
    const deliveries = this.#deliveries.slice(this.#start);
    this.clear();
    deliveries.forEach((delivery, index) => {
      if (current(delivery)) this.push(entries[index] as LogEntry, delivery);
    });
  }

  /** Takes the oldest ones: at most `limit`, and as many as fit into the bytes, but at least one. */
  take(limit: number, maxBytes: number, measure: MeasureEntry): DeliveryBatch {
    const end = this.#endOf(limit, maxBytes, measure);
    if (this.#start === 0 && end === this.#entries.length) {
      const all = { entries: this.#entries, deliveries: this.#deliveries };
      this.clear();
      return all;
    }
    const taken = {
      entries: this.#entries.slice(this.#start, end),
      deliveries: this.#deliveries.slice(this.#start, end),
    };
    for (const entry of taken.entries) this.#bytes -= entryBytes(entry);
    this.#start = end;
    if (this.size === 0) this.clear();
    else if (end >= KEPT_PLACES) this.#dropTaken();
    return taken;
  }

  /** Lets go of what was taken: a subscriber that is never done would keep all that it ever got. */
  #dropTaken(): void {
    this.#entries = this.#entries.slice(this.#start);
    this.#deliveries = this.#deliveries.slice(this.#start);
    this.#start = 0;
  }

  #endOf(limit: number, maxBytes: number, measure: MeasureEntry): number {
    const last = Math.min(this.#entries.length, this.#start + limit);
    let bytes = 0;
    let end = this.#start;
    for (; end < last; end += 1) {
      bytes += measure(this.#entries[end] as LogEntry);
      if (bytes > maxBytes && end > this.#start) break;
    }
    return end;
  }
}
