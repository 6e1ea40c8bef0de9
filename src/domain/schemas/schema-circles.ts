// Schemas that lead to themselves without going into the value: no value can be held against such a one.

import { inPlace, partsOf, type Schema } from './schema.js';
import type { SchemaProblems } from './schema-problems.js';

/** Tells of a schema that is held against a value in order to hold itself against the same value. */
export function findCircle(root: Schema, problems: SchemaProblems): void {
  const done = new Set<Schema>();
  const open = new Set<Schema>();
  const isCircle = (schema: Schema): boolean => {
    if (done.has(schema)) return false;
    if (open.has(schema)) return true;
    open.add(schema);
    const circular = inPlace(schema).some(isCircle);
    open.delete(schema);
    done.add(schema);
    return circular;
  };
  for (const schema of allOf(root)) {
    if (!isCircle(schema)) continue;
    problems.add(schema.pointer, 'leads to itself without going into the value');
    return;
  }
}

/** The schema and all that it is made of, each once. */
export function allOf(root: Schema): ReadonlySet<Schema> {
  const all = new Set([root]);
  for (const schema of all) for (const part of partsOf(schema)) all.add(part);
  return all;
}
