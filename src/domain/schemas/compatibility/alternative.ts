// An alternative: values of one kind that are valid, by the bounds of that kind. What is valid by a schema is a list of them.
//
// Members and items are not looked into: they are sets of schemas, all of which have to hold.

import type { Json, JsonKind } from '../json.js';
import type { LinearPattern } from '../linear-pattern.js';
import type { PatternedSchema, Schema } from '../schema.js';

/** Schemas that all have to hold; none: anything does. */
export type SchemaSet = readonly Schema[];

export interface NumberBounds {
  readonly minimum: number;
  readonly isAboveMinimum: boolean;
  readonly maximum: number;
  readonly isBelowMaximum: boolean;
  readonly isInteger: boolean;
  readonly multiples: readonly number[];
}

export interface StringBounds {
  readonly minLength: number;
  readonly maxLength: number;
  readonly patterns: readonly LinearPattern[];
}

/** What one schema says of items. */
interface ItemsClause {
  readonly prefix: readonly Schema[];
  readonly rest: Schema | undefined;
}

export interface ArrayBounds {
  readonly minItems: number;
  readonly maxItems: number;
  readonly isUnique: boolean;
  readonly clauses: readonly ItemsClause[];
}

/** What one schema says of members. */
export interface MembersClause {
  readonly properties: ReadonlyMap<string, Schema>;
  readonly patterns: readonly PatternedSchema[];
  readonly others: Schema | undefined;
}

export interface ObjectBounds {
  readonly required: ReadonlySet<string>;
  readonly minProperties: number;
  readonly maxProperties: number;
  readonly dependent: ReadonlyMap<string, ReadonlySet<string>>;
  readonly clauses: readonly MembersClause[];
}

/** Values of one kind that are valid, unless what is not understood refuses them. */
export interface Alternative {
  readonly kind: JsonKind;
  /** No others than these; undefined: what the bounds allow. */
  readonly values: readonly Json[] | undefined;
  /** What is not understood, by what it says, with the keyword. */
  readonly opaque: ReadonlyMap<string, string>;
  readonly number: NumberBounds;
  readonly string: StringBounds;
  readonly array: ArrayBounds;
  readonly object: ObjectBounds;
}

/** The schemas of the item at the index. */
export function itemAt({ clauses }: ArrayBounds, index: number): SchemaSet {
  return clauses.map(({ prefix, rest }) => prefix[index] ?? rest).filter((one) => one !== undefined);
}

/** The index from which on all items have the same schemas. */
export function restFrom({ clauses }: ArrayBounds): number {
  return Math.max(0, ...clauses.map(({ prefix }) => prefix.length));
}

/** Items that an array may have at most. */
export function mostItems({ maxItems, clauses }: ArrayBounds): number {
  return Math.min(
    maxItems,
    ...clauses.filter(({ rest }) => rest?.verdict === false).map(({ prefix }) => prefix.length),
  );
}

/** The schemas of the member of that name; undefined: nothing speaks of it. */
export function memberSchemas({ clauses }: ObjectBounds, name: string): SchemaSet | undefined {
  const found = clauses.flatMap((clause) => {
    const named = namedIn(clause, name);
    return named.length === 0 && clause.others !== undefined ? [clause.others] : named;
  });
  return found.length === 0 ? undefined : found;
}

function namedIn({ properties, patterns }: MembersClause, name: string): readonly Schema[] {
  const own = properties.get(name);
  const matching = patterns.filter(({ pattern }) => pattern.isIn(name)).map(({ schema }) => schema);
  return own === undefined ? matching : [own, ...matching];
}

/** The schemas of members of which only `additionalProperties` speaks. */
export function otherSchemas({ clauses }: ObjectBounds): SchemaSet {
  return clauses.flatMap(({ others }) => (others === undefined ? [] : [others]));
}

export function isImpossible(set: SchemaSet): boolean {
  return set.some(({ verdict }) => verdict === false);
}
