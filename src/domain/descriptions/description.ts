// A description: the part of a payload that says which event is meant. Parsing and its limits, equality, and whether a
// payload contains it.
//
// Contained means: at every leaf path of the description the payload has an equal value. A leaf is a scalar, null, a whole
// array or an empty object; so {"a":{}} is not contained in {"a":{"b":1}}, and [1] not in [1,2]. Equal is: numbers by exact
// decimal value, strings by code points without normalisation, arrays item by item, objects in arrays whole, whatever the
// order of their keys.

import { bug, fieldInvalid } from '../errors.js';
import { isJsonText } from '../json/bytes.js';
import { type Leaf, leavesText, readLeaves } from '../json/json-leaves.js';
import { pointerOf } from '../json/json-path.js';
import { scanLeaves, type Tokens, WantedPaths } from '../json/json-scan.js';
import { JsonProblem } from '../json/json-tokens.js';
import { type Shape, shapeOf, valuesHash, valuesText } from './shape.js';

/** Bytes that a description may have, as it came and as it is stored. */
export const MAX_DESCRIPTION_BYTES = 16 * 1024;

/** Characters of a value that a Difference shows. */
const MAX_SHOWN = 256;

/** Where a payload does not have what a description says. */
export interface Difference {
  /** The first path, in the order of the shape, as a JSON Pointer. */
  readonly path: string;
  /** JSON, cut after 256 characters. */
  readonly expected: string;
  /** JSON, cut after 256 characters; `{…}` for an object that is not empty; undefined: nothing is there. */
  readonly found: string | undefined;
  /** How close it is: leaves of the description that the payload has, of all. */
  readonly matching: number;
  readonly leaves: number;
}

export class Description {
  /** The stored form: JSON with sorted keys and canonical numbers. Descriptions are equal if their texts are. */
  readonly text: string;
  readonly shape: Shape;
  /** What a payload of the shape has to have (ShapeMatch.values). */
  readonly values: string;
  /** The hash of the values, 17 bytes. */
  readonly hash: Buffer;
  readonly #tokens: readonly string[];
  #wanted: WantedPaths | undefined;

  /** Takes leaves sorted by path, at least one, none at the empty path. Others make it by one of the functions below. */
  constructor(leaves: readonly Leaf[]) {
    this.text = leavesText(leaves);
    this.shape = shapeOf(leaves.map(({ path }) => path));
    this.#tokens = leaves.map(({ token }) => token);
    this.values = valuesText(this.#tokens);
    this.hash = valuesHash(this.values);
  }

  /** The paths of its leaves as JSON Pointers: those that matched wherever it is satisfied. */
  get pointers(): string[] {
    return this.shape.paths.map(pointerOf);
  }

  /** Whether the JSON payload contains it. One that cannot be indexed contains nothing. */
  isContainedIn(payload: Uint8Array): boolean {
    const found = this.#tokensOf(payload);
    return this.#tokens.every((token, index) => found[index] === token);
  }

  /** Where the JSON payload differs first and how close it is; undefined if it contains the description. */
  differenceTo(payload: Uint8Array): Difference | undefined {
    return this.#difference(this.#tokensOf(payload));
  }

  #difference(found: Tokens): Difference | undefined {
    const first = this.#tokens.findIndex((token, index) => found[index] !== token);
    if (first < 0) return undefined;
    return {
      path: pointerOf(this.shape.paths[first] ?? []),
      expected: shown(this.#tokens[first] as string),
      found: found[first] === undefined ? undefined : shown(found[first]),
      matching: this.#tokens.filter((token, index) => found[index] === token).length,
      leaves: this.#tokens.length,
    };
  }

  /**
   * Checks a push that has both: FIELD_INVALID under `field` unless the payload contains the description, under `payloadField` if it
   * breaks the limits.
   */
  assertContainedIn(payload: Uint8Array, field: string, payloadField: string): void {
    const found = orInvalid(payloadField, () => this.#scan(payload));
    const difference = this.#difference(found);
    if (difference === undefined) return;
    throw fieldInvalid(field, `is not contained in the payload, which differs at ${shown(difference.path)}`);
  }

  #tokensOf(payload: Uint8Array): Tokens {
    try {
      return this.#scan(payload);
    } catch (error) {
      if (error instanceof JsonProblem) return [];
      throw error;
    }
  }

  /** The tokens in the order of the shape's paths: slots are given out in this order. */
  #scan(payload: Uint8Array): Tokens {
    this.#wanted ??= wantedOf(this.shape);
    return scanLeaves(payload, this.#wanted);
  }
}

/**
 * The description in a JSON text. FIELD_INVALID under `field` for what is not a JSON object, has no leaf, more than 1,024
 * leaves, more than 64 levels, a key twice, or more than 16 KiB.
 */
export function parseDescription(bytes: Uint8Array, field: string): Description {
  if (bytes.byteLength > MAX_DESCRIPTION_BYTES) throw tooLong(field);
  if (!isJsonText(bytes)) throw fieldInvalid(field, 'is not JSON');
  const leaves = checkedLeaves(bytes, field);
  // Either no object, or an empty one: the only leaf there is has the empty path.
  const whole = leaves.find(({ path }) => path.length === 0);
  if (whole !== undefined) throw fieldInvalid(field, whole.token === '{}' ? 'is empty' : 'is not an object');
  return bounded(leaves, field);
}

/** The description of a stored text. */
export function loadDescription(text: string): Description {
  const leaves = readLeaves(Buffer.from(text));
  if (leaves.some(({ path }) => path.length === 0)) throw bug('a stored description without a leaf');
  return new Description(leaves);
}

/** All leaves of a JSON text, sorted by path; FIELD_INVALID under `field` if it breaks the limits. */
export function checkedLeaves(bytes: Uint8Array, field: string): Leaf[] {
  return orInvalid(field, () => readLeaves(bytes));
}

function orInvalid<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof JsonProblem ? fieldInvalid(field, error.message) : error;
  }
}

/** The description with these leaves, unless its text is too long: 1e20 is four characters and stored in 21. */
export function bounded(leaves: readonly Leaf[], field: string): Description {
  const description = new Description(leaves);
  if (Buffer.byteLength(description.text) > MAX_DESCRIPTION_BYTES) throw tooLong(field);
  return description;
}

function tooLong(field: string): Error {
  return fieldInvalid(field, `has more than ${MAX_DESCRIPTION_BYTES} bytes`);
}

function wantedOf(shape: Shape): WantedPaths {
  const wanted = new WantedPaths();
  for (const path of shape.paths) wanted.add(path);
  return wanted;
}

/** Cut to what people want to see, not in the middle of a surrogate pair. */
function shown(text: string): string {
  if (text.length <= MAX_SHOWN) return text;
  return `${text.slice(0, MAX_SHOWN).replace(/[\ud800-\udbff]$/, '')}…`;
}
