// Entries for archives: one in which every field is set, and small ones.

import { EMPTY_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import { Subject } from '../../../src/domain/events/subject.js';

export const AT = 1_795_000_000_123_456;

export const FULL_ENTRY: LogEntry = {
  ...{ position: 4_711, kind: EntryKind.OCCURRED, eventId: 9_007_199_254_740_991, sequence: 3, createdAt: AT },
  ...{ context: 'default', topic: 'a "topic"\\ ü', version: 2, stream: 's', issuer: 'shop', subject: Subject.CREATED },
  ...{ messageId: '0190a000-0000-7000-8000-000000000001', sessionId: 'session', correlationId: 'correlation' },
  ...{ to: 'to', replyTo: 'reply', tag: 'tag', entityType: 'type', organization: 'organization', unit: 'unit' },
  payload: { contentType: 'application/json', bytes: Buffer.from('{"n": 12345678901234567890, "payload":{"a":1}}') },
  rest: {
    properties: { b: 'x,"payload":{', a: '\n' },
    system: { id: 'id', name: 'name', time: AT - 1, timezone: 'Europe/Berlin' },
    trigger: { type: 'manual', name: 'anna' },
    ...{
      traceparent: 'parent',
      tracestate: 'state',
      causedBy: 'cause',
      dataSubject: 'person-17',
      createdBy: 'principal',
    },
    ...{ description: '{"a":{"payload":{}},"n":1.5}', awaitedBy: 'asker', awaitedAt: AT - 2 },
    ...{ satisfiedIds: [5, 6], expiresAt: AT + 1, endedById: 7 },
  },
};

/** An entry with little in it. */
export function smallEntry(changes: Partial<LogEntry> = {}): LogEntry {
  return {
    ...EMPTY_ENVELOPE,
    ...{ position: 1, kind: EntryKind.OCCURRED, eventId: 1, sequence: 0, createdAt: AT, messageId: '' },
    ...{ context: 'default', topic: 'orders', issuer: 'shop' },
    payload: { contentType: '', bytes: Buffer.from('{"total":1}') },
    ...changes,
  };
}

/** So many small entries from a position on. */
export function entriesFrom(first: number, count: number): LogEntry[] {
  return Array.from({ length: count }, (_, n) => {
    const payload = { contentType: '', bytes: Buffer.from(`{"total":${first + n}}`) };
    return smallEntry({ position: first + n, eventId: first + n, createdAt: AT + first + n, payload });
  });
}
