// What is awaited: an event that somebody described and that has not happened. Its record stays after its end, so that any
// id that was ever given out resolves to what became of it.

import type { EventId, Micros, Position } from '../../units.js';
import { bug } from '../errors.js';
import type { Envelope } from '../events/envelope.js';
import { EntryKind, type LogEntry } from '../events/event.js';
import { NO_ENCODINGS } from '../events/event-views.js';

/** How long an event is awaited unless its push says otherwise. */
export const DEFAULT_WAIT_MICROS = 30 * 86_400 * 1_000_000;
/** The longest wait. */
export const MAX_WAIT_MICROS = 365 * 86_400 * 1_000_000;
/** How far back a description looks for what has occurred already, unless its push says otherwise. */
export const DEFAULT_LOOKBACK_MICROS = 30 * 86_400 * 1_000_000;

/** An event that was ever awaited. */
export interface Wait {
  readonly eventId: EventId;
  /** AWAITED, or how it ended; moves once, and from OCCURRED to INVALIDATED. */
  readonly state: EntryKind;
  /** What its push said: the issuer is who awaits it. */
  readonly envelope: Envelope;
  readonly messageId: string;
  /** The stored text of the description. */
  readonly description: string;
  readonly shapeId: number;
  readonly hash: Uint8Array;
  readonly createdAt: Micros;
  readonly expiresAt: Micros;
  /** The event that ended a satisfied wait, by its own or another id. */
  readonly endedById: EventId | undefined;
  /** The entry that ended it; 0 while awaited. */
  readonly position: Position;
}

/** What an event was awaited by, and by whom, since and until when. */
export interface AwaitTerms {
  /** The stored text of the description. */
  readonly description: string;
  readonly expiresAt: Micros;
  readonly awaitedBy: string;
  readonly awaitedAt: Micros;
}

/** What became of an event, by an id that may be one of several that its entry ended. */
export interface EventOutcome {
  /** The id that was asked for. */
  readonly eventId: EventId;
  readonly state: EntryKind;
  /** The id of its entry; the same unless another wait with a lower id was ended with it. */
  readonly entryEventId: EventId;
  /** The entry that says what it is now; 0 while awaited. */
  readonly position: Position;
  /** When the wait ends; undefined for what was never awaited. */
  readonly expiresAt: Micros | undefined;
  readonly context: string;
  readonly topic: string;
}

/** What became of an event that was awaited at some time. */
export function outcomeOf(wait: Wait): EventOutcome {
  const { eventId, state, position, expiresAt } = wait;
  const { context, topic } = wait.envelope;
  return { eventId, state, entryEventId: wait.endedById ?? eventId, position, expiresAt, context, topic };
}

/** What became of an event that occurred without being awaited. */
export function outcomeOfEntries(eventId: EventId, entries: readonly LogEntry[]): EventOutcome {
  const last = entries.find(({ kind }) => kind !== EntryKind.OCCURRED) ?? entries[0];
  if (last === undefined) throw bug('an event without an entry');
  const { kind: state, position, context, topic } = last;
  return { eventId, state, entryEventId: last.eventId, position, expiresAt: undefined, context, topic };
}

/** Who awaited the event, and since when: what the entry that ends the wait keeps of it. */
export function askerOf({ envelope, createdAt }: Wait): { readonly awaitedBy: string; readonly awaitedAt: Micros } {
  return { awaitedBy: envelope.issuer, awaitedAt: createdAt };
}

/** The awaited event as readers are shown it. */
export function awaitedView(wait: Wait): LogEntry {
  const { envelope, description, expiresAt } = wait;
  return {
    ...envelope,
    position: 0,
    kind: EntryKind.AWAITED,
    eventId: wait.eventId,
    sequence: 0,
    messageId: wait.messageId,
    createdAt: wait.createdAt,
    rest: { ...envelope.rest, description, expiresAt },
    payload: undefined,
  };
}

/** The entry that ended the wait, as it is shown to who asks for the wait's own id: the others that it ended are the rest. */
export function satisfiedView(wait: Wait, entry: LogEntry): LogEntry {
  const { eventId, description } = wait;
  const satisfiedIds = entry.rest?.satisfiedIds?.filter((id) => id !== eventId);
  // Entries of before do not say who awaited their event, and stay as they are.
  const asker = entry.rest?.awaitedAt === undefined ? {} : askerOf(wait);
  const described = description === '' ? {} : { description };
  const own = { ...(satisfiedIds && { satisfiedIds }), ...asker, ...described, endedById: entry.eventId };
  return {
    ...entry,
    messageId: entry.messageId,
    eventId,
    rest: { ...entry.rest, ...own },
    ...NO_ENCODINGS,
  };
}

/** The entry that ended a wait, as those are told who waited: it may be about several waits, or about none in its own words. */
export function toldView(entry: LogEntry, terms: AwaitTerms): LogEntry {
  return { ...entry, messageId: entry.messageId, rest: { ...entry.rest, ...terms }, ...NO_ENCODINGS };
}
