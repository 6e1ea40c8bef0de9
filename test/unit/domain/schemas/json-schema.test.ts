// Schemas that cannot be used are refused with their places, and what cannot be checked in bounded work is refused in bounded time.

import { describe, expect, it } from 'vitest';
import type { MadeleineError } from '../../../../src/domain/errors.js';
import type { Json } from '../../../../src/domain/schemas/json.js';
import { JsonSchema } from '../../../../src/domain/schemas/json-schema.js';

function schema(value: Json): JsonSchema {
  return JsonSchema.parse(JSON.stringify(value), 'settings.schema');
}

function refusal(text: string) {
  try {
    JsonSchema.parse(text, 'settings.schema');
  } catch (error) {
    const { reason, violations } = error as MadeleineError;
    return {
      reason,
      fields: violations.map(({ field }) => field),
      what: violations.map(({ description }) => description).join('; '),
    };
  }
  throw new Error('it was not refused');
}

function told(one: JsonSchema, value: Json) {
  return one.mismatches(value).map(({ path, what }) => `${path} ${what}`);
}

/** The time that this process has worked: others may work on the same machine. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Text with so many levels of something around a value. */
function nested(levels: number, before: string, inside: string, after: string): string {
  return `${before.repeat(levels)}${inside}${after.repeat(levels)}`;
}

describe('a schema that cannot be used', () => {
  it.each<[string, string, string, RegExp]>([
    ['no JSON', '{"type": ', '', /is not JSON/],
    ['nothing', '', '', /is not JSON/],
    ['no schema', '[1]', '', /no schema/],
    ['a type that there is not', '{"properties": {"a": {"type": "strng"}}}', '/properties/a/type', /is none of null/],
    ['a keyword with another value', '{"minLength": -1}', '/minLength', /whole number/],
    ['a step of nothing', '{"multipleOf": 0}', '/multipleOf', /above 0/],
    ['names twice', '{"required": ["a", "a"]}', '/required', /distinct/],
    ['an empty list of alternatives', '{"anyOf": []}', '/anyOf', /one schema or more/],
    ['another dialect', '{"$schema": "http://json-schema.org/draft-04/schema#"}', '/$schema', /2020-12 and draft-07/],
    ['a file', '{"$ref": "file:///etc/passwd"}', '/$ref', /refers outwards/],
    [
      'an address',
      '{"properties": {"a": {"$ref": "http://127.0.0.1:50051/x"}}}',
      '/properties/a/$ref',
      /refers outwards/,
    ],
    ['a relative address', '{"$ref": "other.json#/a"}', '/$ref', /refers outwards/],
    ['a pointer to nothing', '{"$ref": "#/$defs/none"}', '/$ref', /leads to no place/],
    ['a name that there is not', '{"$ref": "#none"}', '/$ref', /no anchor/],
    [
      'a name of two places',
      '{"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}',
      '/$defs/b/$anchor',
      /of another place too: \/\$defs\/a/,
    ],
    [
      'an $id of two places',
      '{"$defs": {"a": {"$id": "x"}, "b": {"$id": "x"}}}',
      '/$defs/b/$id',
      /of another place too: \/\$defs\/a/,
    ],
    ['a circle', '{"$ref": "#"}', '', /leads to itself/],
    [
      'a circle over others',
      '{"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}, "properties": {"x": {"$ref": "#/$defs/a"}}}',
      '/properties/x',
      /leads to itself/,
    ],
    ['a pattern that looks around', '{"pattern": "^(?=a)"}', '/pattern', /linear time/],
    ['a pattern that refers back', '{"pattern": "(a)\\\\1"}', '/pattern', /linear time/],
    ['a broken pattern', '{"patternProperties": {"(": true}}', '/patternProperties/(', /linear time/],
    [
      'a pattern that becomes large',
      '{"pattern": "((a{0,30}){0,30}){0,30}"}',
      '/pattern',
      /linear time|repeats too much/,
    ],
    ['a deep one', nested(200, '{"not": ', '{}', '}'), '', /levels/],
    ['a very deep one', nested(20_000, '[', '', ']'), '', /levels/],
    ['a large one', JSON.stringify({ description: 'x'.repeat(65_536) }), '', /bytes/],
    [
      'one of many parts',
      JSON.stringify({ allOf: Array.from({ length: 3_000 }, () => ({})) }),
      '',
      /schemas within it/,
    ],
    [
      'one of many patterns',
      JSON.stringify({ allOf: Array.from({ length: 101 }, (_, at) => ({ pattern: `${at}` })) }),
      '',
      /patterns/,
    ],
  ])('is refused: %s', (_, text, place, what) => {
    const before = cpuMs();
    const found = refusal(text);
    expect(found).toMatchObject({ reason: 'SCHEMA_INVALID', what: expect.stringMatching(what) });
    expect(found.fields).toContain(`settings.schema${place}`);
    expect(cpuMs() - before).toBeLessThan(2_000);
  });

  it('tells all places, and not without end', () => {
    expect(refusal('{"type": 1, "minItems": "a", "properties": {"x": 5}}').fields).toEqual([
      'settings.schema/type',
      'settings.schema/minItems',
      'settings.schema/properties/x',
    ]);
    const many = JSON.stringify({ allOf: Array.from({ length: 1_000 }, () => ({ type: 5 })) });
    expect(refusal(many).fields).toHaveLength(20);
  });

  it('is not one with keywords that nobody knows: they are told', () => {
    const { unknown } = schema({ requried: ['a'], properties: { a: { minimun: 1 } }, title: 'x', 'x-mine': 1 });
    expect(unknown).toEqual(['/requried', '/properties/a/minimun', '/x-mine']);
  });
});

