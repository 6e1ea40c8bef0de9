// What is wrong with a schema, each where it stands.

import { MadeleineError } from '../errors.js';

export interface SchemaProblem {
  /** JSON Pointer into the schema. */
  readonly pointer: string;
  /** What is wrong there: words that continue the pointer, such as `is not a whole number`. */
  readonly what: string;
}

/** Problems that are told; a schema may be wrong everywhere. */
const MAX_PROBLEMS = 20;

export class SchemaProblems {
  readonly #found: SchemaProblem[] = [];

  add(pointer: string, what: string): void {
    if (this.#found.length < MAX_PROBLEMS) this.#found.push({ pointer, what });
  }

  get found(): readonly SchemaProblem[] {
    return this.#found;
  }

  /** Throws SCHEMA_INVALID, with a violation each, if there are any. `field`: of the request, which holds the schema. */
  throwAny(field: string): void {
    const violations = this.#found.map(({ pointer, what }) => ({ field: `${field}${pointer}`, description: what }));
    const [first] = violations;
    if (first === undefined) return;
    throw new MadeleineError('SCHEMA_INVALID', `${first.field}: ${first.description}`, { violations });
  }
}
