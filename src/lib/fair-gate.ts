// Lets a number of works run at a time; the others wait in a line of their caller, and the callers take turns.

import { FairQueue, TURN } from './fair-queue.js';

export class FairGate {
  #free: number;
  readonly #waiting = new FairQueue<() => void>(() => TURN);

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Whether a work of the caller waits for its turn. */
  isQueued(caller: string): boolean {
    return this.#waiting.has(caller);
  }

  /** Returns what the work gives; it may begin later. Rejects with the signal's reason if that comes before: the place is then free. */
  async run<T>(caller: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(caller, signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  async #turn(caller: string, signal: AbortSignal | undefined): Promise<void> {
    let leave = () => {};
    try {
      await new Promise<void>((enter, give) => {
        this.#waiting.push(caller, enter);
        leave = () => {
          if (this.#waiting.remove(caller, enter)) give(signal?.reason);
        };
        signal?.addEventListener('abort', leave);
      });
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }
}
