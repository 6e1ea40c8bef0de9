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
  mismatches(value: Json, run = new CheckRun()): readonly Mismatch[] {
    try {
      if (this.isValid(value, run)) return [];
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
/** The lists of checks: of values of one kind, or of all the others. */
type ListName = 'number' | 'string' | 'array' | 'object' | 'other';
type Checks = Readonly<Record<ListName, readonly KeywordCheck[]>>;
type Functions = Readonly<Record<ListName, readonly Holds[]>>;

const NO_CHECKS: Checks = { number: [], string: [], array: [], object: [], other: [] };
const NO_FUNCTIONS: Functions = { number: [], string: [], array: [], object: [], other: [] };

function listOf(bit: number): ListName {
  switch (bit) {
    case KIND_BITS.string:
      return 'string';
    case KIND_BITS.object:
      return 'object';
    case KIND_BITS.array:
      return 'array';
    case KIND_BITS.null:
    case KIND_BITS.boolean:
      return 'other';
    default:
      return 'number';
  }
}

const ALL_BITS = 127;

class CompiledSchema {
  readonly #schema: Schema;
  readonly #verdict: boolean | undefined;
  readonly #bits: number;
  readonly #steps: number;
  #checks: Checks = NO_CHECKS;
  /** The functions of the same checks, in the same order: hot. */
  #functions: Functions = NO_FUNCTIONS;

  constructor(schema: Schema) {
    const { type, enum: values, required, properties } = schema.keywords;
    this.#schema = schema;
    this.#verdict = schema.verdict;
    this.#bits = type === undefined ? ALL_BITS : [...type].reduce((bits, one) => bits | KIND_BITS[one], 0);
    const compared = values?.filter((one) => typeof one === 'object' && one !== null).length ?? 0;
    this.#steps = 1 + 2 * compared + ((required?.length ?? 0) + (properties?.size ?? 0)) / 4;
  }

  complete(functions: SchemaFunctions): void {
    const { keywords } = this.#schema;
    const any = [...anyChecks(keywords, functions)];
    const array = [...arrayChecks(keywords, functions), ...unevaluatedItems(this.#schema, functions)];
    const object = [...objectChecks(keywords, functions), ...unevaluatedProperties(this.#schema, functions)];
    // Each list has the checks of its kind of values, and is asked for no others.
    this.#checks = {
      other: any,
      number: [...any, ...numberChecks(keywords)] as readonly KeywordCheck[],
      string: [...any, ...stringChecks(keywords)] as readonly KeywordCheck[],
      array: [...any, ...array] as readonly KeywordCheck[],
      object: [...any, ...object] as readonly KeywordCheck[],
    };
    const functionsOf = (checks: readonly KeywordCheck[]) => checks.map(({ holds }) => holds);
    const { other, number, string } = this.#checks;
    this.#functions = {
      other: functionsOf(other),
      number: functionsOf(number),
      string: functionsOf(string),
      array: functionsOf(this.#checks.array),
      object: functionsOf(this.#checks.object),
    };
  }

  readonly holds: Holds = (value, run) => {
    run.spend(this.#steps);
    if (this.#verdict !== undefined) return this.#verdict;
    if ((bitOf(value) & this.#bits) === 0) return false;
    const functions = this.#functionsFor(value);
    for (let at = 0; at < functions.length; at += 1) if (functions[at]?.(value, run) !== true) return false;
    return true;
  };

  /** Named one by one: a look-up by the name of the kind takes as long as all the rest. */
  #functionsFor(value: Json): readonly Holds[] {
    switch (typeof value) {
      case 'string':
        return this.#functions.string;
      case 'number':
        return this.#functions.number;
      case 'boolean':
        return this.#functions.other;
      default:
        if (value === null) return this.#functions.other;
        return Array.isArray(value) ? this.#functions.array : this.#functions.object;
    }
  }

  readonly explain: Explain = (value, at, run) => {
    run.spend(this.#steps);
    const { pointer, verdict, keywords } = this.#schema;
    if (verdict === false) at.add('is not allowed', pointer);
    if (verdict !== undefined) return;
    if ((bitOf(value) & this.#bits) === 0) {
      at.add(wrongType(keywords.type ?? new Set()), `${pointer}/type`);
      return;
    }
    for (const check of this.#checks[listOf(bitOf(value))]) {
      if (at.isFull) return;
      const rule = `${pointer}/${check.keyword}`;
      if (typeof check.wrong !== 'string') check.wrong(value, at, run, rule);
      else if (!check.holds(value, run)) at.add(check.wrong, rule);
    }
  };
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
