// Values that are valid by schemas, made from the bounds of their normal form: to show what a difference between two versions means.
// They are tries: whoever uses one holds it against the schemas.

import { isMultiple, type Json, type JsonObject } from '../json.js';
import {
  type Alternative,
  type ArrayBounds,
  itemAt,
  memberSchemas,
  mostItems,
  type NumberBounds,
  type ObjectBounds,
  type SchemaSet,
  type StringBounds,
} from './alternative.js';
import { alternativesOf } from './normal-form.js';
import { patternSamples } from './pattern-samples.js';
import type { SetKeys } from './set-keys.js';

const MAX_SAMPLES = 12;
/** What a string of a pattern may be. */
const TEXTS = [
  'a',
  'A',
  '0',
  '1',
  'ab',
  'AB',
  'abc',
  'ABC',
  '12',
  '123',
  '2026-01-31',
  '2026-01-31T10:00:00Z',
  'a@b.example',
  'https://a.example/',
  '00000000-0000-4000-8000-000000000000',
  '-',
  ' ',
  'é',
  'aé-1',
];
const MAX_MADE_LENGTH = 2_000;
const MAX_MADE_ITEMS = 100;

export class Samples {
  readonly #isValid: (set: SchemaSet, value: Json) => boolean | undefined;
  readonly #keys: SetKeys;
  /** What was found; of sets that are being looked at, which may lead to themselves, nothing. */
  readonly #found = new Map<string, readonly Json[]>();
  readonly #objects = new Map<ObjectBounds, readonly JsonObject[]>();

  /** `isValid` tells of a value whether all schemas hold for it. */
  constructor(isValid: (set: SchemaSet, value: Json) => boolean | undefined, keys: SetKeys) {
    this.#isValid = isValid;
    this.#keys = keys;
  }

  /** Some valid values. */
  of(set: SchemaSet): readonly Json[] {
    const key = this.#keys.of(set);
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    this.#found.set(key, []);
    const valid = alternativesOf(set).flatMap((alternative) => this.#validOf(alternative, set));
    const found = valid.slice(0, 2 * MAX_SAMPLES);
    this.#found.set(key, found);
    return found;
  }

  #validOf(alternative: Alternative, set: SchemaSet): readonly Json[] {
    const valid = this.ofAlternative(alternative).filter((value) => this.#isValid(set, value) === true);
    return valid.slice(0, MAX_SAMPLES);
  }

  /** Tries for values of one alternative. */
  ofAlternative({ kind, values, number, string, array, object }: Alternative): readonly Json[] {
    if (values !== undefined) return values.slice(0, MAX_SAMPLES);
    switch (kind) {
      case 'number':
        return numbers(number);
      case 'string':
        return strings(string);
      case 'array':
        return this.arrays(array);
      default:
        return this.objects(object);
    }
  }

  /** Arrays of the least length and some more items; `length`: of at least so many. */
  arrays(array: ArrayBounds, length = 0): readonly Json[] {
    const least = Math.max(array.minItems, length);
    const lengths = [least, least + 1, least + 2].filter((one) => one <= Math.min(mostItems(array), MAX_MADE_ITEMS));
    return lengths.flatMap((one) => {
      const items = Array.from({ length: one }, (_, at) => this.of(itemAt(array, at)));
      if (items.some(({ length: count }) => count === 0)) return [];
      const same = items.map(([first]) => first as Json);
      const various = items.map((some, at) => some[at % some.length] as Json);
      return [same, various];
    });
  }

  /** Objects with what is required, with each other member that is known, and with all of them. */
  objects(object: ObjectBounds): readonly JsonObject[] {
    const known = this.#objects.get(object) ?? this.#madeObjects(object);
    this.#objects.set(object, known);
    return known;
  }

  #madeObjects(object: ObjectBounds): readonly JsonObject[] {
    const least = this.#withMembers(object, [...object.required]);
    if (least === undefined) return [];
    const known = object.clauses.flatMap(({ properties }) => [...properties.keys()]);
    const others = [...new Set(known)].filter((name) => !object.required.has(name)).slice(0, 20);
    const fuller = others.map((name) => this.#withMembers(object, [name], least)).filter((one) => one !== undefined);
    const full = others.reduce<JsonObject>((made, name) => this.#withMembers(object, [name], made) ?? made, least);
    return [least, full, ...fuller];
  }

  #withMembers(object: ObjectBounds, names: readonly string[], made: JsonObject = {}): JsonObject | undefined {
    const grown = new Map(Object.entries(made));
    for (const name of names) {
      const [value] = this.of(memberSchemas(object, name) ?? []);
      if (value === undefined) return undefined;
      grown.set(name, value);
      for (const one of object.dependent.get(name) ?? []) {
        if (!grown.has(one)) grown.set(one, this.of(memberSchemas(object, one) ?? [])[0] ?? null);
      }
    }
    return Object.fromEntries(grown);
  }
}

/** Numbers at the bounds, near zero, and between others. */
export function numbers({ minimum, maximum, multiples }: NumberBounds): readonly number[] {
  const [low, high] = [Number.isFinite(minimum) ? minimum : undefined, Number.isFinite(maximum) ? maximum : undefined];
  const edges = [low, high].flatMap((edge) =>
    edge === undefined
      ? []
      : [
          edge,
          edge + 1,
          edge - 1,
          edge + 0.5,
          edge - 0.5,
          edge + 0.001,
          edge - 0.001,
          Math.ceil(edge),
          Math.floor(edge),
        ],
  );
  const middle = low !== undefined && high !== undefined ? [(low + high) / 2] : [];
  const steps = multiples.flatMap((step) => [
    step,
    -step,
    2 * step,
    3 * step,
    7 * step,
    ...edges.slice(0, 18).map((edge) => Math.ceil(edge / step) * step),
  ]);
  const tries = [0, 1, 2, 3, 5, 7, -1, 0.5, -0.5, 1.25, 1e9, -1e9, 1e300, -1e300, ...edges, ...middle, ...steps];
  return [...new Set(tries)].filter((value) => isWithin(value, { minimum, maximum, multiples }));
}

function isWithin(
  value: number,
  { minimum, maximum, multiples }: Pick<NumberBounds, 'minimum' | 'maximum' | 'multiples'>,
): boolean {
  return (
    Number.isFinite(value) && value >= minimum && value <= maximum && multiples.every((step) => isMultiple(value, step))
  );
}

function strings({ minLength, maxLength, patterns }: StringBounds): readonly string[] {
  const lengths = [minLength, minLength + 1, maxLength].filter(
    (length) => length <= Math.min(maxLength, MAX_MADE_LENGTH),
  );
  const made = lengths.flatMap((length) => ['a'.repeat(length), '0'.repeat(length), 'A'.repeat(length)]);
  const matching = patterns.flatMap(({ text }) => patternSamples(text));
  return [...matching, ...made, ...TEXTS].filter(
    (text) => text.length >= minLength && text.length <= maxLength && patterns.every((pattern) => pattern.isIn(text)),
  );
}
