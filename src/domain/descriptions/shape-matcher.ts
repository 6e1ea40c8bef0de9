// Which of a topic's shapes a payload has, and the hash of its values for each: one pass, whatever the number of shapes.

import { fieldInvalid } from '../errors.js';
import { NOT_A_LEAF, scanLeaves, type Tokens, WantedPaths } from '../json/json-scan.js';
import { JsonProblem } from '../json/json-tokens.js';
import { type Shape, valuesHash, valuesText } from './shape.js';

/** A shape whose paths all lead to leaves of the payload. */
export interface ShapeMatch<S extends Shape = Shape> {
  /** The shape as it was given to the matcher. */
  readonly shape: S;
  /** What to look up: the descriptions of this shape that the payload contains have this hash. */
  readonly hash: Buffer;
  /** What decides: a description of this shape is contained exactly if its `values` is this text. */
  readonly values: string;
}

/** The shapes of one topic, compiled. Not changed: a topic whose shapes change gets another one. */
export class ShapeMatcher<S extends Shape = Shape> {
  readonly #shapes: readonly { readonly shape: S; readonly slots: readonly number[] }[];
  readonly #wanted = new WantedPaths();

  constructor(shapes: readonly S[]) {
    this.#shapes = shapes.map((shape) => ({ shape, slots: shape.paths.map((path) => this.#wanted.add(path)) }));
  }

  /**
   * The shapes that the JSON payload has, in the order they were given. A payload that breaks the limits of watched topics
   * (64 levels, 1,024 leaves, no key twice) is FIELD_INVALID under `field`; without shapes nothing is looked at.
   */
  matchPushed(payload: Uint8Array, field: string): ShapeMatch<S>[] {
    if (this.#shapes.length === 0) return [];
    try {
      return this.#match(scanLeaves(payload, this.#wanted));
    } catch (error) {
      throw error instanceof JsonProblem ? fieldInvalid(field, error.message) : error;
    }
  }

  /** Keys of a payload of the log, as `keysOf` has them; one that breaks the limits, stored before anybody watched, matches nothing. */
  matchStored(payload: Uint8Array): ShapeMatch<S>[] {
    if (this.#shapes.length === 0) return [];
    try {
      return this.#match(scanLeaves(payload, this.#wanted));
    } catch (error) {
      if (error instanceof JsonProblem) return [];
      throw error;
    }
  }

  #match(tokens: Tokens): ShapeMatch<S>[] {
    const matches: ShapeMatch<S>[] = [];
    for (const { shape, slots } of this.#shapes) {
      const found = leafTokens(tokens, slots);
      if (found === undefined) continue;
      const values = valuesText(found);
      matches.push({ shape, hash: valuesHash(values), values });
    }
    return matches;
  }
}

/** The tokens in the slots, or undefined if one of them holds no leaf. */
function leafTokens(tokens: Tokens, slots: readonly number[]): string[] | undefined {
  const found: string[] = [];
  for (const slot of slots) {
    const token = tokens[slot];
    if (token === undefined || token === NOT_A_LEAF) return undefined;
    found.push(token);
  }
  return found;
}
