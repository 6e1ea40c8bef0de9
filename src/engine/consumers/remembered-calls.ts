// Calls of Fetch by their request ids, for those that are repeated: what each was given, for a while, and not without bound.

import { entryBytes } from '../../domain/events/entry-size.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';
import type { DeliveryBatch } from './pending-deliveries.js';

/** Calls that are remembered for one member, and bytes of their events; the oldest are forgotten first. */
const MAX_CALLS = 1_000;
export const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024;

interface Remembered {
  readonly batch: Promise<DeliveryBatch>;
  readonly untilMs: Millis;
  /** Bytes of its events; 0 while they are waited for. */
  bytes: number;
}

export class RememberedCalls {
  readonly #clock: Clock;
  readonly #forMs: Millis;
  readonly #calls = new Map<string, Remembered>();
  #bytes = 0;

  /** Remembers each call for so long. */
  constructor(clock: Clock, forMs: Millis) {
    this.#clock = clock;
    this.#forMs = forMs;
  }

  /** What the call with this id was given, or is going to be. */
  get(requestId: string): Promise<DeliveryBatch> | undefined {
    const call = this.#calls.get(requestId);
    return call !== undefined && call.untilMs > this.#clock.monotonicMs() ? call.batch : undefined;
  }

  add(requestId: string, batch: Promise<DeliveryBatch>): void {
    this.#forget(requestId);
    const call: Remembered = { batch, untilMs: this.#clock.monotonicMs() + this.#forMs, bytes: 0 };
    this.#calls.set(requestId, call);
    this.#keepWithin();
    const forget = () => {
      if (this.#calls.get(requestId) === call) this.#forget(requestId);
    };
    batch.then((given) => {
      // A call that leased nothing may as well be made anew.
      if (given.deliveries.length === 0) forget();
      else this.#count(requestId, call, given);
    }, forget);
  }

  #count(requestId: string, call: Remembered, { entries }: DeliveryBatch): void {
    if (this.#calls.get(requestId) !== call) return;
    for (const entry of entries) call.bytes += entryBytes(entry);
    this.#bytes += call.bytes;
    this.#keepWithin();
  }

  #keepWithin(): void {
    for (const requestId of this.#calls.keys()) {
      const isWithin = this.#calls.size <= MAX_CALLS && this.#bytes <= MAX_REMEMBERED_BYTES;
      if (isWithin || this.#calls.size === 1) return;
      this.#forget(requestId);
    }
  }

  #forget(requestId: string): void {
    this.#bytes -= this.#calls.get(requestId)?.bytes ?? 0;
    this.#calls.delete(requestId);
  }
}
