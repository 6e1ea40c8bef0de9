// What stands between two versions of a schema, as it is told: places, words, cures and examples.

import { describe, expect, it } from 'vitest';
import {
  type Direction,
  directionsOf,
  findingsBetween,
  isBreak,
  isTransitive,
} from '../../../../src/domain/schemas/compatibility/compatibility.js';
import type { Json } from '../../../../src/domain/schemas/json.js';
import { JsonSchema } from '../../../../src/domain/schemas/json-schema.js';

function findings(former: Json, fresh: Json, direction: Direction = 'backward', strict = false) {
  const read = (schema: Json) => JsonSchema.parse(JSON.stringify(schema), 'schema');
  return findingsBetween(read(fresh), { version: 3, schema: read(former) }, direction, strict);
}

const told = (...args: Parameters<typeof findings>) =>
  findings(...args).map(({ path, keyword, example }) => [path, keyword, example]);
const object = (properties: Record<string, Json>, more: Record<string, Json> = {}) => ({
  type: 'object',
  properties,
  ...more,
});

describe('a new version', () => {
  it.each<[string, Json, Json]>([
    [
      'one more optional property',
      object({ a: { type: 'string' } }),
      object({ a: { type: 'string' }, b: { type: 'number' } }),
    ],
    ['one more type', object({ a: { type: 'string' } }), object({ a: { type: ['string', 'null'] } })],
    ['one more value', { enum: [1] }, { enum: [2, 1] }],
    ['wider bounds', { type: 'integer', exclusiveMinimum: 0, maximum: 5 }, { type: 'number', minimum: 1, maximum: 6 }],
    [
      'one more alternative',
      { oneOf: [object({ k: { const: 'a' } }, { required: ['k'] })] },
      {
        oneOf: [object({ k: { const: 'a' } }, { required: ['k'] }), object({ k: { const: 'b' } }, { required: ['k'] })],
      },
    ],
    [
      'a part of its own',
      object({ a: { type: 'string' } }),
      object({ a: { $ref: '#/$defs/a' } }, { $defs: { a: { type: 'string' } } }),
    ],
    [
      'draft-07 said in 2020-12',
      { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }], additionalItems: false },
      { prefixItems: [{ type: 'string' }], items: false },
    ],
    ['what was not understood, left as it was', { not: { pattern: '^x' }, maxLength: 3 }, { not: { pattern: '^x' } }],
  ])('goes together backward: %s', (_, former, fresh) => {
    expect(told(former, fresh)).toEqual([]);
  });

  it.each<[string, Json, Json, [string, string, string | undefined][]]>([
    [
      'a property that is required',
      object({}),
      object({ b: { type: 'number' } }, { required: ['b'] }),
      [['/b', 'required', '{}']],
    ],
    [
      'a type less',
      object({ a: { type: ['string', 'null'] } }),
      object({ a: { type: 'string' } }),
      [['/a', 'type', '{"a":null}']],
    ],
    [
      'a value less',
      object({ a: { enum: ['x', 'y'] } }),
      object({ a: { enum: ['x'] } }),
      [['/a', 'enum', '{"a":"y"}']],
    ],
    [
      'closer bounds, of items',
      { type: 'array', items: object({ n: { type: 'number' } }) },
      { type: 'array', items: object({ n: { type: 'number', minimum: 1 } }) },
      [['/*/n', 'minimum', '[{"n":0}]']],
    ],
    [
      'a member that is not known any more',
      object({ a: {}, b: { type: 'number' } }),
      object({ a: {} }, { additionalProperties: false }),
      [['/b', 'type', '{"b":0}']],
    ],
    [
      'a pattern',
      object({ a: { type: 'string' } }),
      object({ a: { type: 'string', pattern: '^x' } }),
      [['/a', 'pattern', '{"a":""}']],
    ],
    [
      'what is beside a pattern',
      object(
        { id: { type: 'string', pattern: '^[A-Z]{3}-[0-9]+$' }, n: { type: 'number' } },
        { required: ['id', 'n'] },
      ),
      object(
        { id: { type: 'string', pattern: '^[A-Z]{3}-[0-9]+$' }, n: { type: 'integer' } },
        { required: ['id', 'n'] },
      ),
      [['/n', 'type', '{"id":"AAA-0","n":0.5}']],
    ],
    [
      'what is not understood, and shown',
      { type: 'number' },
      { type: 'number', not: { const: 3 } },
      [['', 'not', '3']],
    ],
    [
      'what is not understood, and not shown',
      { type: 'string' },
      { type: 'string', not: { pattern: '^q{40}$' } },
      [['', 'not', undefined]],
    ],
  ])('does not backward: %s', (_, former, fresh, expected) => {
    expect(told(former, fresh)).toEqual(expected);
  });

  it('is looked at from the other side forward', () => {
    const [former, fresh] = [object({ a: { type: 'string' } }, { required: ['a'] }), object({ a: { type: 'string' } })];
    expect(told(former, fresh)).toEqual([]);
    expect(findings(former, fresh, 'forward')).toEqual([
      {
        direction: 'forward',
        version: 3,
        path: '/a',
        keyword: 'required',
        description: 'version 3 requires it, the new schema does not',
        cure: 'keep it required as long as somebody reads with the former version',
        example: '{}',
      },
    ]);
  });

  it('counts members that nobody names where one is strict', () => {
    const [former, fresh] = [object({}), object({ b: { type: 'number' } })];
    expect(told(former, fresh, 'backward', true).map(([path]) => path)).toContain('/b');
    expect(findings(former, fresh, 'backward', true).every(isBreak)).toBe(true);
    const closed = object({}, { additionalProperties: false });
    expect(told(closed, fresh, 'backward', true)).toEqual([]);
  });
});

