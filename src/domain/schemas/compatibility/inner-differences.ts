// Differences between bounds of arrays, and of objects, and within their items and members.

import { type Json, type JsonObject, memberOf, withMember } from '../json.js';
import type { Schema } from '../schema.js';
import {
  type ArrayBounds,
  isImpossible,
  itemAt,
  type MembersClause,
  memberSchemas,
  mostItems,
  type ObjectBounds,
  otherSchemas,
  restFrom,
  type SchemaSet,
} from './alternative.js';
import { type Difference, MAX_TRIES, outwards } from './difference.js';
import type { Samples } from './samples.js';
import type { SpokenOf } from './spoken.js';

/** How sets of schemas are compared. */
export interface Comparing {
  readonly strict: boolean;
  readonly samples: Samples;
  differences(writer: SchemaSet, reader: SchemaSet): readonly Difference[];
}

/** A name that no schema is likely to know. */
const UNKNOWN_NAME = 'anything_else';

export function* arrayDifferences(
  writer: ArrayBounds,
  reader: ArrayBounds,
  comparing: Comparing,
): Generator<Difference> {
  const { samples } = comparing;
  const most = mostItems(writer);
  if (reader.minItems > writer.minItems) {
    yield {
      path: [],
      keyword: 'minItems',
      reader: `takes no array of fewer than ${reader.minItems} items`,
      writer: 'takes shorter ones',
      tries: () => samples.arrays(writer).slice(0, MAX_TRIES),
    };
  }
  if (mostItems(reader) < most) {
    const tries = () => samples.arrays(writer, mostItems(reader) + 1).slice(0, MAX_TRIES);
    yield {
      path: [],
      keyword: 'maxItems',
      reader: `takes no array of more than ${mostItems(reader)} items`,
      writer: 'takes longer ones',
      tries,
    };
  }
  if (reader.isUnique && !writer.isUnique && most > 1) {
    yield {
      path: [],
      keyword: 'uniqueItems',
      reader: 'takes no item twice',
      writer: 'does',
      tries: () => samples.arrays(writer, 2).slice(0, MAX_TRIES),
    };
  }
  const rest = Math.max(restFrom(writer), restFrom(reader));
  for (let at = 0; at <= rest && at < most; at += 1) {
    const around = (item: Json) =>
      samples.arrays(writer, at + 1).map((array) => (array as readonly Json[]).with(at, item));
    for (const found of comparing.differences(itemAt(writer, at), itemAt(reader, at)))
      yield outwards(found, at === rest ? '*' : String(at), around);
  }
}

/** How objects are compared. */
export interface ComparingObjects extends Comparing {
  /** What the writer's schemas speak of. */
  readonly spoken: SpokenOf;
}

export function* objectDifferences(
  writer: ObjectBounds,
  reader: ObjectBounds,
  comparing: ComparingObjects,
): Generator<Difference> {
  yield* requiredDifferences(writer, reader, comparing);
  yield* sizeDifferences(writer, reader, comparing);
  const names = new Set([...namesOf(writer, reader), ...comparing.spoken.names]);
  for (const name of names) yield* memberDifferences(name, writer, reader, comparing);
  yield* patternDifferences(writer, reader, comparing);
  yield* otherDifferences(writer, reader, comparing);
}

function* requiredDifferences(
  writer: ObjectBounds,
  reader: ObjectBounds,
  comparing: ComparingObjects,
): Generator<Difference> {
  const without = (objects: readonly JsonObject[], name: string) =>
    objects.filter((object) => memberOf(object, name) === undefined).slice(0, MAX_TRIES);
  for (const name of reader.required) {
    if (writer.required.has(name)) continue;
    const tries = () => without(comparing.samples.objects(writer), name);
    yield { path: [name], keyword: 'required', reader: 'requires it', writer: 'does not', tries };
  }
  for (const [name, names] of reader.dependent) {
    if (!mayHave(writer, name, comparing)) continue;
    for (const other of names) {
      if (writer.required.has(other) || reader.required.has(other) || writer.dependent.get(name)?.has(other) === true)
        continue;
      const [value = null] = comparing.samples.of(memberSchemas(writer, name) ?? []);
      const tries = () =>
        without(
          comparing.samples.objects(writer).map((object) => withMember(object, name, value)),
          other,
        );
      yield {
        path: [other],
        keyword: 'dependentRequired',
        reader: `requires it beside "${name}"`,
        writer: 'does not',
        tries,
      };
    }
  }
}