describe('a value that does not fit', () => {
  it('is told at each place', () => {
    const order = schema({
      type: 'object',
      required: ['id', 'total'],
      additionalProperties: false,
      properties: {
        id: { type: 'string', pattern: '^o-' },
        total: { type: 'number', minimum: 0 },
        items: { type: 'array', items: { $ref: '#/$defs/item' } },
      },
      $defs: { item: { type: 'object', required: ['sku'], properties: { count: { type: 'integer' } } } },
    });
    expect(told(order, { id: 7, items: [{ sku: 'a' }, { count: 1.5 }], 'a/b': 1 })).toEqual([
      '/total is required',
      '/id is not a string',
      '/items/1/sku is required',
      '/items/1/count is not a whole number',
      '/a~1b is not a member that the schema knows',
    ]);
    expect(told(order, { id: 'o-1', total: 1 })).toEqual([]);
  });

  it('is told within bounds', () => {
    const texts = schema({ type: 'array', items: { type: 'string' } });
    expect(texts.mismatches(Array.from({ length: 100_000 }, () => 1))).toHaveLength(20);
    const [{ path } = { path: '' }] = schema({ additionalProperties: false }).mismatches({ ['x'.repeat(100_000)]: 1 });
    expect(path.length).toBeLessThan(400);
  });

  it('has names that every object has', () => {
    const named = schema(
      JSON.parse(
        '{"required": ["__proto__", "toString"], "properties": {"__proto__": {"type": "string"}, "constructor": {"type": "number"}}}',
      ),
    );
    expect(told(named, {})).toEqual(['/__proto__ is required', '/toString is required']);
    expect(told(named, JSON.parse('{"__proto__": 1, "toString": 1, "constructor": "x"}'))).toEqual([
      '/__proto__ is not a string',
      '/constructor is not a number',
    ]);
  });

  it.each([
    [0.3, 0.1, true],
    [1.1, 0.1, true],
    [0.35, 0.1, false],
    [1e308, 0.5, true],
    [7, 2, false],
    [4.02, 0.01, true],
  ])('is a multiple by its decimals: %d of %d', (value, step, isOne) => {
    expect(schema({ multipleOf: step }).isValid(value)).toBe(isOne);
  });
});

