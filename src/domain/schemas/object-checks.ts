// What the keywords about objects ask of one.

import type { CheckRun } from './check-run.js';
import { isInherited, type Json, type JsonObject, memberOf } from './json.js';
import type { Holds, KeywordCheck, SchemaFunctions } from './keyword-checks.js';
import type { Keywords, PatternedSchema, Schema } from './schema.js';

type ObjectCheck = KeywordCheck<JsonObject>;

const UNKNOWN_MEMBER = 'is not a member that the schema knows';

export function* objectChecks(k: Keywords, schemas: SchemaFunctions): Generator<ObjectCheck> {
  const { maxProperties, minProperties } = k;
  if (k.required !== undefined && k.required.length > 0) yield requiredCheck(k.required);
  if (maxProperties !== undefined) {
    yield {
      keyword: 'maxProperties',
      holds: (value, run) => namesOf(value, run).length <= maxProperties,
      wrong: `has more than ${maxProperties} members`,
    };
  }
  if (minProperties !== undefined) {
    yield {
      keyword: 'minProperties',
      holds: (value, run) => namesOf(value, run).length >= minProperties,
      wrong: `has fewer than ${minProperties} members`,
    };
  }
  if (k.properties !== undefined && k.properties.size > 0) yield propertiesCheck(k.properties, schemas);
  if (k.patternProperties !== undefined && k.patternProperties.length > 0)
    yield patternsCheck(k.patternProperties, schemas);
  if (k.additionalProperties?.verdict === false) yield closedCheck(k);
  else if (k.additionalProperties !== undefined) {
    yield namedCheck('additionalProperties', k.additionalProperties, schemas, othersOf(k));
  }
  if (k.propertyNames !== undefined) yield propertyNamesCheck(k.propertyNames, schemas);
  if (k.dependentRequired !== undefined) yield dependentRequiredCheck(k.dependentRequired);
  if (k.dependentSchemas !== undefined) yield dependentSchemasCheck(k.dependentSchemas, schemas);
}

/** The names of the members; looking at them costs something. */
export function namesOf(value: JsonObject, run: CheckRun): readonly string[] {
  const names = Object.keys(value);
  run.spend(names.length / 4);
  return names;
}

function has(value: JsonObject, name: string): boolean {
  return memberOf(value, name) !== undefined;
}

function requiredCheck(required: readonly string[]): ObjectCheck {
  const plain = required.filter((name) => !isInherited(name));
  const inherited = required.filter(isInherited);
  return {
    keyword: 'required',
    holds: (value) => {
      for (let at = 0; at < plain.length; at += 1) if (value[plain[at] as string] === undefined) return false;
      return inherited.every((name) => has(value, name));
    },
    wrong: (value, at, _, rule) => {
      for (const name of required) if (!has(value, name)) at.below(name, () => at.add('is required', rule));
    },
  };
}

interface Property {
  readonly name: string;
  readonly holds: Holds;
  readonly isInherited: boolean;
}

function propertiesCheck(properties: ReadonlyMap<string, Schema>, { holds, explain }: SchemaFunctions): ObjectCheck {
  const each: readonly Property[] = [...properties].map(([name, schema]) => ({
    name,
    holds: holds(schema),
    isInherited: isInherited(name),
  }));
  return {
    keyword: 'properties',
    holds: (value, run) => {
      for (let at = 0; at < each.length; at += 1) {
        const property = each[at] as Property;
        const member = property.isInherited ? memberOf(value, property.name) : value[property.name];
        if (member !== undefined && !property.holds(member, run)) return false;
      }
      return true;
    },
    wrong: (value, at, run) => {
      for (const [name, schema] of properties) {
        const member = memberOf(value, name);
        if (member !== undefined) at.below(name, () => explain(schema)(member, at, run));
      }
    },
  };
}

function patternsCheck(patterned: readonly PatternedSchema[], { holds, explain }: SchemaFunctions): ObjectCheck {
  const each = patterned.map(({ pattern, schema }) => ({ pattern, schema, holds: holds(schema) }));
  return {
    keyword: 'patternProperties',
    holds: (value, run) =>
      namesOf(value, run).every((name) =>
        each.every((one) => !matches(one, name, run) || one.holds(memberOf(value, name) as Json, run)),
      ),
    wrong: (value, at, run) => {
      for (const name of namesOf(value, run)) {
        for (const one of each) {
          if (matches(one, name, run))
            at.below(name, () => explain(one.schema)(memberOf(value, name) as Json, at, run));
        }
      }
    },
  };
}

