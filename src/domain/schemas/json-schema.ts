// A JSON Schema that was read from its text, and what it says of values and payloads.

import { fieldInvalid } from '../errors.js';
import type { CheckRun } from './check-run.js';
import type { Mismatch } from './explanation.js';
import { canonicalText, isObject, type Json } from './json.js';
import type { Schema } from './schema.js';
import { SchemaCheck } from './schema-check.js';
import { findCircle } from './schema-circles.js';
import { type Dialect, dialectOf } from './schema-dialect.js';
import { limits } from './schema-limits.js';
import { SchemaProblems } from './schema-problems.js';
import { SchemaReader } from './schema-reader.js';

export class JsonSchema {
  /** Its one text: without blanks, names sorted. Equal ones say the same. */
  readonly text: string;
  readonly dialect: Dialect;
  readonly root: Schema;
  /** Pointers to keywords that nobody knows, and that mean nothing. */
  readonly unknown: readonly string[];
  readonly #check: SchemaCheck;

  private constructor(
    raw: Json,
    dialect: Dialect,
    { root, unknown }: { readonly root: Schema; readonly unknown: readonly string[] },
  ) {
    this.text = canonicalText(raw);
    this.dialect = dialect;
    this.root = root;
    this.unknown = unknown;
    this.#check = new SchemaCheck(root);
  }

  /** The schema of the text; SCHEMA_INVALID, with the places, for one that cannot be used. `field` is the field that holds it. */
  static parse(text: string, field: string): JsonSchema {
    const problems = new SchemaProblems();
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.schemaBytes) problems.add('', `has ${bytes} bytes; at most ${limits.schemaBytes} are allowed`);
    problems.throwAny(field);
    const raw = parsed(text, problems);
    problems.throwAny(field);
    const dialect = dialectIn(raw as Json, problems);
    const read = new SchemaReader(raw as Json, dialect, problems).read();
    if (read !== undefined) findCircle(read.root, problems);
    problems.throwAny(field);
    if (read === undefined) throw fieldInvalid(field, 'is no schema');
    return new JsonSchema(raw as Json, dialect, read);
  }

  /** See SchemaCheck.isValid. */
  isValid(value: Json): boolean {
    return this.#check.isValid(value);
  }

  /** See SchemaCheck.mismatches. */
  mismatches(value: Json, run?: CheckRun): readonly Mismatch[] {
    return this.#check.mismatches(value, run);
  }
}

function parsed(text: string, problems: SchemaProblems): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    problems.add('', `is not JSON: ${error instanceof Error ? error.message : ''}`);
    return undefined;
  }
}

function dialectIn(raw: Json, problems: SchemaProblems): Dialect {
  const named = isObject(raw) ? raw['$schema'] : undefined;
  if (named === undefined) return '2020-12';
  const dialect = typeof named === 'string' ? dialectOf(named) : undefined;
  if (dialect === undefined)
    problems.add('/$schema', 'names none of the dialects that are understood: 2020-12 and draft-07');
  return dialect ?? '2020-12';
}
