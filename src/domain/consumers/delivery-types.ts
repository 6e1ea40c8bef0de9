// The values that go into and come out of a DeliveryWindow: settings, stored state, offers, deliveries, answers, failure records.
// Every time in here is one of the clock that never jumps; storage has the failure records' by the wall clock.

import type { Millis, Position } from '../../units.js';
import type { Ordering, RetryBackoff } from './consumer.js';

export interface WindowSettings {
  readonly ordering: Ordering;
  /** How long a delivered event may stay unanswered before it is delivered again: 1,000 to 43,200,000. */
  readonly ackTimeoutMs: Millis;
  /** Deliveries that may fail, or members that may be lost, before an event is parked: 1 to 1,000. */
  readonly maxAttempts: number;
  /** When an event is delivered again that was rejected without a delay. */
  readonly retryBackoff: RetryBackoff;
}

/** Bounds of memory and storage, with their defaults. */
export interface WindowLimits {
  /** Ranges above the offset at which the scan stops running ahead: 10,000. In flight events may still add theirs. */
  readonly maxAckedRanges: number;
  /** Acknowledged events above the offset at which the scan stops running ahead: 100,000. */
  readonly maxAckedAhead: number;
  /** Events in flight and waiting to be delivered again, over all members: 1,000,000. */
  readonly maxOutstanding: number;
  /** Parked events: 100,000. Beyond, what used up its attempts goes on being delivered with back-off. */
  readonly maxParked: number;
}

/**
 * What becomes of an event that failed: RETRY, delivered again; PARKED, set aside; REPLAY, parked and asked for again.
 */
export type FailureState = 'RETRY' | 'PARKED' | 'REPLAY';

/** Why a delivery failed. */
export interface FailureCause {
  /** A short code for programs: `ACK_TIMEOUT`, `MEMBER_LOST`, or what the rejecting member said; empty: none. */
  readonly code: string;
  /** A sentence for people; empty: none. */
  readonly reason: string;
}

/**
 * What is remembered about an event that failed, or whose member asked for more time. Immutable: each change is a new
 * object.
 */
export interface FailureRecord {
  readonly position: Position;
  /** Deliveries that failed: time-outs and rejections. The next delivery is attempt `attempts + 1`. */
  readonly attempts: number;
  /** Members that were lost while this was the oldest event of its stream with them. */
  readonly losses: number;
  /**
   * The time before which it is not delivered again; 0: at once. Of an event in flight: until when its member may work on it, as
   * far as a later owner has to know.
   */
  readonly notBeforeMs: Millis;
  /** The lease of the newest delivery that counts among the attempts; 0: none. A delivery counts once, however often it is rejected. */
  readonly failedLease: number;
  /** The last cause; undefined: as it is stored. */
  readonly cause: FailureCause | undefined;
  /** The time when it was last parked; 0: never. */
  readonly parkedAtMs: Millis;
  readonly state: FailureState;
}

/** What is stored of a consumer's progress; what a new owner builds its window from. */
export interface WindowState {
  /** Number of the consumer in storage: a lease of another one is none of this. */
  readonly consumerId: number;
  /** Rises with every seek and changed filter. */
  readonly generation: number;
  /** The position at or below which everything that matches is done. */
  readonly offset: Position;
  /** What is done above the offset, as `encodeRanges` made it; empty: nothing. */
  readonly acked: Uint8Array;
  readonly failures: readonly FailureRecord[];
  /** The next lease to mint, at least 1. Leases below were minted, or may have been by a former owner. */
  readonly nextLease: number;
  /** Leases below belong to older generations. */
  readonly generationFirstLease: number;
  /** The position after which the generation began: nothing up to there was delivered in it. 0 where that is not known. */
  readonly generationOffset: Position;
  /** Leases below and of this generation were minted by former owners. */
  readonly ownerFirstLease: number;
  /**
   * Leases below this are reserved in storage for this owner, so that a crash cannot lead to a second use of one. With none
   * left nothing is delivered until `reserveLeases`. Left out: no bound.
   */
  readonly leaseLimit?: number;
  /** Whether nothing is to be delivered for the time being. Left out: no. */
  readonly paused?: boolean;
}

/** What has to be written; all values are absolute, so that writing them twice does no harm. */
export interface WindowChanges {
  readonly version: number;
  readonly generation: number;
  readonly offset: Position;
  /** What WindowState.acked is to be. */
  readonly acked: Uint8Array;
  readonly nextLease: number;
  readonly generationFirstLease: number;
  /** Where the generation began; undefined: that is stored. */
  readonly generationOffset: Position | undefined;
  /** Failure records to insert or replace. */
  readonly failures: readonly FailureRecord[];
  /** Positions whose failure record is over: to be deleted. */
  readonly failuresOver: readonly Position[];
}

/** A matching event, as far as the window cares. */
export interface OfferedEvent {
  readonly position: Position;
  /** Key of the stream, unique in the consumer (so with the context where it reads all contexts); null: none. */
  readonly stream: string | null;
  /** What counts against the members' credit in bytes. */
  readonly bytes: number;
}

