// Random schemas with documents that come close to them.

import fc from 'fast-check';
import type { Json, JsonObject } from '../../../src/domain/schemas/json.js';

const NAMES = ['a', 'b', 'c', 'kind'] as const;
const name = fc.constantFrom(...NAMES);
const bound = fc.constantFrom(-2, -1, 0, 0.5, 1, 1.5, 2, 3, 5);
const count = fc.nat(4);
const PATTERNS = ['^a', 'b$', '^[ab]*$', '^.{2}$', '^[0-9]+$'] as const;

export const anyScalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, 1, 2, -1, 0.5, 1.5, 3, 7, 'a', 'b', 'ab', '', '12', 'aab', 'x'),
  fc.integer({ min: -6, max: 6 }),
  fc.integer({ min: -12, max: 12 }).map((n) => n / 4),
  fc.string({ unit: fc.constantFrom('a', 'b', '1', '𝒳'), maxLength: 5 }),
);

/** JSON of the names and values that schemas speak of, and of others. */
export const anyDocument: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: anyScalar },
    { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 4 }) },
    {
      weight: 3,
      arbitrary: fc.dictionary(fc.constantFrom(...NAMES, 'zz'), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    },
  ),
})).value;

type Keywords = Partial<Record<string, Json>>;

function keywords(parts: Record<string, fc.Arbitrary<Json>>): fc.Arbitrary<Keywords> {
  return fc.record(parts, { requiredKeys: [] });
}

const numeric = keywords({
  minimum: bound,
  maximum: bound,
  exclusiveMinimum: bound,
  exclusiveMaximum: bound,
  multipleOf: fc.constantFrom(1, 2, 3, 0.5),
});
const textual = keywords({ minLength: count, maxLength: count, pattern: fc.constantFrom(...PATTERNS) });

function ofArrays(schema: fc.Arbitrary<Json>): fc.Arbitrary<Keywords> {
  return keywords({
    items: schema,
    prefixItems: fc.array(schema, { minLength: 1, maxLength: 2 }),
    minItems: count,
    maxItems: count,
    uniqueItems: fc.boolean(),
  });
}

function ofObjects(schema: fc.Arbitrary<Json>): fc.Arbitrary<Keywords> {
  return keywords({
    properties: fc.dictionary(name, schema, { maxKeys: 3, noNullPrototype: true }),
    required: fc.uniqueArray(name, { maxLength: 2 }),
    additionalProperties: fc.oneof(fc.boolean(), schema),
    patternProperties: fc.dictionary(fc.constantFrom(...PATTERNS), schema, { maxKeys: 1, noNullPrototype: true }),
    minProperties: count,
    maxProperties: count,
    dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), {
      maxKeys: 1,
      noNullPrototype: true,
    }),
  });
}

const types = fc.constantFrom<Json>(
  'null',
  'boolean',
  'number',
  'integer',
  'string',
  'array',
  'object',
  ['string', 'null'],
  ['number', 'object'],
  ['integer', 'string'],
);

/** Schemas of the keywords that the comparison decides; `others`: and of those that it compares as they are written. */
export function anySchema({ others }: { readonly others: boolean }): fc.Arbitrary<JsonObject> {
  const { schema } = fc.letrec<{ schema: Json; plain: Json }>((tie) => {
    const some = tie('schema');
    const listed = fc.oneof(
      fc.array(anyScalar, { minLength: 1, maxLength: 4 }).map((list): Keywords => ({ enum: list })),
      anyScalar.map((only): Keywords => ({ const: only })),
    );
    const combined = keywords({
      allOf: fc.array(some, { minLength: 1, maxLength: 2 }),
      anyOf: fc.array(some, { minLength: 1, maxLength: 3 }),
      oneOf: fc.array(some, { minLength: 1, maxLength: 2 }),
    });
    const referring = fc.constantFrom<Keywords>({ $ref: '#/$defs/one' }, { properties: { a: { $ref: '#' } } });
    // Of an `if` that fails the judge counts as evaluated what it names, unlike the standard: conditions name no members here.
    const condition = fc
      .oneof(
        ...[numeric, textual, listed, types.map((type): Keywords => ({ type }))],
        fc.uniqueArray(name, { maxLength: 2 }).map((required): Keywords => ({ required })),
      )
      .map((one): Json => one as JsonObject);
    // Without unevaluatedItems: the judge does not know that `contains` evaluates items; the test suite does.
    const written = keywords({
      not: some,
      if: condition,
      // biome-ignore lint/suspicious/noThenProperty: it is the name of a keyword
      then: some,
      else: some,
      contains: some,
      minContains: count,
      propertyNames: some,
      unevaluatedProperties: fc.oneof(fc.boolean(), some),
      dependentSchemas: fc.dictionary(name, some, { maxKeys: 1, noNullPrototype: true }),
    });
    const part = fc.oneof(
      { depthSize: 'small' },
      { weight: 3, arbitrary: numeric },
      { weight: 2, arbitrary: textual },
      { weight: 2, arbitrary: listed },
      { weight: 1, arbitrary: ofArrays(some) },
      { weight: 4, arbitrary: ofObjects(some) },
      { weight: 1, arbitrary: combined },
      { weight: 1, arbitrary: referring },
      ...(others ? [{ weight: 1, arbitrary: written }] : []),
    );
    const plain = fc
      .tuple(
        fc.option(types),
        part,
        fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: part }),
      )
      .map(([type, one, other]): Json => ({ ...one, ...other, ...(type === null ? {} : { type }) }) as JsonObject);
    return { plain, schema: fc.oneof({ weight: 1, arbitrary: fc.boolean() }, { weight: 12, arbitrary: tie('plain') }) };
  });
  const definition = fc.tuple(types, numeric).map(([type, more]) => ({ type, ...more }) as JsonObject);
  return fc.tuple(schema, definition).map(([one, defined]) => ({
    ...(typeof one === 'boolean' ? { allOf: [one] } : (one as JsonObject)),
    $defs: { one: defined },
  }));
}

/** Two versions of a schema: one changed a little, or another one. */
export function anyPair(options: { readonly others: boolean }): fc.Arbitrary<readonly [JsonObject, JsonObject]> {
  const schema = anySchema(options);
  const changed = fc
    .tuple(schema, schema, fc.nat(), fc.nat())
    .map(([one, other, from, at]) => [one, grafted(one, other, from, at)] as const);
  return fc.oneof({ weight: 3, arbitrary: changed }, { weight: 1, arbitrary: fc.tuple(schema, schema) });
}

/** One schema with one of its keywords, somewhere, as another schema has it, or without it. */
function grafted(one: JsonObject, other: JsonObject, from: number, at: number): JsonObject {
  const names = Object.keys(one).filter((key) => key !== '$defs');
  const key = names[from % Math.max(1, names.length)];
  if (key === undefined) return { ...one, ...other };
  const value = one[key];
  const inner = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  if (key === 'properties' && inner.length > 0 && at % 4 !== 0) {
    const member = inner[at % inner.length] as string;
    const changed = (value as JsonObject)[member];
    const part =
      typeof changed === 'object' && changed !== null
        ? grafted(changed as JsonObject, other, at, from)
        : { ...other, $defs: {} };
    return { ...one, [key]: { ...(value as JsonObject), [member]: part } };
  }
  const { [key]: _, ...left } = one;
  const others = Object.entries(other).filter(([name]) => name !== '$defs');
  const graft = others[at % Math.max(1, others.length)];
  return at % 3 === 0 || graft === undefined ? left : { ...left, [graft[0]]: graft[1] };
}
