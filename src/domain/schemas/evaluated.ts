// Which items and members of a value the schemas that are held against it, and hold, have spoken of: the others are unevaluated.

import type { CheckRun } from './check-run.js';
import type { Json, JsonObject } from './json.js';
import type { SchemaFunctions } from './keyword-checks.js';
import { matches, namesOf } from './object-checks.js';
import type { Schema } from './schema.js';

interface Looking {
  readonly functions: SchemaFunctions;
  readonly run: CheckRun;
  /** Whether the schema's own `unevaluated…` counts: it does for the schemas around it. */
  readonly isOwn: boolean;
}

/** The names that were spoken of. */
export function evaluatedNames(schema: Schema, value: JsonObject, looking: Looking): ReadonlySet<string> {
  const { keywords: k } = schema;
  const { run, isOwn } = looking;
  const names = namesOf(value, run);
  run.spend(1 + names.length);
  if (k.additionalProperties !== undefined || (isOwn && k.unevaluatedProperties !== undefined)) return new Set(names);
  const found = names.filter(
    (name) => k.properties?.has(name) === true || k.patternProperties?.some((one) => matches(one, name, run)) === true,
  );
  const others = appliedTo(schema, value, looking).flatMap((one) => [
    ...evaluatedNames(one, value, { ...looking, isOwn: true }),
  ]);
  return new Set([...found, ...others]);
}

/** The indexes that were spoken of. */
export function evaluatedItems(schema: Schema, items: readonly Json[], looking: Looking): ReadonlySet<number> {
  const { keywords: k } = schema;
  const { run, isOwn, functions } = looking;
  run.spend(1 + items.length);
  if (k.items !== undefined || (isOwn && k.unevaluatedItems !== undefined)) return new Set(items.keys());
  const found = new Set<number>();
  for (let at = 0; at < Math.min(items.length, k.prefixItems?.length ?? 0); at += 1) found.add(at);
  if (k.contains !== undefined) {
    const contained = functions.holds(k.contains);
    for (const [at, item] of items.entries()) if (contained(item, run)) found.add(at);
  }
  for (const one of appliedTo(schema, items, looking)) {
    for (const at of evaluatedItems(one, items, { ...looking, isOwn: true })) found.add(at);
  }
  return found;
}

/** The schemas that are held against the same value and hold, as far as what they say counts. */
function appliedTo({ keywords: k }: Schema, value: Json, { functions, run }: Looking): readonly Schema[] {
  const holds = (schema: Schema) => functions.holds(schema)(value, run);
  const applied = [...(k.allOf ?? []), ...(k.anyOf ?? []).filter(holds), ...(k.oneOf ?? []).filter(holds)];
  if (k.ref !== undefined) applied.push(k.ref.target);
  if (k.if !== undefined) applied.push(...conditionally(k.if, k, holds));
  for (const [name, schema] of k.dependentSchemas ?? []) {
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, name)) applied.push(schema);
  }
  return applied;
}

function conditionally(
  condition: Schema,
  { then, else: otherwise }: Schema['keywords'],
  holds: (schema: Schema) => boolean,
): readonly Schema[] {
  if (holds(condition)) return then === undefined ? [condition] : [condition, then];
  return otherwise === undefined ? [] : [otherwise];
}
