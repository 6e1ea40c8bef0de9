// The JSON-Schema-Test-Suite: what it says of both dialects holds here, but for what is named below. `make test-schema-suite` fetches it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/domain/schemas/json.js';
import { JsonSchema } from '../../src/domain/schemas/json-schema.js';

const SUITE = fileURLToPath(new URL('../../.schema-suite/jsonschema-4.23.0/json/tests', import.meta.url));

interface Group {
  readonly description: string;
  readonly schema: Json;
  readonly tests: readonly { readonly description: string; readonly data: Json; readonly valid: boolean }[];
}

const DIALECTS = [
  ['draft2020-12', 'https://json-schema.org/draft/2020-12/schema'],
  ['draft7', 'http://json-schema.org/draft-07/schema#'],
] as const;

/** Why schemas of the suite are refused: the reasons that are documented. */
const REFUSED: readonly (readonly [reason: string, message: RegExp])[] = [
  ['nothing outside of a schema is known: neither remote schemas nor the dialects themselves', /refers outwards/],
  ['a $dynamicRef that leads to several places by the way that was taken', /by the way that was taken to it/],
  ['dialects of their own', /names none of the dialects/],
  ['long names of Unicode classes in patterns', /runs in linear time.*\\p\{(Letter|digit)\}/],
];

/** Groups that say something else than what is promised, each with why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'draft2020-12/optional/dependencies-compatibility.json':
    '`dependencies` is no keyword of 2020-12: it is told as unknown',
  'draft7/optional/content.json': 'content of strings is not looked into',
};

/** `optional/format` is left out: formats are annotations. */
function filesOf(dialect: string): readonly string[] {
  const own = readdirSync(`${SUITE}/${dialect}`).filter((file) => file.endsWith('.json'));
  const optional = readdirSync(`${SUITE}/${dialect}/optional`).filter((file) => file.endsWith('.json'));
  return [...own, ...optional.map((file) => `optional/${file}`)].filter(
    (file) => OTHERWISE[`${dialect}/${file}`] === undefined,
  );
}

function read(schema: Json, uri: string): JsonSchema | Error {
  const isObject = typeof schema === 'object' && schema !== null && !Array.isArray(schema);
  const named = isObject && !('$schema' in schema) ? { $schema: uri, ...schema } : schema;
  try {
    return JsonSchema.parse(JSON.stringify(named), 'schema');
  } catch (error) {
    return error as Error;
  }
}

if (!existsSync(SUITE))
  throw new Error('the suite is not here: run `make test-schema-suite`, which fetches it from PyPI');

describe.each(DIALECTS)('%s', (dialect, uri) => {
  it.each(filesOf(dialect))('%s', (file) => {
    const groups = JSON.parse(readFileSync(`${SUITE}/${dialect}/${file}`, 'utf8')) as Group[];
    for (const { description, schema, tests } of groups) {
      const made = read(schema, uri);
      if (made instanceof Error) {
        const reasons = REFUSED.filter(([, message]) => message.test(made.message));
        expect(reasons, `${description}: ${made.message}`).toHaveLength(1);
        continue;
      }
      for (const one of tests) {
        const found = { group: description, test: one.description, valid: made.isValid(one.data) };
        expect(found).toEqual({ group: description, test: one.description, valid: one.valid });
        expect(made.mismatches(one.data).length === 0).toBe(one.valid);
      }
    }
  });
});

it('runs most of the suite', () => {
  const groups = DIALECTS.flatMap(([dialect, uri]) =>
    filesOf(dialect).flatMap((file) =>
      (JSON.parse(readFileSync(`${SUITE}/${dialect}/${file}`, 'utf8')) as Group[]).map(({ schema }) =>
        read(schema, uri),
      ),
    ),
  );
  expect(groups.length).toBeGreaterThan(500);
  expect(groups.filter((one) => one instanceof Error).length).toBeLessThan(groups.length / 8);
});
