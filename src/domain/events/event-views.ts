// Entries as they are shown where they are not shown as they are stored.

import type { EventId, Micros } from '../../units.js';
import { EMPTY_ENVELOPE, type EnvelopeRest } from './envelope.js';
import { EntryKind, type EventDraft, type LogEntry } from './event.js';

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

/**
 * An event that is not stored any more, as a repeated push of it tells what it was. Of one that was pushed without a payload it is not
 * known how it ended: it is shown as one that occurred.
 */
export function goneView(
  draft: EventDraft,
  {
    eventId,
    createdAt,
    messageId,
  }: { readonly eventId: EventId; readonly createdAt: Micros; readonly messageId: string },
): LogEntry {
  const { description, ...envelope } = draft;
  const rest = description === undefined ? draft.rest : { ...draft.rest, description: description.text };
  return { ...envelope, rest, position: 0, kind: EntryKind.OCCURRED, eventId, messageId, sequence: 0, createdAt };
}

/** An entry with nothing but what says which it is and when it was: for answers that have become too long for more. */
export function bareView(entry: LogEntry): LogEntry {
  const { position, kind, eventId, sequence, createdAt, context, topic, version, stream, issuer, messageId } = entry;
  const rest = bareRest(entry.rest);
  return {
    ...EMPTY_ENVELOPE,
    ...{ position, kind, eventId, sequence, createdAt, context, topic, version, stream, issuer, messageId, rest },
    payload: undefined,
  };
}

function bareRest({ expiresAt, endedById, occurredAt, invalidatedAt }: EnvelopeRest = {}): EnvelopeRest {
  return {
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(endedById === undefined ? {} : { endedById }),
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(invalidatedAt === undefined ? {} : { invalidatedAt }),
  };
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
