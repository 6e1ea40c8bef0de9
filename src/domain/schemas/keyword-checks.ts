// What each keyword of a schema asks of a value, made into functions once. Those that look into a value, or hold other schemas
// against it, can also say where it fails.

import type { CheckRun } from './check-run.js';
import type { Explanation } from './explanation.js';
import { isEqual, isMultiple, type Json } from './json.js';
import type { Keywords, Schema, SchemaType } from './schema.js';

export type Holds<Value extends Json = Json> = (value: Value, run: CheckRun) => boolean;
export type Explain<Value extends Json = Json> = (value: Value, at: Explanation, run: CheckRun) => void;

export interface KeywordCheck<Value extends Json = Json> {
  readonly keyword: keyof Keywords;
  readonly holds: Holds<Value>;
  /** What is wrong with the value where it does not hold, or a function that tells what is wrong in it; `rule`: where the keyword stands. */
  readonly wrong: string | ((value: Value, at: Explanation, run: CheckRun, rule: string) => void);
}

/** The other schemas of the document, as functions. */
export interface SchemaFunctions {
  readonly holds: (schema: Schema) => Holds;
  readonly explain: (schema: Schema) => Explain;
}

/** Values that are shown in a refusal, and characters of each. */
const SHOWN_VALUES = 5;
const SHOWN_CHARACTERS = 40;

export function* anyChecks(k: Keywords, schemas: SchemaFunctions): Generator<KeywordCheck> {
  if (k.enum !== undefined) {
    const scalars = new Set(k.enum.filter((one) => typeof one !== 'object' || one === null));
    const others = k.enum.filter((one) => typeof one === 'object' && one !== null);
    yield {
      keyword: 'enum',
      holds: (value) =>
        typeof value !== 'object' || value === null ? scalars.has(value) : others.some((one) => isEqual(one, value)),
      wrong: `is none of ${k.enum.slice(0, SHOWN_VALUES).map(shownValue).join(', ')}${k.enum.length > SHOWN_VALUES ? ', …' : ''}`,
    };
  }
  if (k.const !== undefined) {
    const { value: only } = k.const;
    yield { keyword: 'const', holds: (value) => isEqual(only, value), wrong: `is not ${shownValue(only)}` };
  }
  yield* combinations(k, schemas);
}

function* combinations(k: Keywords, { holds, explain }: SchemaFunctions): Generator<KeywordCheck> {
  if (k.ref !== undefined) {
    const { ref } = k;
    yield {
      keyword: 'ref',
      holds: (value, run) => run.follow(() => holds(ref.target)(value, run)),
      wrong: (value, at, run) => run.follow(() => explain(ref.target)(value, at, run)),
    };
  }
  if (k.allOf !== undefined) {
    const all = k.allOf.map(holds);
    const explains = k.allOf.map(explain);
    yield {
      keyword: 'allOf',
      holds: (value, run) => all.every((one) => one(value, run)),
      wrong: (value, at, run) => {
        for (const one of explains) one(value, at, run);
      },
    };
  }
  if (k.anyOf !== undefined) {
    const all = k.anyOf.map(holds);
    yield {
      keyword: 'anyOf',
      holds: (value, run) => all.some((one) => one(value, run)),
      wrong: `fits none of ${all.length} alternatives`,
    };
  }
  if (k.oneOf !== undefined) {
    const all = k.oneOf.map(holds);
    yield {
      keyword: 'oneOf',
      holds: (value, run) => fitting(all, value, run) === 1,
      wrong: `does not fit exactly one of ${all.length} alternatives`,
    };
  }
  if (k.not !== undefined) {
    const not = holds(k.not);
    yield { keyword: 'not', holds: (value, run) => !not(value, run), wrong: 'fits what it must not' };
  }
  if (k.if !== undefined) yield conditional(k.if, k, { holds, explain });
}

/** How many of two it fits, or of all where it fits fewer. */
function fitting(all: readonly Holds[], value: Json, run: CheckRun): number {
  let count = 0;
  for (const one of all) {
    if (one(value, run)) count += 1;
    if (count > 1) break;
  }
  return count;
}

