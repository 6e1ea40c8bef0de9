// Attempts to call back, as the callback runner makes them.

import { EMPTY_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import type { CallbackAttempt } from '../../../src/engine/cawins/callback-sender.js';

/** A secret with every kind of character that base64 has. */
export const SECRET = `whsec_${Buffer.from('a secret \xfb\xff\xfe of thirty-two bytes', 'latin1').toString('base64')}`;

/** An entry of the log, OCCURRED with a small JSON payload unless changed. */
export function logEntry(changes: Partial<LogEntry> = {}): LogEntry {
  return {
    ...EMPTY_ENVELOPE,
    position: 41,
    kind: EntryKind.OCCURRED,
    eventId: 7,
    context: 'default',
    topic: 'payment',
    sequence: 0,
    issuer: 'bank',
    messageId: '0192f0a0-0000-7000-8000-000000000001',
    createdAt: 1_763_735_280_123_456,
    payload: { contentType: '', bytes: Buffer.from('{"order":17,"amount":12.50}') },
    ...changes,
  };
}

/** An attempt for the URL, signed with SECRET, with two seconds of time, changed as told. */
export function callbackAttempt(url: string, changes: Partial<CallbackAttempt> = {}): CallbackAttempt {
  return {
    url,
    headers: {},
    secrets: [SECRET],
    timeoutMs: 2_000,
    deliveryId: 'dlv_5_1',
    attemptNumber: 1,
    event: { entry: logEntry(), cawinId: 5, awaitedId: 7 },
    ...changes,
  };
}
