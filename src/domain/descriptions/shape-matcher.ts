// Which of a topic's shapes a payload has, and the hash of its values for each: one pass, whatever the number of shapes.

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
   * The shapes that the JSON payload has, in the order they were given. One that cannot be indexed (more than 64 levels or 1,024
   * leaves, a key twice) has none, so that nobody's description stops somebody else's pushes; without shapes nothing is looked at.
   */
  match(payload: Uint8Array): ShapeMatch<S>[] {
    if (this.#shapes.length === 0) return [];
    try {
      return this.#matches(scanLeaves(payload, this.#wanted));
    } catch (error) {
      if (error instanceof JsonProblem) return [];
      throw error;
    }
  }

  #matches(tokens: Tokens): ShapeMatch<S>[] {
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
