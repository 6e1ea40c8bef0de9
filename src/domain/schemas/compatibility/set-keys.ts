// One text for each set of schemas, by which what was found of it is remembered.

import type { Schema } from '../schema.js';
import type { SchemaSet } from './alternative.js';

export class SetKeys {
  readonly #numbers = new Map<Schema, number>();

  of(set: SchemaSet): string {
    return [...new Set(set.map((schema) => this.#numberOf(schema)))].sort((a, b) => a - b).join(',');
  }

  #numberOf(schema: Schema): number {
    const number = this.#numbers.get(schema) ?? this.#numbers.size;
    this.#numbers.set(schema, number);
    return number;
  }
}