it('tells what is proven though much is not', () => {
  const version = (count: number, type: string): Json =>
    object({
      ...Object.fromEntries(
        Array.from({ length: 80 }, (_, n) => [
          `p${n}`,
          { propertyNames: { pattern: `^q${count}${n}[a-z]{${count}}zq$` } },
        ]),
      ),
      last: { type },
    });
  const found = findings(version(3, 'string'), version(2, 'number'), 'backward');
  expect(found.length).toBe(50);
  expect(found.filter(isBreak).map(({ path }) => path)).toContain('/last');
  expect(found.findIndex(isBreak)).toBe(0);
});

it('modes say which ways, and how far back', () => {
  expect(directionsOf('FULL_TRANSITIVE')).toEqual(['backward', 'forward']);
  expect(directionsOf('FORWARD')).toEqual(['forward']);
  expect(directionsOf('NONE')).toEqual([]);
  expect([isTransitive('BACKWARD'), isTransitive('BACKWARD_TRANSITIVE')]).toEqual([false, true]);
});

/** Schemas that lead to one another in many ways, of which one differs. */
function mutual(count: number, type: string): Json {
  const members = (from: number) =>
    Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [`x${n}`, { $ref: `#/$defs/d${(from * 7 + n * 3 + 1) % count}` }]),
    );
  const $defs = Array.from({ length: count }, (_, n) => [
    `d${n}`,
    object({ ...members(n), ...(n === count - 1 ? { z: { type } } : {}) }),
  ]);
  return { $ref: '#/$defs/d0', $defs: Object.fromEntries($defs) };
}

function deep(levels: number, type: string): Json {
  return levels === 0
    ? { type }
    : object({ a: deep(levels - 1, type), b: deep(levels - 1, type) }, { required: ['a', 'b'] });
}

const alternatives = (type: string) => ({
  anyOf: Array.from({ length: 60 }, (_, n) =>
    object({ [`k${n}`]: { type }, next: { $ref: '#' } }, { required: [`k${n}`] }),
  ),
});
const many = (type: string) => object(Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`p${n}`, { type }])));

const listed = (count: number, from = 0) => Array.from({ length: count }, (_, n) => ({ a: from + n }));
const kindsOf = (count: number, type: string) => ({
  oneOf: Array.from({ length: count }, (_, n) => ({ required: ['k'], properties: { k: { const: n }, z: { type } } })),
});
/** Schemas that all lead to one another. */
function circle(count: number, type: string): Json {
  const to = (n: number) => ({ $ref: `#/$defs/d${n % count}` });
  const schemas = Array.from({ length: count }, (_, n) => [
    `d${n}`,
    n === count - 1 ? { type } : { properties: { a: to(n + 1), b: to(n * 7 + 3), c: to(n * 11 + 5) } },
  ]);
  return { ...to(0), $defs: Object.fromEntries(schemas) };
}
const whole = (count: number, minLength: number) => {
  const names = Array.from({ length: count }, (_, n) => `k${n}`);
  return object(Object.fromEntries(names.map((name) => [name, { type: 'string', minLength }])), { required: names });
};

it.each<[string, Json, Json]>([
  ['many listed values', { allOf: [{ enum: listed(3_000) }, { enum: listed(3_000, 5) }] }, { enum: listed(3_000, 2) }],
  ['many alternatives', kindsOf(600, 'number'), kindsOf(600, 'string')],
  ['a circle of schemas', circle(400, 'number'), circle(400, 'string')],
  ['many required members', whole(800, 1), whole(800, 2)],
  ['schemas that lead to one another', mutual(100, 'number'), mutual(100, 'integer')],
  ['schemas that double on each level', deep(9, 'number'), deep(9, 'integer')],
  ['alternatives that lead to themselves', alternatives('number'), alternatives('integer')],
  ['many differences', many('number'), many('integer')],
])('a comparison ends: %s', (_, former, fresh) => {
  const before = process.cpuUsage();
  const found = findings(former, fresh, 'backward', true);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(2_000);
  expect(found.length).toBeGreaterThan(0);
  expect(found.length).toBeLessThanOrEqual(50);
});
