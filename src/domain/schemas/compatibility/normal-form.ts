// The normal form in which schemas are compared: what is valid as a list of alternatives. What is not understood is kept as it is
// written: two that are written alike ask the same.

import { canonicalText, isEqual, JSON_KINDS, type Json, type JsonKind, kindOf, textsOf } from '../json.js';
import type { Keywords, Schema } from '../schema.js';
import type { Alternative, ArrayBounds, NumberBounds, ObjectBounds, SchemaSet, StringBounds } from './alternative.js';
import { closedText } from './closed-schemas.js';
import { areDisjoint } from './disjoint.js';

/** More are not multiplied out. */
const MAX_ALTERNATIVES = 64;

const ANY_NUMBER: NumberBounds = {
  minimum: Number.NEGATIVE_INFINITY,
  isAboveMinimum: false,
  maximum: Number.POSITIVE_INFINITY,
  isBelowMaximum: false,
  isInteger: false,
  multiples: [],
};
const ANY_STRING: StringBounds = { minLength: 0, maxLength: Number.POSITIVE_INFINITY, patterns: [] };
const ANY_ARRAY: ArrayBounds = { minItems: 0, maxItems: Number.POSITIVE_INFINITY, isUnique: false, clauses: [] };
const ANY_OBJECT: ObjectBounds = {
  required: new Set(),
  minProperties: 0,
  maxProperties: Number.POSITIVE_INFINITY,
  dependent: new Map(),
  clauses: [],
};
const NOTHING_OPAQUE: ReadonlyMap<string, string> = new Map();
const FINITE: Partial<Record<JsonKind, readonly Json[]>> = { null: [null], boolean: [false, true] };

const ANYTHING: readonly Alternative[] = JSON_KINDS.map((kind) => ({
  kind,
  values: FINITE[kind],
  opaque: NOTHING_OPAQUE,
  number: ANY_NUMBER,
  string: ANY_STRING,
  array: ANY_ARRAY,
  object: ANY_OBJECT,
}));

/** What is valid by all of the schemas. */
export function alternativesOf(set: SchemaSet): readonly Alternative[] {
  return set.reduce<readonly Alternative[]>((found, schema) => both(found, formOf(schema), schema), ANYTHING);
}

const forms = new WeakMap<Schema, readonly Alternative[]>();

function formOf(schema: Schema): readonly Alternative[] {
  const known = forms.get(schema);
  if (known !== undefined) return known;
  const form = madeForm(schema);
  forms.set(schema, form);
  return form;
}

function madeForm(schema: Schema): readonly Alternative[] {
  const { verdict, keywords: k } = schema;
  if (verdict !== undefined) return verdict ? ANYTHING : [];
  let form = ownForm(schema);
  if (k.ref !== undefined) form = both(form, formOf(k.ref.target), k.ref.target);
  for (const part of k.allOf ?? []) form = both(form, formOf(part), part);
  if (k.anyOf !== undefined) form = both(form, k.anyOf.flatMap(formOf), schema);
  if (k.oneOf === undefined) return form;
  const kinds = new Set(form.map(({ kind }) => kind));
  const each = k.oneOf.map((one) => formOf(one).filter(({ kind }) => kinds.has(kind)));
  return areApart(each) ? both(form, each.flat(), schema) : form.map((one) => withOpaque(one, 'oneOf', k.oneOf ?? []));
}

/** Whether no value is valid by two of the forms; of more alternatives than are multiplied out it is not asked. */
function areApart(forms: readonly (readonly Alternative[])[]): boolean {
  if (forms.flat().length > MAX_ALTERNATIVES) return false;
  return forms.every((one, at) => forms.slice(at + 1).every((other) => areDisjoint(one, other)));
}

/** What is valid by both; what would become too many alternatives is kept as it is written. */
function both(one: readonly Alternative[], other: readonly Alternative[], schema: Schema): readonly Alternative[] {
  const pairs = one.flatMap((a) => other.filter(({ kind }) => kind === a.kind).map((b) => [a, b] as const));
  if (pairs.length > MAX_ALTERNATIVES) return one.map((a) => withOpaque(a, 'anyOf', [schema]));
  return pairs.map(([a, b]) => merged(a, b)).filter((alternative) => alternative.values?.length !== 0);
}

