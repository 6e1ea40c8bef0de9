// Work on many rows that somebody asks for, in slices of the event loop: everybody else's calls come between them. A slice is bounded in
// rows and bytes; callers take turns, and once their slices took a millisecond the loop is left to others for as long.

import type { Millis } from '../units.js';
import { type Clock, systemClock } from './clock.js';
import { FairGate } from './fair-gate.js';

/** What a slice looks at, at most; one row at least. A millisecond, about. */
export const SLICE_ROWS = 256;
export const SLICE_BYTES = 128 * 1024;
/** What a byte that is decoded or encoded costs, in bytes of rows that are looked at. */
export const CODED_BYTE = 8;
/** What a step of a check against a schema costs, likewise. */
export const CHECK_STEP = 4;
/** Work after which the loop is left to others. */
const WORK_MS: Millis = 1;

/** Items to work on, in order. */
interface Work<T> {
  readonly items: readonly T[];
  readonly bytesOf: (item: T) => number;
  /** What the last item turned out to cost besides, likewise in bytes. */
  readonly moreBytes?: () => number;
  /** False: no more of them. */
  readonly look: (item: T) => boolean;
}

export class LoopSlices {
  readonly #clock: Clock;
  readonly #gate = new FairGate(1);
  /** What slices took since the loop was last left to others. */
  #workedMs: Millis = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Looks at each of the items, in order, until `look` returns false. Rejects with the signal's reason. */
  async each<T>(caller: string, work: Work<T>, signal?: AbortSignal): Promise<void> {
    for (let next: number | undefined = 0; next !== undefined && next < work.items.length; ) {
      const from: number = next;
      next = await this.#inTurn(caller, () => {
        signal?.throwIfAborted();
        return this.#slice(work, from);
      });
    }
  }

  /** The items that match, in slices. */
  async filter<T>(
    caller: string,
    items: readonly T[],
    bytesOf: (item: T) => number,
    matches: (item: T) => boolean,
  ): Promise<T[]> {
    const found: T[] = [];
    const look = (item: T) => {
      if (matches(item)) found.push(item);
      return true;
    };
    await this.each(caller, { items, bytesOf, look });
    return found;
  }

  /** Works when it is the caller's turn. The turn goes on for the pause that is due; whose work is done does not wait for it. */
  #inTurn<T>(caller: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const turn = async () => {
        const startedAt = this.#clock.monotonicMs();
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
        this.#workedMs += this.#clock.monotonicMs() - startedAt;
        await this.#rest();
      };
      void this.#gate.run(caller, turn);
    });
  }

  async #rest(): Promise<void> {
    if (this.#workedMs < WORK_MS) return;
    const pauseMs = this.#workedMs;
    this.#workedMs = 0;
    await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve));
    // A timer may be due again before the loop has looked for what came.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Looks at items from one on, for a slice; returns where to go on, or undefined where the work is done. */
  #slice<T>({ items, bytesOf, moreBytes, look }: Work<T>, from: number): number | undefined {
    let bytes = 0;
    for (let at = from; at < items.length; at += 1) {
      const item = items[at] as T;
      bytes += bytesOf(item);
      if (at > from && (at - from >= SLICE_ROWS || bytes > SLICE_BYTES)) return at;
      if (!look(item)) return undefined;
      bytes += moreBytes?.() ?? 0;
    }
    return undefined;
  }
}
