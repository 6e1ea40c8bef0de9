// Whether two versions of a schema go together, in words: what is told of it names places, says how to mend them, and shows a value where
// there is one.

import { pointerOf } from '../../json/json-path.js';
import { CheckRun } from '../check-run.js';
import { canonicalText, type Json } from '../json.js';
import type { JsonSchema } from '../json-schema.js';
import { SchemaCheck } from '../schema-check.js';
import type { SchemaSet } from './alternative.js';
import type { Difference } from './difference.js';
import { Inclusion } from './inclusion.js';

/** What a new version has to go together with. */
export const COMPATIBILITIES = [
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
  'NONE',
] as const;

export type Compatibility = (typeof COMPATIBILITIES)[number];

export type Direction = 'backward' | 'forward';

export function directionsOf(compatibility: Compatibility): readonly Direction[] {
  if (compatibility === 'NONE') return [];
  if (compatibility.startsWith('FULL')) return ['backward', 'forward'];
  return compatibility.startsWith('BACKWARD') ? ['backward'] : ['forward'];
}

export function isTransitive(compatibility: Compatibility): boolean {
  return compatibility.endsWith('_TRANSITIVE');
}

/** What stands between a new version and a former one. */
export interface SchemaFinding {
  readonly direction: Direction;
  /** The former version. */
  readonly version: number;
  /** Into values: a JSON Pointer in which `*` stands for every item, or every member of a name that is not known. */
  readonly path: string;
  readonly keyword: string;
  readonly description: string;
  readonly cure: string;
  /** JSON that the one takes and the other refuses; undefined: none was found, so that it is not proven. */
  readonly example: string | undefined;
}

/** A version to be compared. */
export interface SchemaVersion {
  readonly version: number;
  readonly schema: JsonSchema;
}

/** Findings of one comparison, and differences of which it is tried to prove them. */
const MAX_FINDINGS = 50;
const MAX_LOOKED_AT = 500;
const MAX_EXAMPLE_CHARACTERS = 1_000;
/** Steps that all checks of one comparison may take. */
const MAX_STEPS = 300_000;

/** What stands between the new schema and a former version, in that direction; `strict`: see InclusionOptions. */
export function findingsBetween(
  fresh: JsonSchema,
  former: SchemaVersion,
  direction: Direction,
  strict: boolean,
): readonly SchemaFinding[] {
  const isBackward = direction === 'backward';
  const [writer, reader] = isBackward ? [former.schema, fresh] : [fresh, former.schema];
  const check = new SchemaCheck(reader.root);
  const run = new CheckRun(MAX_STEPS);
  const isValid = (set: SchemaSet, value: Json) => validBy(check, set, value, run);
  const found = new Inclusion({ isValid, strict }).differences([writer.root], [reader.root]);
  const names = isBackward
    ? { writer: `version ${former.version}`, reader: 'the new schema' }
    : { writer: 'the new schema', reader: `version ${former.version}` };
  const findings = distinct(found)
    .slice(0, MAX_LOOKED_AT)
    .map((difference): SchemaFinding => {
      const { path, keyword, tries } = difference;
      const shows = (value: Json) => isValid([writer.root], value) === true && isValid([reader.root], value) === false;
      const shown = run.isSpent ? undefined : tries().find(shows);
      const description = `${names.reader} ${difference.reader}, ${names.writer} ${difference.writer}`;
      const example = shown === undefined ? undefined : JSON.stringify(shown).slice(0, MAX_EXAMPLE_CHARACTERS);
      return {
        direction,
        version: former.version,
        path: pointerOf(path),
        keyword,
        description,
        cure: cureOf(difference, direction),
        example,
      };
    });
  return breaksFirst(findings).slice(0, MAX_FINDINGS);
}

/** Whether it is proven that the two do not go together there. */
export function isBreak({ example }: SchemaFinding): boolean {
  return example !== undefined;
}

/** The findings, those that are proven before the others. */
export function breaksFirst(findings: readonly SchemaFinding[]): readonly SchemaFinding[] {
  return [...findings.filter(isBreak), ...findings.filter((finding) => !isBreak(finding))];
}

function validBy(check: SchemaCheck, set: SchemaSet, value: Json, run: CheckRun): boolean | undefined {
  let isValid: boolean | undefined = true;
  for (const schema of set) {
    const holds = check.isValidBy(schema, value, run);
    if (holds === false) return false;
    if (holds === undefined) isValid = undefined;
  }
  return isValid;
}

function distinct(found: readonly Difference[]): readonly Difference[] {
  const keyOf = ({ path, keyword, reader }: Difference) => canonicalText([pointerOf(path), keyword, reader]);
  const byKey = new Map<string, Difference>();
  for (const one of found) {
    const former = byKey.get(keyOf(one));
    byKey.set(keyOf(one), former === undefined ? one : { ...former, tries: () => [...former.tries(), ...one.tries()] });
  }
  return [...byKey.values()];
}

/** What to do about a difference, by who would have to give way: going backward the new schema asks too much, going forward it allows too much. */
const CURES: Readonly<Record<string, readonly [backward: string, forward: string]>> = {
  required: ['leave it optional', 'keep it required as long as somebody reads with the former version'],
  dependentRequired: ['leave it optional', 'keep it required beside the other'],
  type: ['go on taking the former types too', 'allow no further types'],
  enum: ['keep the former values', 'add no values as long as somebody reads with the former version'],
  minimum: ['keep the former bound', 'keep the former bound'],
  maximum: ['keep the former bound', 'keep the former bound'],
  minLength: ['keep the former bound', 'keep the former bound'],
  maxLength: ['keep the former bound', 'keep the former bound'],
  minItems: ['keep the former bound', 'keep the former bound'],
  maxItems: ['keep the former bound', 'keep the former bound'],
  minProperties: ['keep the former bound', 'keep the former bound'],
  maxProperties: ['keep the former bound', 'keep the former bound'],
  pattern: ['keep the former pattern, or leave it out', 'keep the former pattern'],
};
const OTHER_CURE = ['take whatever was taken before', 'allow no more than before'] as const;

function cureOf({ keyword }: Difference, direction: Direction): string {
  const [backward, forward] = CURES[keyword] ?? OTHER_CURE;
  return direction === 'backward' ? backward : forward;
}
