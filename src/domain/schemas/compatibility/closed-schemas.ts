// What a schema says with all that it refers to: whether two say the same, and as one short text.

import { createHash } from 'node:crypto';
import { partsOf, type Schema } from '../schema.js';

/** References as they are written, with where they lead. */
type References = ReadonlyMap<string, Schema>;

const references = new WeakMap<Schema, References>();

/** The references in the schema, and in those within it. */
function referencesOf(schema: Schema): References {
  const known = references.get(schema);
  if (known !== undefined) return known;
  const found = new Map<string, Schema>();
  const seen = new Set([schema]);
  for (const one of seen) {
    const { ref } = one.keywords;
    if (ref !== undefined) found.set(`${ref.text} ${ref.target.pointer}`, ref.target);
    for (const part of partsOf(one)) if (part !== ref?.target) seen.add(part);
  }
  references.set(schema, found);
  return found;
}

/** Pairs that were found to say the same. */
const same = new WeakMap<Schema, Schema>();

/** Whether the two are written alike, with all that they refer to. */
export function saysTheSame(one: Schema, other: Schema): boolean {
  if (one === other || same.get(one) === other) return true;
  const pairs = new Map([[one, other]]);
  for (const [a, b] of pairs) {
    if (a.text !== b.text) return false;
    const targets = referencesOf(b);
    if (referencesOf(a).size !== targets.size) return false;
    for (const [text, target] of referencesOf(a)) {
      const counterpart = targets.get(text);
      if (counterpart === undefined) return false;
      pairs.set(target, counterpart);
    }
  }
  for (const [a, b] of pairs) same.set(a, b);
  return true;
}

const closedTexts = new WeakMap<Schema, string>();

/** One short text of what the schema says: schemas that all lead to one another would keep the whole document each. */
export function closedText(schema: Schema): string {
  const known = closedTexts.get(schema);
  if (known !== undefined) return known;
  const referred = new Map<string, Schema>();
  const seen = new Set([schema]);
  for (const one of seen) {
    for (const [text, target] of referencesOf(one)) {
      referred.set(text, target);
      seen.add(target);
    }
  }
  const digest = createHash('sha256').update(schema.text);
  for (const text of [...referred.keys()].sort()) digest.update(`\n${text} ${referred.get(text)?.text}`);
  const text = digest.digest('base64');
  closedTexts.set(schema, text);
  return text;
}
