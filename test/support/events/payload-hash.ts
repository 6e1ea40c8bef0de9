// What only GetEvent tells of an event besides: the hash of its payload as it is stored.

import { createHash } from 'node:crypto';
import type { Event } from '../../../generated/madeleine/v1/event.js';

/** An event as GetEvent answers it; JSON payloads are those that JSON.stringify writes as the server does. */
export function withPayloadHash(event: Event): Event {
  const { body } = event.payload ?? {};
  const stored = body?.$case === 'json' ? JSON.stringify(body.value) : (body?.value ?? '');
  return { ...event, payloadSha256: createHash('sha256').update(stored).digest() };
}
