// Entries as they are shown where they are not shown as they are stored.

import { EntryKind, type LogEntry } from './event.js';

/** A view is another message than its entry: the entry's encodings are not its own. */
export const NO_ENCODINGS = {
  keeper: undefined,
  restBytes: undefined,
  encodedJson: undefined,
  encodedBytes: undefined,
} as const;

/** An entry without its payload: for answers that have become too long for it. */
export function withoutPayload(entry: LogEntry): LogEntry {
  return { ...entry, messageId: entry.messageId, payload: undefined, ...NO_ENCODINGS };
}

/** An occurred event that was invalidated later, as it is now. */
export function invalidatedView(occurred: LogEntry, invalidation: LogEntry): LogEntry {
  const reason = invalidation.rest?.reason;
  return {
    ...occurred,
    messageId: occurred.messageId,
    kind: EntryKind.INVALIDATED,
    rest: {
      ...occurred.rest,
      ...(reason === undefined ? {} : { reason }),
      occurredAt: occurred.createdAt,
      invalidatedAt: invalidation.createdAt,
    },
    ...NO_ENCODINGS,
  };
}
