// The port of retention: what has to go, what has gone, and the deletion itself, by one instance at a time. `storage/mysql` implements it
// and points back here.
//
// A batch is deleted in one transaction that names the owner's epoch, with everything that goes with its entries: after a crash at any
// statement either all of it is there, or nothing. Times are microseconds by the database's clock. Every method rejects with
// MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { ConsumerKey, ConsumerSettings } from '../../domain/consumers/consumer.js';
import type { EntryKind } from '../../domain/events/event.js';
import type { LeaptSpan } from '../../domain/retention/log-time.js';
import type { RetentionPolicy } from '../../domain/retention/retention-policy.js';
import type { StreamCount } from '../../domain/retention/stream-limits.js';
import type { EventId, Micros, Position } from '../../units.js';
import type { ArchiveMark } from './archive-storage.js';
import type { EndedRuns } from './log-storage.js';

/** How long an instance deletes without renewing, by the database's clock. */
export const RETENTION_LEASE_MS = 15_000;
/** Entries that go in one transaction, at most. */
export const MAX_DELETED = 500;

/** An instance's hold on the deletion. */
export interface RetentionHold {
  readonly owner: string;
  readonly epoch: number;
}

/** What is known of the database's clock, and what follows from it. */
export interface RetentionClock {
  /** What it shows. */
  readonly now: Micros;
  /** When it was looked at before; 0: never. */
  readonly sampledAt: Micros;
  /** Since when nothing is deleted, as the clock leapt; undefined: it did not, or deletion was resumed. */
  readonly stopped: { readonly at: Micros; readonly leaptBy: Micros } | undefined;
  /** The time until which nothing is deleted, as nobody had for long; 0: it is not waited. */
  readonly waitsUntil: Micros;
  readonly leapt: readonly LeaptSpan[];
}

/** What changes of it; undefined: that stays. */
export interface ClockChange {
  readonly sampledAt: Micros;
  readonly stopped?: { readonly at: Micros; readonly leaptBy: Micros } | undefined;
  readonly waitsUntil?: Micros | undefined;
  readonly leapt?: readonly LeaptSpan[] | undefined;
}

/** A topic that does not keep everything. */
export interface RetentionTopic {
  readonly topicId: number;
  readonly context: string;
  readonly name: string;
  readonly policy: RetentionPolicy;
}

/** How far retention is with a topic. */
export interface TopicPlace {
  /** Everything of the topic up to here is gone, or kept alone. */
  readonly lookedTo: Position;
  readonly goneEvents: number;
  readonly goneBytes: number;
  /** When something went last; 0: never. */
  readonly goneAt: Micros;
}

/** An entry that is due. */
export interface DueEntry {
  readonly position: Position;
  readonly kind: EntryKind;
  readonly eventId: EventId;
  readonly streamId: number | undefined;
  readonly createdAt: Micros;
  /** Bytes of the payload. */
  readonly bytes: number;
}

/** The next entries of a topic in the order of the log. */
export interface DuePage {
  readonly entries: readonly DueEntry[];
  /** Everything of the topic up to here was looked at. */
  readonly lookedTo: Position;
}

export interface DueOptions {
  readonly topicId: number;
  readonly after: Position;
  readonly upTo: Position;
  /** Entries of a page, at most. */
  readonly limit: number;
  /** The page ends when its payloads pass this size; it has one entry at least. */
  readonly maxBytes: number;
}

/** Entries that go in one transaction, all of one topic. */
export interface Batch {
  readonly topicId: number;
  /** Ascending; at most MAX_DELETED. */
  readonly entries: readonly DueEntry[];
  /** The `moves` that were read before it was looked who holds entries of a batch; undefined: nobody may hold them. */
  readonly moves: number | undefined;
  /** Where retention is with the topic afterwards; undefined: where it was. */
  readonly lookedTo: Position | undefined;
  /** What stays though it is due. */
  readonly keeps: readonly (DueEntry & KeptEntry)[];
  /**
   * Where the entries, and what stays of them, are the oldest of their streams that are one too many: what was counted of each stream,
   * by its number. If it is not so any more, the batch is `moved`.
   */
  readonly counted?: ReadonlyMap<number, StreamCount> | undefined;
  /** Entries created later leave their message ids in the ledger. */
  readonly ledgerAfter: Micros;
  /** Whether they were for those only who listened: nobody is told that they go. */
  readonly isEphemeral?: boolean;
  /** The archive that has the entries, with what it holds by them; undefined: they are not archived. */
  readonly archived?: ArchiveMark;
}

