// Which members of an object its schemas speak of, wherever they do: what none of them names counts as not written, unless somebody is
// strict.

import { inPlace, type Schema } from '../schema.js';
import type { SchemaSet } from './alternative.js';

export interface SpokenOf {
  readonly names: ReadonlySet<string>;
  /** Whether they also speak of names by patterns, or of all others. */
  readonly ofOthers: boolean;
}

export function spokenOf(set: SchemaSet): SpokenOf {
  const all = new Set(set);
  for (const schema of all) for (const part of inPlace(schema)) all.add(part);
  const schemas = [...all];
  return { names: new Set(schemas.flatMap(namesIn)), ofOthers: schemas.some(speaksOfOthers) };
}

function namesIn({ keywords: k }: Schema): readonly string[] {
  const dependent = [...(k.dependentRequired ?? [])].flatMap(([name, others]) => [name, ...others]);
  return [...(k.properties?.keys() ?? []), ...(k.required ?? []), ...(k.dependentSchemas?.keys() ?? []), ...dependent];
}

function speaksOfOthers({ keywords: k }: Schema): boolean {
  const rest = [k.additionalProperties, k.unevaluatedProperties].filter((one) => one !== undefined);
  return (k.patternProperties ?? []).length > 0 || rest.some(hasKeywords);
}

function hasKeywords({ verdict, keywords }: Schema): boolean {
  return verdict === undefined && Object.keys(keywords).length > 0;
}
