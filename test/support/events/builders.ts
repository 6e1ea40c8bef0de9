// Short ways to write what tests push.

import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { NewEvent as NewEventMessage } from '../../../generated/madeleine/v1/event.js';

/** An event of topic `orders` issued by `shop`, with a small JSON payload, changed as told. */
export function newEvent(changes: Partial<NewEvent> = {}): NewEvent {
  return NewEventMessage.fromPartial({
    topic: 'orders',
    issuer: 'shop',
    payload: { body: { $case: 'json', value: { total: 12.5 } } },
    ...changes,
  } as NewEvent);
}

/** A payload of bytes. */
export function bytesPayload(text: string, contentType = ''): NewEvent['payload'] {
  return { contentType, body: { $case: 'data', value: Buffer.from(text) } };
}

/** A payload of JSON as a value. */
export function jsonPayload(value: unknown): NewEvent['payload'] {
  return { contentType: '', body: { $case: 'json', value } };
}
