// A schema made into functions, once: whether it holds for a value, and where it does not. Nothing of a schema becomes code.

import { arrayChecks, itemsCheck } from './array-checks.js';
import { CheckRun, CheckStopped } from './check-run.js';
import { evaluatedItems, evaluatedNames } from './evaluated.js';
import { Explanation, type Mismatch } from './explanation.js';
import type { Json, JsonObject } from './json.js';
import {
  anyChecks,
  bitOf,
  type Explain,
  type Holds,
  type KeywordCheck,
  KIND_BITS,
  numberChecks,
  type SchemaFunctions,
  stringChecks,
  wrongType,
} from './keyword-checks.js';
import { namedCheck, namesOf, objectChecks } from './object-checks.js';
import type { Schema } from './schema.js';

export class SchemaCheck {
  readonly #root: Schema;
  readonly #compiled = new Map<Schema, CompiledSchema>();
  readonly #functions: SchemaFunctions = {
    holds: (schema) => this.#of(schema).holds,
    explain: (schema) => this.#of(schema).explain,
  };
  readonly #holds: Holds;

  constructor(root: Schema) {
    this.#root = root;
    this.#holds = this.#of(root).holds;
  }

  /** Whether the value is valid. Throws CheckStopped where that takes too long to tell. */
  isValid(value: Json, run = new CheckRun()): boolean {
    return stopping(() => this.#holds(value, run));
  }

  /** Whether the value is valid by a part of the schema, or by another one; undefined: that takes too long to tell. */
  isValidBy(schema: Schema, value: Json, run: CheckRun): boolean | undefined {
    try {
      return stopping(() => this.#of(schema).holds(value, run));
    } catch (error) {
      if (error instanceof CheckStopped) return undefined;
      throw error;
    }
  }

  /** What is wrong with the value: nothing, if it is valid. */
  mismatches(value: Json): readonly Mismatch[] {
    try {
      if (this.isValid(value)) return [];
    } catch (error) {
      if (error instanceof CheckStopped) return [{ path: '', what: error.message, rule: '' }];
      throw error;
    }
    const explanation = new Explanation();
    try {
      stopping(() => this.#of(this.#root).explain(value, explanation, new CheckRun(EXPLAINING_STEPS)));
    } catch (error) {
      // It is refused; of what was found until then as much is told.
      if (!(error instanceof CheckStopped)) throw error;
    }
    return explanation.found.length > 0 ? explanation.found : [{ path: '', what: 'does not fit the schema', rule: '' }];
  }

  #of(schema: Schema): CompiledSchema {
    const known = this.#compiled.get(schema);
    if (known !== undefined) return known;
    const made = new CompiledSchema(schema);
    // Known before it is complete: a schema may lead to itself.
    this.#compiled.set(schema, made);
    made.complete(this.#functions);
    return made;
  }
}

/** The stack of the platform ends before the steps do where a value nests very deep. */
function stopping<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof RangeError) throw new CheckStopped('nests too deep to be checked against the schema');
    throw error;
  }
}

/** What it may cost to say where a value does not fit. */
const EXPLAINING_STEPS = 100_000;
const NONE: readonly never[] = [];
const ALL_BITS = 127;

class CompiledSchema {
  readonly #schema: Schema;
  readonly #bits: number;
  readonly #steps: number;
  #any: readonly KeywordCheck[] = NONE;
  #number: readonly KeywordCheck<number>[] = NONE;
  #string: readonly KeywordCheck<string>[] = NONE;
  #array: readonly KeywordCheck<readonly Json[]>[] = NONE;
  #object: readonly KeywordCheck<JsonObject>[] = NONE;

  constructor(schema: Schema) {
    const { type, enum: values, required, properties } = schema.keywords;
    this.#schema = schema;
    this.#bits = type === undefined ? ALL_BITS : [...type].reduce((bits, one) => bits | KIND_BITS[one], 0);
    const compared = values?.filter((one) => typeof one === 'object' && one !== null).length ?? 0;
    this.#steps = 1 + 2 * compared + ((required?.length ?? 0) + (properties?.size ?? 0)) / 4;
  }

  complete(functions: SchemaFunctions): void {
    const { keywords } = this.#schema;
    this.#any = [...anyChecks(keywords, functions)];
    this.#number = [...numberChecks(keywords)];
    this.#string = [...stringChecks(keywords)];
    this.#array = [...arrayChecks(keywords, functions), ...unevaluatedItems(this.#schema, functions)];
    this.#object = [...objectChecks(keywords, functions), ...unevaluatedProperties(this.#schema, functions)];
  }

  readonly holds: Holds = (value, run) => {
    run.spend(this.#steps);
    if (this.#schema.verdict !== undefined) return this.#schema.verdict;
    if ((bitOf(value) & this.#bits) === 0) return false;
    for (const { holds } of this.#any) if (!holds(value, run)) return false;
    // Each list has the checks of its kind of values.
    const checks = this.#checksFor(value) as readonly KeywordCheck[];
    for (const { holds } of checks) if (!holds(value, run)) return false;
    return true;
  };

  readonly explain: Explain = (value, at, run) => {
    run.spend(this.#steps);
    const { pointer, verdict, keywords } = this.#schema;
    if (verdict === false) at.add('is not allowed', pointer);
    if (verdict !== undefined) return;
    if ((bitOf(value) & this.#bits) === 0) {
      at.add(wrongType(keywords.type ?? new Set()), `${pointer}/type`);
      return;
    }
    for (const check of [...this.#any, ...(this.#checksFor(value) as readonly KeywordCheck[])]) {
      if (at.isFull) return;
      if (typeof check.wrong !== 'string') check.wrong(value, at, run);
      else if (!check.holds(value, run)) at.add(check.wrong, `${pointer}/${check.keyword}`);
    }
  };

  #checksFor(value: Json): readonly KeywordCheck<never>[] {
    switch (typeof value) {
      case 'string':
        return this.#string;
      case 'number':
        return this.#number;
      case 'boolean':
        return NONE;
      default:
        if (value === null) return NONE;
        return Array.isArray(value) ? this.#array : this.#object;
    }
  }
}

function* unevaluatedItems(schema: Schema, functions: SchemaFunctions): Generator<KeywordCheck<readonly Json[]>> {
  const { unevaluatedItems: rest } = schema.keywords;
  if (rest === undefined) return;
  yield itemsCheck('unevaluatedItems', rest, functions, (items, run) =>
    evaluatedItems(schema, items, { functions, run, isOwn: false }),
  );
}

function* unevaluatedProperties(schema: Schema, functions: SchemaFunctions): Generator<KeywordCheck<JsonObject>> {
  const { unevaluatedProperties: rest } = schema.keywords;
  if (rest === undefined) return;
  yield namedCheck('unevaluatedProperties', rest, functions, (value, run) => {
    const evaluated = evaluatedNames(schema, value, { functions, run, isOwn: false });
    return namesOf(value, run).filter((name) => !evaluated.has(name));
  });
}
