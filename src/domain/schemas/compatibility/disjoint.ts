// Whether no value is valid by two forms at once, as far as that is plain: by kind, by listed values, by bounds, or by a member that tells
// the alternatives apart.

import { canonicalText, type Json, textsOf } from '../json.js';
import { type Alternative, memberSchemas, type NumberBounds, type SchemaSet } from './alternative.js';

export function areDisjoint(one: readonly Alternative[], other: readonly Alternative[]): boolean {
  return one.every((a) => other.every((b) => a.kind !== b.kind || isApart(a, b)));
}

function isApart(one: Alternative, other: Alternative): boolean {
  if (one.values !== undefined && other.values !== undefined) return haveNone(one.values, other.values);
  switch (one.kind) {
    case 'number':
      return isBelow(one.number, other.number) || isBelow(other.number, one.number);
    case 'string':
      return one.string.maxLength < other.string.minLength || other.string.maxLength < one.string.minLength;
    case 'array':
      return one.array.maxItems < other.array.minItems || other.array.maxItems < one.array.minItems;
    case 'object':
      return isToldApart(one, other) || isToldApart(other, one);
    default:
      return false;
  }
}

function haveNone(one: readonly Json[], other: readonly Json[]): boolean {
  const texts = textsOf(other);
  return !one.some((value) => texts.has(canonicalText(value)));
}

function isBelow({ maximum, isBelowMaximum }: NumberBounds, { minimum, isAboveMinimum }: NumberBounds): boolean {
  return maximum < minimum || (maximum === minimum && (isBelowMaximum || isAboveMinimum));
}

/** Whether one requires a member of certain values which the other does not have there. */
function isToldApart({ object: one }: Alternative, { object: other }: Alternative): boolean {
  return [...one.required].some((name) => {
    const values = listedValues(memberSchemas(one, name));
    const others = listedValues(memberSchemas(other, name));
    return values !== undefined && others !== undefined && haveNone(values, others);
  });
}

/** The values that the schemas list themselves; undefined: they list none. */
function listedValues(set: SchemaSet = []): readonly Json[] | undefined {
  const lists = set.flatMap(({ keywords: { const: only, enum: values } }) => [
    ...(only === undefined ? [] : [[only.value]]),
    ...(values === undefined ? [] : [values]),
  ]);
  const [first, ...others] = lists;
  return others.length === 0 ? first : first?.filter((value) => others.every((list) => !haveNone([value], list)));
}