export function matches({ pattern }: Pick<PatternedSchema, 'pattern'>, name: string, run: CheckRun): boolean {
  run.spend(pattern.stepsFor(name));
  return pattern.isIn(name);
}

/** Finds the names of which neither `properties` nor `patternProperties` speaks. */
function othersOf({
  properties,
  patternProperties = [],
}: Keywords): (value: JsonObject, run: CheckRun) => readonly string[] {
  const known: ReadonlySet<string> = new Set(properties?.keys());
  return (value, run) => {
    const names = namesOf(value, run);
    return names.filter((name) => !known.has(name) && !patternProperties.some((one) => matches(one, name, run)));
  };
}

/** No other names than those of which `properties` and `patternProperties` speak. */
function closedCheck(k: Keywords): ObjectCheck {
  const { properties, patternProperties = [] } = k;
  const known: ReadonlySet<string> = new Set(properties?.keys());
  const others = othersOf(k);
  return {
    keyword: 'additionalProperties',
    holds: (value, run) => {
      const names = namesOf(value, run);
      for (let at = 0; at < names.length; at += 1) {
        const name = names[at] as string;
        if (!known.has(name) && !patternProperties.some((one) => matches(one, name, run))) return false;
      }
      return true;
    },
    wrong: (value, at, run, rule) => {
      for (const name of others(value, run)) at.below(name, () => at.add(UNKNOWN_MEMBER, rule));
    },
  };
}

/** Holds a schema against the members of those names. */
export function namedCheck(
  keyword: 'additionalProperties' | 'unevaluatedProperties',
  schema: Schema,
  { holds, explain }: SchemaFunctions,
  names: (value: JsonObject, run: CheckRun) => readonly string[],
): ObjectCheck {
  const one = holds(schema);
  const isNone = schema.verdict === false;
  return {
    keyword,
    holds: (value, run) => {
      const found = names(value, run);
      return found.length === 0 || (!isNone && found.every((name) => one(memberOf(value, name) as Json, run)));
    },
    wrong: (value, at, run, rule) => {
      for (const name of names(value, run)) {
        at.below(name, () =>
          isNone ? at.add(UNKNOWN_MEMBER, rule) : explain(schema)(memberOf(value, name) as Json, at, run),
        );
      }
    },
  };
}

function propertyNamesCheck(schema: Schema, { holds }: SchemaFunctions): ObjectCheck {
  const one = holds(schema);
  return {
    keyword: 'propertyNames',
    holds: (value, run) => namesOf(value, run).every((name) => one(name, run)),
    wrong: (value, at, run, rule) => {
      for (const name of namesOf(value, run)) {
        if (!one(name, run)) at.below(name, () => at.add('has a name that the schema does not allow', rule));
      }
    },
  };
}

function dependentRequiredCheck(dependent: ReadonlyMap<string, readonly string[]>): ObjectCheck {
  return {
    keyword: 'dependentRequired',
    holds: (value) =>
      [...dependent].every(([name, names]) => !has(value, name) || names.every((one) => has(value, one))),
    wrong: (value, at, _, rule) => {
      for (const [name, names] of dependent) {
        if (!has(value, name)) continue;
        for (const one of names) {
          if (!has(value, one))
            at.below(one, () => at.add(`is required beside ${JSON.stringify(name).slice(0, 60)}`, rule));
        }
      }
    },
  };
}

function dependentSchemasCheck(
  dependent: ReadonlyMap<string, Schema>,
  { holds, explain }: SchemaFunctions,
): ObjectCheck {
  const each = [...dependent].map(([name, schema]) => ({ name, schema, holds: holds(schema) }));
  return {
    keyword: 'dependentSchemas',
    holds: (value, run) => each.every((one) => !has(value, one.name) || one.holds(value, run)),
    wrong: (value, at, run) => {
      for (const one of each) if (has(value, one.name)) explain(one.schema)(value, at, run);
    },
  };
}
