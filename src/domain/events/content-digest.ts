// The digest by which a retry is told from another push under the same message id.

import { createHash } from 'node:crypto';
import type { EventDraft } from './event.js';

/** First byte of every digest: the way it was made. Old digests stay comparable when the way changes. */
const VERSION = 1;

/**
 * What was pushed, in 17 bytes: a version and 128 bits of SHA-256. Maps count with sorted keys, a JSON value by its text
 * (whose keys are sorted where it is made from a value). The message id, expected_sequence and deadlines do not count.
 */
export function contentDigest(draft: EventDraft): Buffer {
  const rest = draft.rest;
  const envelope = JSON.stringify([
    draft.context,
    draft.topic,
    draft.version,
    draft.stream,
    draft.issuer,
    draft.sessionId,
    draft.correlationId,
    draft.to,
    draft.replyTo,
    draft.subject,
    draft.tag,
    draft.entityType,
    draft.organization,
    draft.unit,
    rest === undefined
      ? null
      : [
          sortedPairs(rest.properties),
          rest.system ?? null,
          rest.trigger ?? null,
          rest.traceparent ?? '',
          rest.tracestate ?? '',
        ],
    draft.payload?.contentType ?? null,
  ]);
  const hashing = createHash('sha256').update(envelope);
  if (draft.payload !== undefined) hashing.update(draft.payload.bytes);
  // Neither JSON nor what follows an envelope has a NUL; other payloads are told apart by their length.
  if (draft.description !== undefined) {
    hashing.update(`\u0000${draft.payload?.bytes.byteLength ?? ''}\u0000${draft.description.text}`);
  }
  const hash = hashing.digest();
  hash[0] = VERSION;
  return hash.subarray(0, 17);
}

function sortedPairs(map: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}