function withOpaque(one: Alternative, keyword: string, schemas: readonly Schema[]): Alternative {
  return { ...one, opaque: new Map([...one.opaque, [`${keyword} ${schemas.map(closedText).join(' ')}`, keyword]]) };
}

function merged(one: Alternative, other: Alternative): Alternative {
  return {
    kind: one.kind,
    values: mergedValues(one.values, other.values),
    opaque: one.opaque.size === 0 ? other.opaque : new Map([...one.opaque, ...other.opaque]),
    number: mergedNumbers(one.number, other.number),
    string: {
      minLength: Math.max(one.string.minLength, other.string.minLength),
      maxLength: Math.min(one.string.maxLength, other.string.maxLength),
      patterns: [...one.string.patterns, ...other.string.patterns],
    },
    array: {
      minItems: Math.max(one.array.minItems, other.array.minItems),
      maxItems: Math.min(one.array.maxItems, other.array.maxItems),
      isUnique: one.array.isUnique || other.array.isUnique,
      clauses: [...one.array.clauses, ...other.array.clauses],
    },
    object: mergedObjects(one.object, other.object),
  };
}

function mergedValues(
  one: readonly Json[] | undefined,
  other: readonly Json[] | undefined,
): readonly Json[] | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const texts = textsOf(other);
  return one.filter((value) => texts.has(canonicalText(value)));
}

function mergedNumbers(one: NumberBounds, other: NumberBounds): NumberBounds {
  const minimum = Math.max(one.minimum, other.minimum);
  const maximum = Math.min(one.maximum, other.maximum);
  return {
    minimum,
    isAboveMinimum: [one, other].some((b) => b.isAboveMinimum && b.minimum === minimum),
    maximum,
    isBelowMaximum: [one, other].some((b) => b.isBelowMaximum && b.maximum === maximum),
    isInteger: one.isInteger || other.isInteger,
    multiples: [...one.multiples, ...other.multiples],
  };
}

function mergedObjects(one: ObjectBounds, other: ObjectBounds): ObjectBounds {
  const dependent = new Map(one.dependent);
  for (const [name, names] of other.dependent) dependent.set(name, new Set([...(dependent.get(name) ?? []), ...names]));
  return {
    required: new Set([...one.required, ...other.required]),
    minProperties: Math.max(one.minProperties, other.minProperties),
    maxProperties: Math.min(one.maxProperties, other.maxProperties),
    dependent,
    clauses: [...one.clauses, ...other.clauses],
  };
}

/** What the schema says without the schemas that are held against the same value. */
function ownForm(schema: Schema): readonly Alternative[] {
  const { keywords: k } = schema;
  const listed =
    k.const === undefined
      ? k.enum
      : [k.const.value].filter((value) => k.enum?.some((one) => isEqual(one, value)) ?? true);
  return ANYTHING.filter(({ kind }) => isAllowed(kind, k)).flatMap((any) => {
    const values = mergedValues(
      any.values,
      listed?.filter((value) => kindOf(value) === any.kind),
    );
    if (values?.length === 0) return [];
    return [
      {
        ...any,
        values,
        opaque: opaqueOf(schema, any.kind),
        number: numbersOf(k),
        string: stringsOf(k),
        array: arraysOf(k),
        object: objectsOf(k),
      },
    ];
  });
}

function isAllowed(kind: JsonKind, { type }: Keywords): boolean {
  return type === undefined || type.has(kind) || (kind === 'number' && type.has('integer'));
}