/** An event that was leased to a member: to be sent. */
export interface Delivery {
  readonly kind: 'delivered';
  readonly position: Position;
  readonly lease: number;
  /** What goes out with the lease, see `leaseCheck`. */
  readonly leaseCheck: number;
  /** The delivery's number: 1 at first, higher after a time-out or a rejection of this event. */
  readonly attempt: number;
  readonly member: string;
  /** The time when it will be delivered again unless answered; undefined while its clock does not run. */
  readonly deadlineMs: Millis | undefined;
  /** Whether it is a parked event, outside of its stream's order. */
  readonly replay: boolean;
}

/**
 * What became of an offer:
 *
 * - `delivered`: leased; go on.
 * - `no-credit`: nothing changed. A scan or redelivery stops here until a member answers, comes or goes.
 * - `held`: it has to wait for its stream; the window remembers enough. A scan goes on; a re-read of the stream stops.
 * - `done`: nothing to deliver here (acknowledged, parked, in flight already, or beyond what was scanned); go on.
 * - `blocked`: nothing changed. The scan ran as far ahead of the offset as it may; `by` is the position that holds it up.
 */
export type OfferResult =
  | Delivery
  | { readonly kind: 'no-credit' }
  | { readonly kind: 'held' }
  | { readonly kind: 'done' }
  | { readonly kind: 'blocked'; readonly by: Position };

export const NO_CREDIT: OfferResult = { kind: 'no-credit' };
export const HELD: OfferResult = { kind: 'held' };
export const DONE: OfferResult = { kind: 'done' };

/** A stream of which events were passed over, and that can be delivered now. */
export interface StreamReread {
  readonly stream: string;
  /** The window's `era` when it was named. */
  readonly era: number;
  /** The position at or after which the stream's matching events are to be read, up to that of the scan. */
  readonly from: Position;
  /** How many of them a member could take at present; at least 1. */
  readonly room: number;
  /** Bytes that the member could take at present; the first event may have more. */
  readonly bytes: number;
}

/** What an answer is answered with. */
export type AckStatus = 'ACCEPTED' | 'ALREADY' | 'STALE' | 'UNKNOWN';

/** An answer to one delivery. */
export interface Answer {
  readonly position: Position;
  /** The lease of the delivery; 0, with the check 0: whatever is current. */
  readonly lease: number;
  /** The check that went out with the lease. */
  readonly leaseCheck: number;
}

/**
 * What a rejection asks for: RETRY, a delivery after a delay, or a back-off where none is named, with a raised attempt;
 * PARK, setting aside; SKIP, no success.
 */
export type Rejection =
  | { readonly action: 'RETRY'; readonly delayMs: Millis | undefined; readonly cause: FailureCause }
  | { readonly action: 'PARK'; readonly cause: FailureCause }
  | { readonly action: 'SKIP'; readonly cause: FailureCause };

/** An event whose clock ran out. */
export interface Expiry {
  readonly position: Position;
  readonly member: string;
  /** The attempt that failed. */
  readonly attempt: number;
  /** Whether it used up its attempts and was parked. */
  readonly parked: boolean;
}

export interface MemberCredit {
  /** Events in flight at most; 0: nothing more for the time being. */
  readonly maxInFlight: number;
  /** Bytes in flight at most. A larger event is delivered alone, to a member with nothing in flight. */
  readonly maxInFlightBytes: number;
}

/** How a member goes. */
export interface Leave {
  /** Its stream broke: not a replacement, not an orderly end. */
  readonly lost: boolean;
  /** The server sent it away: it may go on working, so what it has keeps the time that it asked for. */
  readonly sentAway?: boolean;
}

export interface MemberUse extends MemberCredit {
  readonly name: string;
  readonly inFlight: number;
  readonly inFlightBytes: number;
  /** When it last answered a delivery; undefined: not yet. */
  readonly answeredMs: Millis | undefined;
}

export type WindowActivity = 'PAUSED' | 'IDLE' | 'DELIVERING' | 'WAITING_FOR_ACKS' | 'BLOCKED_BY_RETRY' | 'NO_MEMBER';

/** Why a window does or does not deliver, without words: it is asked for after every round. */
export interface WindowCondition {
  readonly activity: WindowActivity;
  /** The position that holds it up; 0: none. */
  readonly blockedPosition: Position;
  /** When that is tried again; undefined: that hangs on somebody's answer. */
  readonly blockedUntilMs: Millis | undefined;
}

export interface WindowStats {
  /** Events delivered and not answered, replays included. */
  readonly inFlight: number;
  /** Events that were delivered and wait to be delivered again, replays included. */
  readonly waiting: number;
  /** Streams of which events were passed over by the scan. */
  readonly heldStreams: number;
  readonly parked: number;
  /** Acknowledged events above the offset. */
  readonly ackedAhead: number;
  /** The oldest delivered event that is not done, or 0. */
  readonly oldestUnacknowledged: Position;
}
