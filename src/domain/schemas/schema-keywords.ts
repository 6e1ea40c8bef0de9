// The keywords of each dialect: what values they may have, and what they mean.

import { canonicalText, isObject, JSON_KINDS, type Json, type JsonObject } from './json.js';
import { LinearPattern } from './linear-pattern.js';
import type { Keywords, Reference, Schema, SchemaType } from './schema.js';
import type { Dialect } from './schema-dialect.js';

/** What a keyword is read with. Paths are below its schema. */
export interface KeywordReader {
  readonly dialect: Dialect;
  readonly keywords: { -readonly [Name in keyof Keywords]: Keywords[Name] };
  /** All that stands in the schema. */
  readonly siblings: JsonObject;
  /** The schema that stands at a path. */
  readonly part: (raw: Json, path: readonly string[]) => Schema;
  readonly wrong: (path: readonly string[], what: string) => void;
  /** Counts one pattern more; false: they are too many. */
  readonly pattern: () => boolean;
  readonly reference: (text: string, isDynamic: boolean) => Reference;
}

type Read = (value: Json, reader: KeywordReader) => void;

type NameOf<Value> = {
  [Name in keyof Keywords]-?: Required<Keywords>[Name] extends Value
    ? Value extends Required<Keywords>[Name]
      ? Name
      : never
    : never;
}[keyof Keywords];

const TYPES: ReadonlySet<string> = new Set([...JSON_KINDS, 'integer']);

function isCount(value: Json): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function count(name: NameOf<number>): [string, Read] {
  return [
    name,
    (value, { keywords, wrong }) => {
      if (isCount(value)) keywords[name] = value;
      else wrong([name], 'is not a whole number from 0');
    },
  ];
}

function number(name: NameOf<number>): [string, Read] {
  return [
    name,
    (value, { keywords, wrong }) => {
      if (typeof value !== 'number') wrong([name], 'is not a number');
      else if (name === 'multipleOf' && value <= 0) wrong([name], 'is not above 0');
      else keywords[name] = value;
    },
  ];
}

function schema(name: NameOf<Schema>, as: NameOf<Schema> = name): [string, Read] {
  return [
    name,
    (value, { keywords, part }) => {
      keywords[as] = part(value, [name]);
    },
  ];
}

function schemas(name: 'allOf' | 'anyOf' | 'oneOf' | 'prefixItems'): [string, Read] {
  return [
    name,
    (value, { keywords, part, wrong }) => {
      if (Array.isArray(value) && value.length > 0)
        keywords[name] = value.map((one: Json, at) => part(one, [name, String(at)]));
      else wrong([name], 'is not a list of one schema or more');
    },
  ];
}

/** Schemas by name, which say nothing where they stand. */
function definitions(name: string): [string, Read] {
  return [name, (value, reader) => void namedSchemas(name, value, reader)];
}

function namedSchemas(name: string, value: Json, { part, wrong }: KeywordReader): Map<string, Schema> {
  if (!isObject(value)) {
    wrong([name], 'is not an object of schemas');
    return new Map();
  }
  return new Map(Object.entries(value).map(([key, one]) => [key, part(one, [name, key])]));
}

function schemasByName(name: 'properties' | 'dependentSchemas'): [string, Read] {
  return [
    name,
    (value, reader) => {
      reader.keywords[name] = namedSchemas(name, value, reader);
    },
  ];
}

function isNames(value: Json): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string') && new Set(value).size === value.length;
}

function readType(value: Json, { keywords, wrong }: KeywordReader): void {
  const types: readonly Json[] = Array.isArray(value) ? value : [value];
  const isRight = types.length > 0 && types.every((type) => typeof type === 'string' && TYPES.has(type));
  if (isRight) keywords.type = new Set(types as readonly SchemaType[]);
  else wrong(['type'], `is none of ${[...TYPES].join(', ')}, nor a list of them`);
}

function readConst(value: Json, { keywords }: KeywordReader): void {
  keywords.const = { value };
}

function readEnum(value: Json, { keywords, wrong }: KeywordReader): void {
  if (Array.isArray(value)) keywords.enum = [...new Map(value.map((one: Json) => [canonicalText(one), one])).values()];
  else wrong(['enum'], 'is not a list');
}

function readPattern(value: Json, { keywords, wrong, pattern }: KeywordReader): void {
  if (typeof value !== 'string') wrong(['pattern'], 'is not a text');
  else if (pattern()) {
    const made = LinearPattern.of(value);
    if (typeof made === 'string') wrong(['pattern'], made);
    else keywords.pattern = made;
  }
}