function numbersOf(k: Keywords): NumberBounds {
  const { minimum = Number.NEGATIVE_INFINITY, exclusiveMinimum = Number.NEGATIVE_INFINITY } = k;
  const { maximum = Number.POSITIVE_INFINITY, exclusiveMaximum = Number.POSITIVE_INFINITY } = k;
  return {
    minimum: Math.max(minimum, exclusiveMinimum),
    isAboveMinimum: k.exclusiveMinimum !== undefined && exclusiveMinimum >= minimum,
    maximum: Math.min(maximum, exclusiveMaximum),
    isBelowMaximum: k.exclusiveMaximum !== undefined && exclusiveMaximum <= maximum,
    isInteger: k.type?.has('integer') === true && !k.type.has('number'),
    multiples: k.multipleOf === undefined ? [] : [k.multipleOf],
  };
}

function stringsOf({ minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern }: Keywords): StringBounds {
  return { minLength, maxLength, patterns: pattern === undefined ? [] : [pattern] };
}

function arraysOf(k: Keywords): ArrayBounds {
  const hasClause = k.prefixItems !== undefined || k.items !== undefined;
  return {
    minItems: k.minItems ?? 0,
    maxItems: k.maxItems ?? Number.POSITIVE_INFINITY,
    isUnique: k.uniqueItems === true,
    clauses: hasClause ? [{ prefix: k.prefixItems ?? [], rest: k.items }] : [],
  };
}

function objectsOf(k: Keywords): ObjectBounds {
  const hasClause =
    k.properties !== undefined || k.patternProperties !== undefined || k.additionalProperties !== undefined;
  const clause = {
    properties: k.properties ?? new Map<string, Schema>(),
    patterns: k.patternProperties ?? [],
    others: takesAll(k.additionalProperties) ? undefined : k.additionalProperties,
  };
  return {
    required: new Set(k.required),
    minProperties: k.minProperties ?? 0,
    maxProperties: k.maxProperties ?? Number.POSITIVE_INFINITY,
    dependent: new Map([...(k.dependentRequired ?? [])].map(([name, names]) => [name, new Set(names)])),
    clauses: hasClause ? [clause] : [],
  };
}

function takesAll(schema: Schema | undefined): boolean {
  return (
    schema?.verdict === true || (schema?.verdict === undefined && Object.keys(schema?.keywords ?? {}).length === 0)
  );
}

/** A keyword that is compared as it is written. */
interface Opaque {
  readonly keyword: keyof Keywords;
  /** The kind of values that it speaks of; undefined: all. */
  readonly kind?: JsonKind;
  readonly textOf: (schema: Schema) => string;
}

const OPAQUE: readonly Opaque[] = [
  { keyword: 'not', textOf: ({ keywords: k }) => textOfAll([k.not]) },
  { keyword: 'if', textOf: ({ keywords: k }) => textOfAll([k.if, k.then, k.else]) },
  {
    keyword: 'contains',
    kind: 'array',
    textOf: ({ keywords: k }) => `${k.minContains} ${k.maxContains} ${textOfAll([k.contains])}`,
  },
  { keyword: 'propertyNames', kind: 'object', textOf: ({ keywords: k }) => textOfAll([k.propertyNames]) },
  {
    keyword: 'dependentSchemas',
    kind: 'object',
    textOf: ({ keywords: k }) =>
      [...(k.dependentSchemas ?? [])].map(([name, one]) => `${name} ${closedText(one)}`).join('\n'),
  },
  // What these ask depends on all that stands beside them.
  { keyword: 'unevaluatedItems', kind: 'array', textOf: closedText },
  { keyword: 'unevaluatedProperties', kind: 'object', textOf: closedText },
];

function textOfAll(schemas: readonly (Schema | undefined)[]): string {
  return schemas.map((one) => (one === undefined ? '-' : closedText(one))).join('\n');
}

function opaqueOf(schema: Schema, kind: JsonKind): ReadonlyMap<string, string> {
  const found = OPAQUE.filter((one) => schema.keywords[one.keyword] !== undefined && (one.kind ?? kind) === kind);
  if (found.length === 0) return NOTHING_OPAQUE;
  return new Map(found.map(({ keyword, textOf }) => [`${keyword} ${textOf(schema)}`, keyword]));
}
