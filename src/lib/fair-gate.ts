// Lets a number of works run at a time; the others wait in a line of their caller, and the callers take turns.

import { FairQueue, TURN } from './fair-queue.js';

export class FairGate {
  #free: number;
  readonly #waiting = new FairQueue<() => void>(() => TURN);

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Returns what the work gives; it may begin later. */
  async run<T>(caller: string, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((enter) => this.#waiting.push(caller, enter));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
