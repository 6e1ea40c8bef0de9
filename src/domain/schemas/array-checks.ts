// What the keywords about arrays ask of one.

import type { CheckRun } from './check-run.js';
import { canonicalText, type Json } from './json.js';
import type { KeywordCheck, SchemaFunctions } from './keyword-checks.js';
import type { Keywords, Schema } from './schema.js';

type Items = readonly Json[];
type ArrayCheck = KeywordCheck<Items>;

export function* arrayChecks(k: Keywords, schemas: SchemaFunctions): Generator<ArrayCheck> {
  const { maxItems, minItems } = k;
  if (maxItems !== undefined)
    yield { keyword: 'maxItems', holds: ({ length }) => length <= maxItems, wrong: `has more than ${maxItems} items` };
  if (minItems !== undefined)
    yield { keyword: 'minItems', holds: ({ length }) => length >= minItems, wrong: `has fewer than ${minItems} items` };
  if (k.prefixItems !== undefined) yield prefixCheck(k.prefixItems, schemas);
  if (k.items !== undefined) yield itemsCheck('items', k.items, schemas, () => k.prefixItems?.length ?? 0);
  if (k.contains !== undefined) yield containsCheck(k.contains, k, schemas);
  if (k.uniqueItems === true) yield { keyword: 'uniqueItems', holds: areUnique, wrong: 'has an item twice' };
}

function prefixCheck(prefix: readonly Schema[], { holds, explain }: SchemaFunctions): ArrayCheck {
  const each = prefix.map(holds);
  const explains = prefix.map(explain);
  return {
    keyword: 'prefixItems',
    holds: (items, run) => each.every((one, at) => at >= items.length || one(items[at] as Json, run)),
    wrong: (items, at, run) => {
      for (const [index, one] of explains.entries()) {
        if (index < items.length) at.below(index, () => one(items[index] as Json, at, run));
      }
    },
  };
}

/** Holds a schema against all items from one on. */
export function itemsCheck(
  keyword: 'items' | 'unevaluatedItems',
  schema: Schema,
  { holds, explain }: SchemaFunctions,
  from: (items: Items, run: CheckRun) => number | ReadonlySet<number>,
): ArrayCheck {
  const one = holds(schema);
  const told = explain(schema);
  return {
    keyword,
    holds: (items, run) => {
      for (const index of indexes(items, from(items, run))) if (!one(items[index] as Json, run)) return false;
      return true;
    },
    wrong: (items, at, run) => {
      for (const index of indexes(items, from(items, run))) {
        if (at.isFull) return;
        at.below(index, () => told(items[index] as Json, at, run));
      }
    },
  };
}

/** The indexes from one on, or those that are not in a set. */
function* indexes({ length }: Items, from: number | ReadonlySet<number>): Generator<number> {
  for (let at = typeof from === 'number' ? from : 0; at < length; at += 1) {
    if (typeof from === 'number' || !from.has(at)) yield at;
  }
}

function containsCheck(
  schema: Schema,
  { minContains = 1, maxContains = Number.POSITIVE_INFINITY }: Keywords,
  { holds }: SchemaFunctions,
): ArrayCheck {
  const one = holds(schema);
  const isEnough = (items: Items, run: CheckRun) => {
    let count = 0;
    for (const item of items) {
      if (!one(item, run)) continue;
      count += 1;
      if (count > maxContains) return false;
      if (count >= minContains && maxContains === Number.POSITIVE_INFINITY) return true;
    }
    return count >= minContains;
  };
  const most = maxContains === Number.POSITIVE_INFINITY ? '' : ` and at most ${maxContains}`;
  return {
    keyword: 'contains',
    holds: isEnough,
    wrong: `does not have at least ${minContains}${most} items of the kind that it has to contain`,
  };
}

function areUnique(items: Items, run: CheckRun): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const text = canonicalText(item, () => run.spend(2));
    run.spend(text.length / 16);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}
