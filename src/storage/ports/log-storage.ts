// The ports of the log: what the engine asks of a database, and what it may rely on. `storage/mysql` implements them and
// points back here. The consumers' port is in consumer-storage.ts.
//
// Lock order, stated here for all of the storage. A transaction takes what it needs in this order, and log_head first or not at all:
//
//   log_head -> names, log, stream, wait, ledger, indexes, topic, erasure -> firing_cursor -> cawin -> endpoint -> firing -> attempt
//     -> consumer by ascending id, with its own rows of consumer_trouble, consumer_snapshot, offset_move, consumer_gap -> log_deletion
//
// Names, log, stream, wait and topic are locked under log_head only, so they need no order among themselves, and one who has a cawin
// under log_head may take its wait. The others are locked without it too; rows of one table by ascending id. Who has a consumer takes
// nothing after it but its own rows of these, deleted_topic and log_deletion (see storage/mysql/consumers/unread-events.ts). A deletion,
// which takes no log_head, takes before consumers: retention_cursor -> shape -> rows of the log -> index
// rows, identities, waits, ledger. As it, and never together with others: shape -> log, to read -> index rows (a build); rows of the log,
// shared -> identities -> identity_build (a build); ledger (what is too old).
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away, does not answer in time or
// refuses work (connections, read-only, disk); nothing of the driver's errors is thrown upwards.

import type { MadeCawin } from '../../domain/cawins/prepared-cawin.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { StreamState } from '../../domain/events/stream.js';
import type { GroupNeeds, GroupWrites, LockedState } from '../../domain/group/group-plan-types.js';
import type { EventId, Micros, Position } from '../../units.js';

/** The newest entry of the log, as committed (not necessarily durable: see DurableReads). */
export interface LogHead {
  readonly position: Position;
  /** Time of the newest entry. */
  readonly createdAt: Micros;
  /** Identity of the log; changes when it is restored from a backup. */
  readonly epoch: number;
  /** Token of the group that committed last, see GroupRun. */
  readonly token: number;
  /** Nothing after this position was ever deleted. */
  readonly deletedTo: Position;
  /** The position of the newest erasure; 0: there is none. */
  readonly newestErasure: Position;
}

export interface ReadPageOptions {
  /** Entries after this position are read. */
  readonly after: Position;
  /** The last position that is read. */
  readonly upTo: Position;
  /** How many matching entries at most. */
  readonly limit: number;
  /** The page ends when its payloads pass this size; at least one entry is returned. */
  readonly maxBytes: number;
  /** Newest first: then the page begins at `upTo` and goes down. */
  readonly newestFirst?: boolean;
  /** Whose turns it takes where payloads have to be looked at. */
  readonly caller?: string | undefined;
}

export interface Page {
  readonly entries: readonly LogEntry[];
  /**
   * Everything in the page's direction up to this position was looked at: equal to `upTo` (or `after`, newest first) when
   * the range is done, else where to go on.
   */
  readonly scannedTo: Position;
}

/** Positions of matching entries, and how far was looked for them. */
export interface PositionPage {
  readonly positions: readonly Position[];
  readonly scannedTo: Position;
}

/** Reads of the log. They see what is committed; the caller keeps to the durable mark by `upTo`. */
export interface EventLog {
  /** The head, read without a lock. */
  readHead(): Promise<LogHead>;
  /**
   * The next matching entries in position order. Uses the index that fits the criteria; looks at no more than 20,000 rows,
   * so that a page may be short or empty before `upTo` is reached.
   */
  readPage(criteria: EventCriteria, options: ReadPageOptions): Promise<Page>;
  /**
   * The positions of the next matching entries, ascending whatever the direction, without reading the entries where the criteria allow
   * that. Looks at no more than 20,000 rows, as `readPage`.
   */
  readPositions(criteria: EventCriteria, options: Omit<ReadPageOptions, 'maxBytes'>): Promise<PositionPage>;
  /** Entries at these positions, in position order; those that no longer exist are left out. At most 1,000. */
  readAt(positions: readonly Position[]): Promise<readonly LogEntry[]>;
  /** The entries of an event: how it occurred, was invalidated, or expired. At most two; none for what is only awaited. */
  findByEventId(eventId: EventId): Promise<readonly LogEntry[]>;
  /** The OCCURRED entry that was pushed with this message id, or undefined. */
  findByMessageId(context: string, messageId: string): Promise<LogEntry | undefined>;
  /**
   * Returns those of the positions whose entries the criteria do not select, as far as that can be told without payloads; none of
   * those that no longer exist.
   */
  othersAt(criteria: EventCriteria, positions: readonly Position[]): Promise<ReadonlySet<Position>>;
  /** The greatest position whose entry was created at or before the time; 0 if none was. */
  positionAt(time: Micros): Promise<Position>;
  /** The oldest stored position, or 0 when the log is empty. */
  oldestPosition(): Promise<Position>;
}

