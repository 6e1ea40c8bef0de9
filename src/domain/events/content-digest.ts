// The digest by which a retry is told from another push under the same message id.

import { createHash } from 'node:crypto';
import { ENVELOPE_RULES, type FieldRules, isSet } from './envelope.js';
import type { EventDraft } from './event.js';

/** First byte of every digest: the way it was made. Old digests stay comparable when the way changes. */
const VERSION = 1;

const PLACED = ENVELOPE_RULES.filter(([, { digest }]) => digest === 'by place');
const OWN_VALUES = PLACED.filter(([, { kept }]) => kept !== 'rest').map(([, { of }]) => of);
const REST_VALUES = PLACED.filter(([, { kept }]) => kept === 'rest').map(restValue);
const NAMED = ENVELOPE_RULES.filter(([, { digest }]) => digest === 'by name');

/**
 * What was pushed, in 17 bytes: a version and 128 bits of SHA-256. Maps count with sorted keys, a JSON value by its text
 * (whose keys are sorted where it is made from a value). The message id, expected_sequence and deadlines do not count.
 */
export function contentDigest(draft: EventDraft): Buffer {
  const { payload, description } = draft;
  const hashing = createHash('sha256').update(JSON.stringify(envelopeContent(draft)));
  if (payload !== undefined) hashing.update(payload.bytes);
  // Neither JSON nor what follows an envelope has a NUL; other payloads are told apart by their length.
  if (description !== undefined) hashing.update(`\u0000${payload?.bytes.byteLength ?? ''}\u0000${description.text}`);
  const hash = hashing.digest();
  hash[0] = VERSION;
  return hash.subarray(0, 17);
}

// Lists that are mapped have room for gaps, and take twice as long to become JSON.
function envelopeContent(draft: EventDraft): unknown[] {
  const content: unknown[] = [];
  for (const of of OWN_VALUES) content.push(of(draft));
  content.push(draft.rest === undefined ? null : restContent(draft), draft.payload?.contentType ?? null);
  for (const [field, { of }] of NAMED) {
    const value = of(draft);
    if (isSet(value)) content.push([field, value]);
  }
  return content;
}

function restContent(draft: EventDraft): unknown[] {
  const content: unknown[] = [];
  for (const of of REST_VALUES) content.push(of(draft));
  return content;
}

/** A member of the rest as it counts, set or not. */
function restValue([field, { of, problem }]: readonly [string, FieldRules]): FieldRules['of'] {
  if (field === 'properties') return ({ rest }) => sortedPairs(rest?.properties);
  const unset = problem === undefined ? null : '';
  return (envelope) => of(envelope) ?? unset;
}

function sortedPairs(map: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
