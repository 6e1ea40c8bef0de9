// The digest by which a retry is told from another push under the same message id.

import { createHash } from 'node:crypto';
import { ENVELOPE_RULES, type FieldRules, isSet, type SystemInfo, type Trigger } from './envelope.js';
import type { EventDraft } from './event.js';

/** First byte of every digest: the way it was made. Digests of former ways stay comparable. */
const VERSION = 2;
/** The first way: all that the client had set counted, also what a retry may have in another form. */
const FIRST_VERSION = 1;

const isPlaced = ({ digest }: FieldRules) => digest === 'by place';
const wasPlaced = ({ digest }: FieldRules) => typeof digest === 'object' && digest.formerly === 'by place';
const OWN_VALUES = ENVELOPE_RULES.filter(([, rules]) => rules.kept !== 'rest' && isPlaced(rules)).map(
  ([, { of }]) => of,
);
const IN_REST = ENVELOPE_RULES.filter(([, { kept }]) => kept === 'rest');
const REST_VALUES = IN_REST.filter(([, rules]) => isPlaced(rules)).map(restValue);
const FIRST_REST_VALUES = IN_REST.filter(([, rules]) => isPlaced(rules) || wasPlaced(rules)).map(firstRestValue);
const NAMED = ENVELOPE_RULES.filter(([, { digest }]) => digest === 'by name');

/**
 * What was pushed, in 17 bytes: a version and 128 bits of SHA-256. Maps count with sorted keys, a JSON value by its text
 * (whose keys are sorted where it is made from a value), `data` byte by byte. What a client may have in another form when it
 * tries again does not count: the message id's case, expected_sequence and deadlines, the trace, the time and zone of its own
 * system, whether the default content type is named, and messages without a member.
 */
export function contentDigest(draft: EventDraft): Buffer {
  const contentType = draft.payload?.contentType;
  const rest = listOf(REST_VALUES, draft);
  return digestOf(VERSION, draft, [rest, contentType === 'application/json' ? '' : (contentType ?? null)]);
}

/** Whether a stored digest, of whatever version, is that of the draft, whose digest of today is given. */
export function isSameContent(draft: EventDraft, digest: Uint8Array, stored: Uint8Array): boolean {
  const comparable = stored[0] === FIRST_VERSION && digest[0] === VERSION ? firstDigest(draft) : digest;
  return Buffer.compare(comparable, stored) === 0;
}

function firstDigest(draft: EventDraft): Buffer {
  const rest = draft.rest === undefined ? null : listOf(FIRST_REST_VALUES, draft);
  return digestOf(FIRST_VERSION, draft, [rest, draft.payload?.contentType ?? null]);
}

function digestOf(version: number, draft: EventDraft, more: readonly unknown[]): Buffer {
  const { payload, description } = draft;
  const content = [...listOf(OWN_VALUES, draft), ...more];
  for (const [field, { of }] of NAMED) {
    const value = of(draft);
    if (isSet(value)) content.push([field, value]);
  }
  const hashing = createHash('sha256').update(JSON.stringify(content));
  if (payload !== undefined) hashing.update(payload.bytes);
  // Neither JSON nor what follows an envelope has a NUL; other payloads are told apart by their length.
  if (description !== undefined) hashing.update(`\u0000${payload?.bytes.byteLength ?? ''}\u0000${description.text}`);
  const hash = hashing.digest();
  hash[0] = version;
  return hash.subarray(0, 17);
}

// Lists that are mapped have room for gaps, and take twice as long to become JSON.
function listOf(values: readonly FieldRules['of'][], draft: EventDraft): unknown[] {
  const content: unknown[] = [];
  for (const of of values) content.push(of(draft));
  return content;
}

/** A member of the rest as it counts. */
function restValue([field, { of }]: readonly [string, FieldRules]): FieldRules['of'] {
  switch (field) {
    case 'properties':
      return ({ rest }) => sortedPairs(rest?.properties);
    case 'system':
      return ({ rest }) => systemContent(rest?.system);
    case 'trigger':
      return ({ rest }) => triggerContent(rest?.trigger);
    default:
      return (envelope) => of(envelope) ?? null;
  }
}

/** A member of the rest as it counted at first, set or not. */
function firstRestValue([field, { of, problem }]: readonly [string, FieldRules]): FieldRules['of'] {
  if (field === 'properties') return ({ rest }) => sortedPairs(rest?.properties);
  const unset = problem === undefined ? null : '';
  return (envelope) => of(envelope) ?? unset;
}

function systemContent(system: SystemInfo | undefined): unknown {
  return system === undefined || (system.id === '' && system.name === '') ? null : [system.id, system.name];
}

function triggerContent(trigger: Trigger | undefined): unknown {
  return trigger === undefined || (trigger.type === '' && trigger.name === '') ? null : [trigger.type, trigger.name];
}

function sortedPairs(map: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
