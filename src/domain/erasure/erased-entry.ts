// What is left of an entry whose content is erased: which event it is, where and when it was, who pushed it and for whom, so that the
// order, the streams and the idempotency of the log stay what they were. Everything else is gone.

import { createHash } from 'node:crypto';
import type { Micros } from '../../units.js';
import { BLANK_ENVELOPE, type EnvelopeMembers, type EnvelopeRest } from '../events/envelope.js';
import type { LogEntry, Payload } from '../events/event.js';
import { NO_ENCODINGS } from '../events/event-views.js';

/** Members of the rest that say nothing of what the event is about. */
const KEPT_REST = [
  ...['causedBy', 'createdBy', 'awaitedBy', 'awaitedAt', 'satisfiedIds', 'expiresAt', 'endedById'],
  ...['occurredAt', 'invalidatedAt', 'payloadSha256'],
] as readonly (keyof EnvelopeRest)[];
/** Members of the envelope that stay. */
const KEPT = [
  ...['context', 'topic', 'version', 'stream', 'issuer', 'sessionId', 'correlationId', 'to', 'replyTo', 'subject'],
] as readonly (keyof EnvelopeMembers)[];

/** The SHA-256 of the payload's bytes in hex. */
export function payloadSha256({ bytes }: Payload): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The entry without its content, marked as erased since then. One that is erased already stays as it is. */
export function erasedEntry(entry: LogEntry, erasedAt: Micros): LogEntry {
  if (entry.rest?.erasedAt !== undefined) return entry;
  const { position, kind, eventId, sequence, messageId, messageIdBytes, createdAt } = entry;
  return {
    ...BLANK_ENVELOPE,
    ...Object.fromEntries(KEPT.map((field) => [field, entry[field]])),
    ...{ position, kind, eventId, sequence, messageId, createdAt, payload: undefined },
    ...(messageIdBytes === undefined ? {} : { messageIdBytes }),
    rest: { ...keptRest(entry), erasedAt },
    ...NO_ENCODINGS,
  };
}

function keptRest({ rest = {}, payload }: LogEntry): EnvelopeRest {
  const kept = KEPT_REST.filter((member) => rest[member] !== undefined).map((member) => [member, rest[member]]);
  return { ...Object.fromEntries(kept), ...(payload === undefined ? {} : { payloadSha256: payloadSha256(payload) }) };
}

/** The entry as answers about single events show it: with the hash of its payload. */
export function withPayloadSha256(entry: LogEntry): LogEntry {
  const { payload } = entry;
  if (payload === undefined) return entry;
  const rest = { ...entry.rest, payloadSha256: payloadSha256(payload) };
  return { ...entry, messageId: entry.messageId, rest, ...NO_ENCODINGS };
}
