// What readers, watchers and consumers see of the log: only durable entries, from memory near the head and from storage
// behind it, with no seam between the two. LogReader implements it over LogTail and EventLog.

import type { LogEntry } from '../../domain/events/event.js';
import { compileCriteria, type EntryMatcher, type EventCriteria } from '../../domain/events/event-filter.js';
import type { Clock } from '../../lib/clock.js';
import type { Paced } from '../../lib/paced.js';
import type { PositionPage } from '../../storage/ports/log-storage.js';
import type { Micros, Position } from '../../units.js';

/** Criteria with their compiled matcher; see `selectionOf`. */
export interface Selection {
  readonly criteria: EventCriteria;
  readonly matches: EntryMatcher;
}

/** Compiles the criteria: once a reader. */
export function selectionOf(criteria: EventCriteria): Selection {
  return { criteria, matches: compileCriteria(criteria) };
}

export interface ReadBatch {
  /** Matching entries in position order; may be empty. */
  readonly entries: readonly LogEntry[];
  /** Everything up to this position was looked at: pass it as the next `after`. */
  readonly scannedTo: Position;
  /** Whether the database was read for it, which may have deleted what lay in there. */
  readonly isStored?: true;
  /** See LogSource.deletedUpTo: as it was when the read began; undefined: as it is now. */
  readonly deletedUpTo?: Position;
}

/**
 * Called once, at once; `passed`: nothing that was waited for lies after the waiter's position up to this one. What is returned goes
 * on with the work, in a later turn of the event loop where many were woken.
 */
export type Wake = (passed: Position) => () => void;

export interface LogSource {
  /** The clock that waits for the log go by. */
  readonly clock: Clock;
  /** The newest position that may be shown to anyone: durable, and without holes below it. */
  readonly visible: Position;
  /** Identity of the log. */
  readonly epoch: number;
  /** The newest position that is stored, whether or not it may be shown yet. Rejects with STORAGE_UNAVAILABLE. */
  storedHead(): Promise<Position>;
  /**
   * The next matching entries after a position, up to `visible`, at most `limit` of them and about `maxBytes`. Synchronous
   * when memory holds everything after `after` and no payload has to be looked at; then it costs no query. Never waits for new entries: at the head it
   * returns no entries and `scannedTo` = `visible`. Where the database is read, callers take turns.
   */
  read(
    selection: Selection,
    options: {
      readonly after: Position;
      readonly limit: number;
      readonly maxBytes: number;
      readonly caller?: string | undefined;
      /** Where the database is read, callers do so one page at a time while several call; undefined: as it comes. */
      readonly paced?: Paced | undefined;
    },
  ): Promise<ReadBatch> | ReadBatch;
  /** The positions of the next matching entries, as `read`; much cheaper where they are stored. */
  readPositions(
    selection: Selection,
    options: { readonly after: Position; readonly limit: number },
  ): Promise<PositionPage> | PositionPage;
  /** The entry at a position, if memory has it: costs no query. */
  inMemory(position: Position): LogEntry | undefined;
  /** Whether a read of the caller waits for its turn, as the database is read for others first. */
  isQueued(caller: string): boolean;
  /** Entries at these positions (at most 1,000, all at or below `visible`), in position order, without those deleted. */
  readAt(positions: readonly Position[]): Promise<readonly LogEntry[]>;
  /** See EventLog.othersAt; all positions are at or below `visible`. */
  othersAt(selection: Selection, positions: readonly Position[]): Promise<ReadonlySet<Position>>;
  /**
   * Resolves when `visible` is greater than the position, or the signal aborts (it never rejects), with the position up to which
   * there is nothing of the selection. With a selection only for what it may select. One waiter costs one entry in a list, no timer
   * and no query.
   */
  waitBeyond(position: Position, signal: AbortSignal, selection?: Selection): Promise<Position>;
  /**
   * Calls back once, when the log grows beyond the position, which nothing visible is yet; returns what ends the wait. With a
   * selection only for what it may select: as long as it is not called back, nothing up to `visible` is selected.
   */
  onBeyond(position: Position, wake: Wake, selection?: Selection): () => void;
  /** Nothing after this position was deleted, as far as this instance has seen; it only rises. */
  readonly deletedUpTo: Position;
  /** See DeletedEvents. */
  deletedTo(selection: Selection, after: Position): Promise<Position>;
  /** The greatest visible position created at or before the time; 0 if none. */
  positionAt(time: Micros): Promise<Position>;
  /** The oldest position that is stored, or 0. */
  oldestPosition(): Promise<Position>;
}