/** What a push was about. */
export interface KnownPush {
  readonly eventId: EventId;
  /** Whether the push left an entry; else it found the event, or began to await it. */
  readonly isEntered: boolean;
}

/** Reads of where events lie in the log, many at a time. As reads of EventLog, they see what is committed. */
export interface EventPlaceStore {
  /**
   * The positions of each event's entries in their order, by any id of it: its own, or that of a wait that it ended. Events without an
   * entry are left out.
   */
  positionsOf(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, readonly Position[]>>;
  /** The events of pushes by their message ids, as far as they are known. */
  pushedAs(context: string, messageIds: readonly string[]): Promise<ReadonlyMap<string, KnownPush>>;
}

/** One instance of the server, as the others see it. */
export interface Instance {
  /** Unique to one run of one process. */
  readonly id: string;
  /** Where clients find it. */
  readonly address: string;
}

/** Runs of one instance that have ended: those with ids from the first one up to another, in byte order. */
export interface EndedRuns {
  readonly first: string;
  /** The least id that is none of them. */
  readonly before: string;
}

/** Reads whose result may be told: InnoDB shows a commit before its redo log is on disk. */
export interface DurableReads {
  /**
   * Reads, and where the result says that it may rest on what is not durable yet, makes everything that was committed before
   * durable. Rejects with STORAGE_UNAVAILABLE also when the database may have restarted since the read began: what was read may
   * be gone. The read may be of any connections of the database.
   */
  durable<T>(read: () => Promise<T>, needsBarrier: (result: T) => boolean): Promise<T>;
}

/** One group, as a committer runs it. */
export interface GroupRun {
  readonly needs: GroupNeeds;
  /** The version of the catalogue that the needs were made with; with another one in the head row the run fails with `stale`. */
  readonly catalogVersion: number;
  /** Written to the head row with the group: random, so that whoever finds it knows that this group has committed. */
  readonly token: number;
  /** Called once the head row is locked. */
  onLocked(): void;
  /**
   * Given the token found in the head row: may this group go on, or has it to wait for an earlier group of this instance
   * whose outcome is open? False makes the run fail with `retry`.
   */
  mayProceed(foundToken: number): boolean;
  /** Pure; asked again when message ids had to be looked up, or the transaction is repeated. */
  decide(locked: LockedState): GroupWrites;
  /** Asked when there was nothing to write: may what was decided rest on commits of others that are not durable yet? */
  needsBarrier(): boolean;
}

/**
 * One connection that commits groups, one at a time. Committers are independent: while one flushes, the other may
 * already hold the head row.
 */
export interface GroupCommitter {
  /**
   * Runs one group as one transaction: locks the head row, reads what it needs, lets it decide, writes, commits.
   *
   * Resolves once the group is durable, or, where it had nothing to write, what it rests on: with the cawins that it made, in the
   * order of its writes. Rejects with GroupFailure.
   */
  run(group: GroupRun): Promise<readonly MadeCawin[]>;
  close(): Promise<void>;
}

/** Why a group was not committed, or may not have been. */
export class GroupFailure extends Error {
  override readonly name = 'GroupFailure';
  /**
   * `retry`: nothing was stored, the same group may be run again at once (deadlock, lock wait, lost connection before
   * COMMIT). `unknown`: COMMIT was sent and not answered; run it again as a rerun, which looks its ids up. `data`: a
   * value of the group was refused by the database. `unavailable`: the database is away. `stale`: nothing was stored, the
   * catalogue has to be loaded again first. `failed`: none of these, a bug.
   */
  readonly kind: 'retry' | 'stale' | 'unknown' | 'data' | 'unavailable' | 'failed';

  /** The cawins that the group had made when COMMIT was sent, where the kind is `unknown`. */
  readonly made: readonly MadeCawin[];

  constructor(kind: GroupFailure['kind'], cause: unknown, made: readonly MadeCawin[] = []) {
    super(`group not committed: ${kind}`, { cause });
    this.kind = kind;
    this.made = made;
  }
}

export interface ListStreamsOptions {
  /** A context, or `all`. */
  readonly context: string;
  readonly owner?: string;
  readonly namePrefix?: string;
  readonly limit: number;
  /** The name after which the list begins, by context and name in byte order. */
  readonly after?: { readonly context: string; readonly name: string } | undefined;
}

/** Reads of streams; they are written by groups only. Owners and sequences of groups not yet durable may show. */
export interface StreamStore {
  find(context: string, name: string): Promise<StreamState | undefined>;
  /** Returns those of the names to which events were pushed as streams of the context; of `all`, in any. At most 100. */
  pushedTo(context: string, names: readonly string[]): Promise<ReadonlySet<string>>;
  list(options: ListStreamsOptions): Promise<readonly StreamState[]>;
  /**
   * The last stored event of a stream at or below a sequence, and the sequence of its first stored one; undefined where none is stored up to
   * there.
   */
  storedUpTo(
    context: string,
    name: string,
    sequence: number,
  ): Promise<{ readonly position: Position; readonly firstSequence: number } | undefined>;
}