/** Whether objects of the writer may have a member of the name. */
function mayHave(writer: ObjectBounds, name: string, { strict, spoken }: ComparingObjects): boolean {
  const schemas = memberSchemas(writer, name);
  return schemas === undefined ? strict || spoken.ofOthers || spoken.names.has(name) : !isImpossible(schemas);
}

function* sizeDifferences(
  writer: ObjectBounds,
  reader: ObjectBounds,
  comparing: ComparingObjects,
): Generator<Difference> {
  const { samples } = comparing;
  if (reader.minProperties > Math.max(writer.minProperties, writer.required.size)) {
    yield {
      path: [],
      keyword: 'minProperties',
      reader: `takes no object of fewer than ${reader.minProperties} members`,
      writer: 'takes smaller ones',
      tries: () => samples.objects(writer).slice(0, MAX_TRIES),
    };
  }
  if (reader.maxProperties < mostMembers(writer, comparing)) {
    yield {
      path: [],
      keyword: 'maxProperties',
      reader: `takes no object of more than ${reader.maxProperties} members`,
      writer: 'takes larger ones',
      tries: () => samples.objects(writer).slice(0, MAX_TRIES),
    };
  }
}

/** Members that an object of the writer may have at most, of those that he may have. */
function mostMembers(writer: ObjectBounds, { strict, spoken }: ComparingObjects): number {
  const { clauses, maxProperties } = writer;
  const isOpen = !isImpossible(otherSchemas(writer)) && (strict || spoken.ofOthers || otherSchemas(writer).length > 0);
  if (isOpen || clauses.some(({ patterns }) => patterns.length > 0)) return maxProperties;
  const names = new Set([...namesOf(writer), ...spoken.names]);
  return Math.min(maxProperties, names.size);
}

function namesOf(...bounds: readonly ObjectBounds[]): ReadonlySet<string> {
  return new Set(
    bounds.flatMap(({ clauses, required }) => [
      ...required,
      ...clauses.flatMap(({ properties }) => [...properties.keys()]),
    ]),
  );
}

function memberDifferences(
  name: string,
  writer: ObjectBounds,
  reader: ObjectBounds,
  comparing: ComparingObjects,
): readonly Difference[] {
  if (!mayHave(writer, name, comparing)) return [];
  const schemas = memberSchemas(writer, name) ?? [];
  const around = (member: Json) => comparing.samples.objects(writer).map((object) => withMember(object, name, member));
  return comparing
    .differences(schemas, memberSchemas(reader, name) ?? [])
    .map((found) => outwards(found, name, around));
}

/** Members that the writer names by a pattern. Which patterns match the same names is not known but for equal ones. */
function* patternDifferences(
  writer: ObjectBounds,
  reader: ObjectBounds,
  comparing: ComparingObjects,
): Generator<Difference> {
  for (const { pattern, schema } of writer.clauses.flatMap(({ patterns }) => patterns)) {
    if (schema.verdict === false) continue;
    const asked = reader.clauses.flatMap((clause) => askedOfPattern(clause, pattern.text));
    for (const found of comparing.differences([schema], asked)) yield outwards(found, '*', () => []);
  }
}

function askedOfPattern({ patterns, others }: MembersClause, text: string): readonly Schema[] {
  const isKnown = patterns.some(({ pattern }) => pattern.text === text);
  return [...patterns.map(({ schema }) => schema), ...(isKnown || others === undefined ? [] : [others])];
}

/** Members of other names than the writer knows. */
function* otherDifferences(
  writer: ObjectBounds,
  reader: ObjectBounds,
  comparing: ComparingObjects,
): Generator<Difference> {
  const others = otherSchemas(writer);
  if (isImpossible(others) || (others.length === 0 && !comparing.strict && !comparing.spoken.ofOthers)) return;
  const around = (member: Json) =>
    comparing.samples.objects(writer).map((object) => withMember(object, UNKNOWN_NAME, member));
  for (const found of comparing.differences(others, otherSchemas(reader))) yield outwards(found, '*', around);
  // What a pattern of the writer's names is none of these.
  const named = new Set(writer.clauses.flatMap(({ patterns }) => patterns.map(({ pattern }) => pattern.text)));
  const patterned = reader.clauses
    .flatMap(({ patterns }) => patterns)
    .filter(({ pattern }) => !named.has(pattern.text));
  for (const { schema } of patterned) {
    for (const found of comparing.differences(others, [schema])) yield outwards(found, '*', () => []);
  }
}
