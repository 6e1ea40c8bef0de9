// Erasures: what somebody asked to be erased, and which entries of the log that covers. Nothing here holds the name of a subject, only
// its digest: it must not come back through what tells of its erasure.

import { createHash } from 'node:crypto';
import type { EventId, Micros, Position } from '../../units.js';
import { EntryKind, type LogEntry } from '../events/event.js';
import { ALL_CONTEXTS, isReservedTopic } from '../names.js';

/** All events about a subject, in a context or in `all`; or all events of a stream. */
export type ErasureTarget =
  | { readonly kind: 'subject'; readonly context: string; readonly digest: string }
  | { readonly kind: 'stream'; readonly context: string; readonly stream: string };

/** An erasure that was decided. It covers what was there by then, and nothing that came later. */
export interface Erasure {
  readonly target: ErasureTarget;
  /** The position of its entry of the audit, by which it is known: what lies before is covered. */
  readonly position: Position;
  readonly decidedAt: Micros;
}

/** An erasure as a group stores it. */
export interface BegunErasure extends Erasure {
  /** What is awaited under a lower id is covered. */
  readonly beforeEventId: EventId;
}

/** The digest of a subject: SHA-256, in hex. */
export function subjectDigest(subject: string): string {
  return createHash('sha256').update(subject).digest('hex');
}

/** Bytes of a subject's digest that its events are found by. */
export const SUBJECT_KEY_BYTES = 16;

/** What the events about a subject are found by: the first bytes of its digest. */
export function subjectKey(digest: string): Buffer {
  return Buffer.from(digest.slice(0, 2 * SUBJECT_KEY_BYTES), 'hex');
}

/** The event of an entry, as far as it tells whether an erasure covers it. */
export type CoveredEntry = Pick<LogEntry, 'kind' | 'context' | 'topic' | 'stream' | 'createdAt' | 'rest'>;

/** Whether erasures concern the entry at all: what the server says itself has no content of anybody. */
export function isErasable({ kind, topic }: Pick<LogEntry, 'kind' | 'topic'>): boolean {
  return kind !== EntryKind.TRANSFERRED && !isReservedTopic(topic);
}

/** When the event began: what says later that it was withdrawn or has expired is as old as itself. */
export function bornAt({ kind, createdAt, rest }: CoveredEntry): Micros {
  if (kind === EntryKind.OCCURRED || kind === EntryKind.AWAITED) return createdAt;
  return rest?.occurredAt ?? rest?.awaitedAt ?? createdAt;
}

/** Whether a context is one that the target is in. */
export function isWithin({ context }: ErasureTarget, of: string): boolean {
  return context === ALL_CONTEXTS || context === of;
}
