// What an entry costs: on its way to somebody, and in memory. All of it counts, not its payload alone: an envelope may be longer,
// and a Value takes up to six times the bytes of its JSON text.

import type { Envelope, EnvelopeRest } from './envelope.js';
import type { LogEntry } from './event.js';

/** An entry besides its payload and long texts: encoded, and as objects. */
const ENCODED_BYTES = 256;
const OBJECT_BYTES = 1_024;
/** A member of a record besides its texts: two strings and a place in a table. */
const MEMBER_BYTES = 96;
/** An id in a list. */
const ID_BYTES = 8;

/** Bytes of an entry where credit, frames and pages are bounded, about. */
export function entryBytes(entry: LogEntry): number {
  const bytes = ENCODED_BYTES + (entry.payload?.bytes.byteLength ?? 0);
  return entry.rest === undefined ? bytes : bytes + knownRestBytes(entry);
}

/** Bytes that an entry holds in memory, at most: a character may take two. */
export function entryMemory(entry: LogEntry): number {
  const { encodedJson, encodedBytes } = entry;
  const encodings = (encodedJson?.byteLength ?? 0) + (encodedBytes?.byteLength ?? 0);
  const rest = entry.rest === undefined ? 0 : 2 * knownRestBytes(entry);
  return OBJECT_BYTES + (entry.payload?.bytes.byteLength ?? 0) + encodings + rest + 2 * namesLength(entry);
}

/** Counted once an entry: every consumer asks for it. */
function knownRestBytes(entry: LogEntry): number {
  entry.restBytes ??= restBytes(entry.rest ?? {});
  return entry.restBytes;
}

function restBytes({ properties, system, trigger, satisfiedIds, ...texts }: EnvelopeRest): number {
  let bytes = ID_BYTES * (satisfiedIds?.length ?? 0);
  for (const part of [properties, system, trigger, texts]) {
    for (const [name, value] of Object.entries(part ?? {})) {
      bytes += MEMBER_BYTES + name.length + (typeof value === 'string' ? Buffer.byteLength(value) : 0);
    }
  }
  return bytes;
}

/** Characters of an envelope's names. Written out: it runs for every event. */
export function namesLength(of: Envelope): number {
  const { context, topic, stream, issuer, sessionId, correlationId, to, replyTo, tag, entityType, organization, unit } =
    of;
  const named = context.length + topic.length + stream.length + issuer.length + to.length + replyTo.length;
  return (
    named + sessionId.length + correlationId.length + tag.length + entityType.length + organization.length + unit.length
  );
}
