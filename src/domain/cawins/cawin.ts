// A cawin: a callback on one event; which ends of the event it asks for, and what it is about to do. Pure.

import type { EventId, Micros, Millis, Position } from '../../units.js';
import { EntryKind } from '../events/event.js';
import type { CallbackUrl } from './callback-url.js';

/** An end of a wait: what fires. */
export type EndKind = typeof EntryKind.OCCURRED | typeof EntryKind.INVALIDATED | typeof EntryKind.EXPIRED;

export const END_KINDS: readonly EndKind[] = [EntryKind.OCCURRED, EntryKind.INVALIDATED, EntryKind.EXPIRED];

/** Bounds and default of the time for one call, in milliseconds. */
export const CALLBACK_TIMEOUT = { defaultMs: 10_000, minMs: 1_000, maxMs: 60_000 };
/** How long a former secret signs beside its successor. */
export const SECRET_OVERLAP_MICROS = 24 * 3_600 * 1_000_000;
/** A cawin's own deadline lies at most so far ahead. */
export const MAX_CAWIN_MICROS = 365 * 86_400 * 1_000_000;

/** What a cawin is about to do, in the product's words. */
export type CawinState = 'WAITING' | 'FIRING' | 'FIRED' | 'FAILED' | 'INACTIVE' | 'CLOSED';

/** PENDING: an attempt is due, now or later, or under way. HELD: its cawin is inactive. */
export const FiringState = { PENDING: 1, DELIVERED: 2, FAILED: 3, HELD: 4 } as const;
export type FiringState = (typeof FiringState)[keyof typeof FiringState];

/** How a cawin's wait ended, and how far the telling is. */
export interface Firing {
  readonly kind: EndKind;
  /** 0: the cawin's own deadline passed, of which the log has no entry. */
  readonly position: Position;
  readonly state: FiringState;
  /** When the next attempt may start, or the lease of the one under way ends. */
  readonly dueAt: Micros | undefined;
  /** The one under way too. */
  readonly attempts: number;
  readonly createdAt: Micros;
  /** Its endpoint's circuit is open. */
  readonly held: boolean;
  /** What went wrong with the newest attempt that was written down; empty: nothing. */
  readonly lastError: string;
}

/** A cawin as it is shown: neither secrets nor headers' values are in it. */
export interface Cawin {
  readonly id: number;
  readonly eventId: EventId;
  readonly context: string;
  readonly active: boolean;
  /** Its event ended in a way after which nothing that it asks for can come. */
  readonly closed: boolean;
  readonly notifyOn: readonly EndKind[];
  readonly url: string;
  readonly headerNames: readonly string[];
  readonly timeoutMs: Millis;
  readonly signed: boolean;
  readonly formerSecretUntil: Micros | undefined;
  readonly expiresAt: Micros | undefined;
  readonly requestId: string;
  readonly createdAt: Micros;
  readonly firings: readonly Firing[];
}

/** Kinds as one number, a bit each: what is stored. */
export function kindBits(kinds: readonly EndKind[]): number {
  return kinds.reduce((bits, kind) => bits | (1 << kind), 0);
}

export function kindsOf(bits: number): EndKind[] {
  return END_KINDS.filter((kind) => (bits & (1 << kind)) !== 0);
}

/** What may still come after an end: only what occurred can be invalidated. */
export function mayFollow(ended: EndKind): readonly EndKind[] {
  return ended === EntryKind.OCCURRED ? [EntryKind.INVALIDATED] : [];
}

/** Whether a cawin that asks for these kinds, of which some have fired, has nothing to wait for after the event's ends. */
export function isOver(notifyOn: readonly EndKind[], ends: readonly EndKind[]): boolean {
  if (ends.length === 0) return false;
  const open = ends.reduce<readonly EndKind[]>(
    (kinds, end) => kinds.filter((k) => mayFollow(end).includes(k)),
    END_KINDS,
  );
  return !notifyOn.some((kind) => open.includes(kind));
}

/** How a wait ended, as the log or the cawin's own deadline says. */
export interface WaitEnd {
  readonly kind: EndKind;
  /** 0: the cawin's own deadline. */
  readonly position: Position;
  readonly createdAt: Micros;
}

/**
 * The ends of an event that count for a cawin with its own deadline: those of an event that ended in time, or by a deadline of its
 * own; else the passing of the cawin's, after which nothing counts any more. `ends` in the order of the log.
 */
export function endsForDeadline(
  ends: readonly WaitEnd[],
  expiresAt: Micros | undefined,
  now: Micros,
): readonly WaitEnd[] {
  const [first] = ends;
  if (expiresAt === undefined || (first !== undefined && counts(first.kind, first.createdAt, expiresAt))) return ends;
  return expiresAt <= now ? [{ kind: EntryKind.EXPIRED, position: 0, createdAt: expiresAt }] : ends.slice(0, 0);
}

/**
 * Whether an end counts for a cawin: the event first ended before its deadline, or this is what the deadline brings about too. An
 * event that expires has outlived every cawin's deadline, so that whichever is seen first is the one firing of it.
 */
export function counts(kind: EndKind, firstEndAt: Micros, expiresAt: Micros | undefined): boolean {
  return kind === EntryKind.EXPIRED || expiresAt === undefined || firstEndAt < expiresAt;
}

/** See CawinState. The worst of its firings counts. */
export function cawinState(cawin: Pick<Cawin, 'active' | 'closed' | 'firings'>): CawinState {
  const { active, closed, firings } = cawin;
  if (!active) return 'INACTIVE';
  const has = (state: FiringState) => firings.some((firing) => firing.state === state);
  if (has(FiringState.FAILED)) return 'FAILED';
  if (has(FiringState.PENDING) || has(FiringState.HELD)) return 'FIRING';
  if (firings.length > 0) return 'FIRED';
  return closed ? 'CLOSED' : 'WAITING';
}

/** The receiver's key against duplicates: the same in every attempt of a firing. */
export function deliveryIdOf(cawinId: number, kind: EndKind): string {
  return `dlv_${cawinId}_${kind}`;
}

/** What circuits go by, short enough to be a key. */
export function endpointOrigin(url: CallbackUrl): string {
  return url.origin.slice(0, 500);
}