function conditional(
  condition: Schema,
  { then, else: otherwise }: Keywords,
  { holds, explain }: SchemaFunctions,
): KeywordCheck {
  const decides = holds(condition);
  const branch = (value: Json, run: CheckRun) => (decides(value, run) ? then : otherwise);
  const functions = new Map(
    [then, otherwise].flatMap((one) =>
      one === undefined ? [] : [[one, { holds: holds(one), explain: explain(one) }]],
    ),
  );
  return {
    keyword: 'if',
    holds: (value, run) => {
      const chosen = branch(value, run);
      return chosen === undefined || functions.get(chosen)?.holds(value, run) === true;
    },
    wrong: (value, at, run) => {
      const chosen = branch(value, run);
      if (chosen !== undefined) functions.get(chosen)?.explain(value, at, run);
    },
  };
}

export function* numberChecks(k: Keywords): Generator<KeywordCheck<number>> {
  const { maximum, minimum, exclusiveMaximum, exclusiveMinimum, multipleOf } = k;
  if (maximum !== undefined)
    yield { keyword: 'maximum', holds: (value) => value <= maximum, wrong: `is above ${maximum}` };
  if (minimum !== undefined)
    yield { keyword: 'minimum', holds: (value) => value >= minimum, wrong: `is below ${minimum}` };
  if (exclusiveMaximum !== undefined) {
    yield {
      keyword: 'exclusiveMaximum',
      holds: (value) => value < exclusiveMaximum,
      wrong: `is not below ${exclusiveMaximum}`,
    };
  }
  if (exclusiveMinimum !== undefined) {
    yield {
      keyword: 'exclusiveMinimum',
      holds: (value) => value > exclusiveMinimum,
      wrong: `is not above ${exclusiveMinimum}`,
    };
  }
  if (multipleOf !== undefined) {
    yield {
      keyword: 'multipleOf',
      holds: (value) => isMultiple(value, multipleOf),
      wrong: `is no multiple of ${multipleOf}`,
    };
  }
}

export function* stringChecks(k: Keywords): Generator<KeywordCheck<string>> {
  const { maxLength, minLength, pattern } = k;
  if (maxLength !== undefined) {
    yield {
      keyword: 'maxLength',
      holds: (value, run) => value.length <= maxLength || lengthOf(value, run) <= maxLength,
      wrong: `has more than ${maxLength} characters`,
    };
  }
  if (minLength !== undefined) {
    yield {
      keyword: 'minLength',
      holds: (value, run) => value.length >= minLength && lengthOf(value, run) >= minLength,
      wrong: `has fewer than ${minLength} characters`,
    };
  }
  if (pattern !== undefined) {
    yield {
      keyword: 'pattern',
      holds: (value, run) => {
        run.spend(pattern.stepsFor(value));
        return pattern.isIn(value);
      },
      wrong: `does not match ${pattern.text}`,
    };
  }
}

/** Characters, which may be two units of a text each. */
function lengthOf(text: string, run: CheckRun): number {
  run.spend(text.length / 16);
  let length = text.length;
  for (let at = 0; at < text.length - 1; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(at + 1);
    if (next < 0xdc00 || next > 0xdfff) continue;
    length -= 1;
    at += 1;
  }
  return length;
}

function shownValue(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

const TYPE_NAMES: Readonly<Record<SchemaType, string>> = {
  null: 'null',
  boolean: 'true or false',
  number: 'a number',
  integer: 'a whole number',
  string: 'a string',
  array: 'an array',
  object: 'an object',
};

/** What is wrong with a value of another type. */
export function wrongType(types: ReadonlySet<SchemaType>): string {
  return types.size === 0 ? 'is not allowed' : `is not ${[...types].map((type) => TYPE_NAMES[type]).join(' or ')}`;
}

/** The kinds of values that a type allows, as a set of bits. */
export const KIND_BITS = { null: 1, boolean: 2, integer: 4, number: 12, string: 16, array: 32, object: 64 } as const;

/** The bit of the value's type: a whole number has another one than a number with a fraction. */
export function bitOf(value: Json): number {
  switch (typeof value) {
    case 'string':
      return KIND_BITS.string;
    case 'number':
      return Number.isInteger(value) ? KIND_BITS.integer : KIND_BITS.number - KIND_BITS.integer;
    case 'boolean':
      return KIND_BITS.boolean;
    default:
      if (value === null) return KIND_BITS.null;
      return Array.isArray(value) ? KIND_BITS.array : KIND_BITS.object;
  }
}
