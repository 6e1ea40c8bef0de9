// Where in a value a schema does not hold, and what is wrong there: as many places as somebody wants to read.

import { pointerOf } from '../json/json-path.js';
import { limits } from './schema-limits.js';

/** Characters of a path that are shown. */
const MAX_SHOWN_PATH = 300;

export interface Mismatch {
  /** JSON Pointer into the value; cut where it is very long. */
  readonly path: string;
  /** What is wrong there: words that continue the path, such as `is not a string`. */
  readonly what: string;
  /** JSON Pointer into the schema: to the keyword that says so. */
  readonly rule: string;
}

export class Explanation {
  readonly #found: Mismatch[] = [];
  readonly #path: string[] = [];

  get found(): readonly Mismatch[] {
    return this.#found;
  }

  get isFull(): boolean {
    return this.#found.length >= limits.violations;
  }

  add(what: string, rule: string): void {
    if (!this.isFull) this.#found.push({ path: shown(pointerOf(this.#path)), what, rule: shown(rule) });
  }

  below(key: string | number, go: () => void): void {
    if (this.isFull) return;
    this.#path.push(String(key));
    go();
    this.#path.pop();
  }
}

/** Half characters, which no answer can carry, become U+FFFD. */
function shown(pointer: string): string {
  const text = pointer.length > MAX_SHOWN_PATH ? `${pointer.slice(0, MAX_SHOWN_PATH)}…` : pointer;
  return Buffer.from(text).toString();
}
