// What one check of a value has spent. Steps bound its time, whatever the schema and the value are made of: each schema that is held
// against a value costs some, and what takes longer costs more.

import { limits } from './schema-limits.js';

/** The check cannot be finished: why, in words that continue the name of the value. */
export class CheckStopped extends Error {
  override readonly name = 'CheckStopped';
}

export class CheckRun {
  readonly #steps: number;
  #left: number;
  #references = 0;

  constructor(steps: number = limits.steps) {
    this.#steps = steps;
    this.#left = steps;
  }

  /** Steps that were taken. */
  get spent(): number {
    return this.#steps - this.#left;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new CheckStopped(`takes more than ${limits.steps} steps to check against the schema`);
  }

  /** Whether nothing more can be checked. */
  get isSpent(): boolean {
    return this.#left < 0;
  }

  /** Goes on in another schema, which may lead to this one again. */
  follow<T>(go: () => T): T {
    this.#references += 1;
    if (this.#references > limits.references)
      throw new CheckStopped(`nests more than ${limits.references} references of the schema`);
    const result = go();
    this.#references -= 1;
    return result;
  }
}