function readPatternProperties(value: Json, reader: KeywordReader): void {
  const { keywords, wrong, pattern } = reader;
  keywords.patternProperties = [...namedSchemas('patternProperties', value, reader)].flatMap(([text, one]) => {
    const made = pattern() ? LinearPattern.of(text) : undefined;
    if (typeof made === 'string') wrong(['patternProperties', text], made);
    return typeof made === 'object' ? [{ pattern: made, schema: one }] : [];
  });
}

function readRequired(value: Json, { keywords, wrong }: KeywordReader): void {
  if (isNames(value)) keywords.required = value;
  else wrong(['required'], 'is not a list of distinct names');
}

function readUniqueItems(value: Json, { keywords, wrong }: KeywordReader): void {
  if (typeof value === 'boolean') keywords.uniqueItems = value;
  else wrong(['uniqueItems'], 'is neither true nor false');
}

function readDependentRequired(value: Json, { keywords, wrong }: KeywordReader): void {
  if (!isObject(value)) {
    wrong(['dependentRequired'], 'is not an object of lists of names');
    return;
  }
  const read = new Map<string, readonly string[]>();
  for (const [name, names] of Object.entries(value)) {
    if (isNames(names)) read.set(name, names);
    else wrong(['dependentRequired', name], 'is not a list of distinct names');
  }
  keywords.dependentRequired = read;
}

/** The two kinds of dependencies that the later dialect tells apart. */
function readDependencies(value: Json, { keywords, wrong, part }: KeywordReader): void {
  if (!isObject(value)) {
    wrong(['dependencies'], 'is not an object');
    return;
  }
  const names = new Map<string, readonly string[]>();
  const parts = new Map<string, Schema>();
  for (const [name, one] of Object.entries(value)) {
    if (!Array.isArray(one)) parts.set(name, part(one, ['dependencies', name]));
    else if (isNames(one)) names.set(name, one);
    else wrong(['dependencies', name], 'is not a list of distinct names');
  }
  keywords.dependentRequired = names;
  keywords.dependentSchemas = parts;
}

/** Items of the earlier dialect: one schema for all, or one for each of the first; `additionalItems` is of those behind. */
function readItems(value: Json, { keywords, part, siblings }: KeywordReader): void {
  if (!Array.isArray(value)) {
    keywords.items = part(value, ['items']);
    return;
  }
  keywords.prefixItems = value.map((one: Json, at) => part(one, ['items', String(at)]));
  const rest = siblings['additionalItems'];
  if (rest !== undefined) keywords.items = part(rest, ['additionalItems']);
}

function readReference(name: '$ref' | '$dynamicRef'): [string, Read] {
  return [
    name,
    (value, { keywords, wrong, reference }) => {
      if (typeof value !== 'string') wrong([name], 'is not a text');
      else if (keywords.ref !== undefined) wrong([name], 'stands beside another reference: put one of them into allOf');
      else keywords.ref = reference(value, name === '$dynamicRef');
    },
  ];
}

const nothing = (name: string): [string, Read] => [name, () => {}];

const SHARED: readonly [string, Read][] = [
  ['type', readType],
  ['enum', readEnum],
  ['const', readConst],
  ...(['multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum'] as const).map(number),
  ...(['maxLength', 'minLength', 'maxItems', 'minItems', 'maxProperties', 'minProperties'] as const).map(count),
  ['pattern', readPattern],
  ['uniqueItems', readUniqueItems],
  schema('contains'),
  schemasByName('properties'),
  ['patternProperties', readPatternProperties],
  ...(['additionalProperties', 'propertyNames', 'not', 'if', 'then', 'else'] as const).map((name) => schema(name)),
  ['required', readRequired],
  ...(['allOf', 'anyOf', 'oneOf'] as const).map(schemas),
  readReference('$ref'),
  nothing('$id'),
  definitions('definitions'),
];

export const KEYWORDS: Readonly<Record<Dialect, ReadonlyMap<string, Read>>> = {
  '2020-12': new Map([
    ...SHARED,
    schemas('prefixItems'),
    schema('items'),
    ...(['minContains', 'maxContains'] as const).map(count),
    ['dependentRequired', readDependentRequired],
    schemasByName('dependentSchemas'),
    ...(['unevaluatedItems', 'unevaluatedProperties'] as const).map((name) => schema(name)),
    readReference('$dynamicRef'),
    definitions('$defs'),
    ...['$anchor', '$dynamicAnchor'].map(nothing),
  ]),
  'draft-07': new Map([
    ...SHARED,
    ['items', readItems],
    // Read with the items; it means nothing beside a single schema for all of them.
    readElsewhere('additionalItems'),
    ['dependencies', readDependencies],
  ]),
};

/** A schema that has to be one, and whose meaning another keyword takes. */
function readElsewhere(name: string): [string, Read] {
  return [name, (value, { part }) => void part(value, [name])];
}