/**
 * What became of a batch. `moved`: nothing is deleted, as a consumer that may hold some of it came, or was moved, since it was looked, which
 * needs `moves`; or as there is not so much in a stream as was counted, which needs `counted`; or as entries are not stored any more that
 * were to be archived. `held`: nothing is deleted, as its entries cannot be archived.
 */
export type Deleted = 'deleted' | 'moved' | 'lost' | 'held';

/** Whoever deletes batches. */
export interface Deletions {
  /** See RetentionStore.delete. */
  delete(hold: RetentionHold, batch: Batch): Promise<Deleted>;
  /** Whether nothing of the topic can be deleted at present, as its entries cannot be archived. */
  isHeld(topicId: number): Promise<boolean>;
}

/** Why an entry stays that is due. `WITHDRAWAL`: it is that of an event that stays. */
export const KeepReason = { PARKED: 1, CALLBACK: 2, WITHDRAWAL: 3 } as const;
export type KeepReason = (typeof KeepReason)[keyof typeof KeepReason];

export interface KeptEntry {
  readonly position: Position;
  readonly reason: KeepReason;
}

/** A consumer that has not passed everything up to a position. */
export interface ConsumerBehind extends ConsumerKey {
  readonly id: number;
  /** Another one with each move of the offset, and each change of what it selects. */
  readonly generation: number;
  readonly settings: ConsumerSettings;
  readonly offset: Position;
  /** What is done above the offset, in the delivery window's own form; empty: nothing. */
  readonly acked: Uint8Array;
}

export interface RetentionStore {
  /** Takes the deletion unless another instance's lease is good: then there is no hold. */
  acquire(owner: string): Promise<RetentionHold | undefined>;
  /** False: the hold is lost. */
  renew(hold: RetentionHold): Promise<boolean>;
  release(hold: RetentionHold): Promise<void>;
  /** Lets go of it if a run that has ended still holds it, without waiting for its lease. */
  releaseEnded(runs: EndedRuns): Promise<void>;
  clock(): Promise<RetentionClock>;
  /** Takes note of what any instance found out of the clock. */
  noteClock(change: ClockChange): Promise<void>;
  /** The topics that do not keep everything, as they are registered now. Where nothing was registered since the last call, cheap. */
  topics(): Promise<readonly RetentionTopic[]>;
  /** The position up to which everyone inside the server has looked at the log: what is beyond must not go. */
  settledTo(): Promise<Position>;
  /** Where retention is with topics, by their numbers; without those of which nothing was looked at. */
  places(topicIds: readonly number[]): Promise<ReadonlyMap<number, TopicPlace>>;
  due(options: DueOptions): Promise<DuePage>;
  /** Returns those of the entries that consumers have parked, by their positions, with when the last one did. */
  parked(entries: readonly DueEntry[]): Promise<ReadonlyMap<Position, Micros>>;
  /**
   * Deletes the cawins on the events, in small transactions of their own, but for those whose callbacks are still to be made: returns
   * the entries of these.
   */
  endCallbacks(hold: RetentionHold, entries: readonly DueEntry[]): Promise<readonly KeptEntry[]>;
  /** Returns those of the events that are stored as having occurred, by their ids. */
  storedEvents(eventIds: readonly EventId[]): Promise<ReadonlySet<EventId>>;
  /** Entries that are kept alone, after a position, with why. */
  kept(topicId: number, after: Position, limit: number): Promise<readonly (DueEntry & KeptEntry)[]>;
  /** Counts how often a consumer came, was moved or told to select otherwise; but for that, offsets only rise. */
  moves(): Promise<number>;
  /** The number of a topic; undefined: it was neither used nor registered. */
  topicId(topic: { readonly context: string; readonly name: string }): Promise<number | undefined>;
  /** Counts entries of a topic that are kept alone, as far as told. */
  countKept(topicId: number, limit: number): Promise<{ readonly parked: number; readonly callbacks: number }>;
  /** Durable consumers that may get events of the topic and have not passed all up to the position. */
  behind(
    topic: { readonly context: string; readonly name: string },
    upTo: Position,
  ): Promise<readonly ConsumerBehind[]>;
  /** Makes the ids of pushes be looked up that have no entry any more: before entries go that are younger than a day. */
  expectRepeats(): Promise<void>;
  /**
   * Deletes a batch with everything that goes with it, and records in the same transaction what consumers had not passed of it. `lost`:
   * nothing is deleted.
   */
  delete(hold: RetentionHold, batch: Batch): Promise<Deleted>;
  /** The length of the database's list of what is not purged yet; undefined: it does not tell. */
  purgeLag(): Promise<number | undefined>;
}