/** What takes for ever, or ends the stack, without bounds. */
const HOSTILE: readonly (readonly [string, Json, Json])[] = [
  [
    'alternatives that double on each level',
    {
      $ref: '#/$defs/a',
      $defs: {
        a: {
          anyOf: [
            { properties: { x: { $ref: '#/$defs/a' } }, required: ['y'] },
            { properties: { x: { $ref: '#/$defs/a' } }, required: ['z'] },
          ],
        },
      },
    },
    JSON.parse(nested(60, '{"y":1,"z":1,"x":', '{}', '}')),
  ],
  ['schemas that refer to the next one twice', doubling(40), 1],
  [
    'a value that nests without end',
    { properties: { x: { $ref: '#' } }, type: 'object' },
    JSON.parse(nested(50_000, '{"x":', '{}', '}')),
  ],
  [
    'items that are compared',
    { items: { uniqueItems: true } },
    Array.from({ length: 300 }, (_, at) => Array.from({ length: 3_000 }, (__, n) => ({ n, at }))),
  ],
  [
    'a pattern of repetitions',
    { items: { pattern: '(a+)+$' } },
    Array.from({ length: 50 }, () => `${'a'.repeat(20_000)}b`),
  ],
  [
    'many patterns for many names',
    { patternProperties: Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`[ab]{1,40}${at}`, false])) },
    Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`ab${at}ab`, 1])),
  ],
  [
    'many schemas for many items',
    { items: { allOf: Array.from({ length: 1_000 }, () => ({ minimum: 0 })) } },
    Array.from({ length: 100_000 }, () => 1),
  ],
  [
    'many listed values for many items',
    { items: { enum: Array.from({ length: 2_000 }, (_, at) => [at]) } },
    Array.from({ length: 50_000 }, () => [1_999]),
  ],
  [
    'what nobody has spoken of, on many levels',
    unevaluated(8),
    Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`n${at}`, 1])),
  ],
];

function doubling(levels: number): Json {
  const $defs = Object.fromEntries(
    Array.from({ length: levels }, (_, at) => [
      `d${at}`,
      { allOf: at + 1 < levels ? [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] : [true] },
    ]),
  );
  return { $ref: '#/$defs/d0', $defs };
}

function unevaluated(levels: number): Json {
  return levels === 0
    ? { properties: { a: true } }
    : { anyOf: [unevaluated(levels - 1), unevaluated(levels - 1)], unevaluatedProperties: true };
}

describe('a check that would take for ever', () => {
  it.each(HOSTILE)('ends: %s', (_, hostile, value) => {
    const one = schema(hostile);
    one.mismatches(value);
    const before = cpuMs();
    const [mismatch] = one.mismatches(value);
    expect(cpuMs() - before).toBeLessThan(2_000);
    expect(mismatch?.what ?? 'fits').toMatch(/steps|nests|fits|match|is not|is none/);
  });

  it('says that it cannot be told', () => {
    const [, hostile, value] = HOSTILE[0] as (typeof HOSTILE)[number];
    expect(told(schema(hostile), value)).toEqual([' takes more than 500000 steps to check against the schema']);
  });

  it('is no check of a large payload against a schema as people write them', () => {
    const item = {
      type: 'object',
      required: ['sku', 'count'],
      properties: { sku: { type: 'string', pattern: '^[a-z0-9-]+$' }, count: { type: 'integer', minimum: 1 } },
    };
    const large = Array.from({ length: 20_000 }, (_, at) => ({
      sku: `article-${at}`,
      count: 1 + at,
      note: 'as it was ordered',
    }));
    expect(JSON.stringify(large).length).toBeGreaterThan(1_048_576);
    expect(schema({ type: 'array', items: item }).mismatches(large)).toEqual([]);
  });
});
