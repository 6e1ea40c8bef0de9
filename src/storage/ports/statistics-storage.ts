// The port of the statistics: counters of events by topic, stream and UTC day, kept by one instance at a time, and what is read from
// them. `storage/mysql` implements it and points back here.
//
// Counters and the place in the log up to which they reach change in one transaction that names the owner's epoch, so that nothing
// is counted twice or left out, whoever ends when. Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is
// away.

import type { CountedScope } from '../../domain/statistics/counted-scope.js';
import type { EventCounts, Tally, Total } from '../../domain/statistics/event-counts.js';
import type { Count, Period } from '../../domain/statistics/utc-days.js';
import type { Micros, Position } from '../../units.js';
import type { EndedRuns } from './log-storage.js';

/** How long an instance counts without renewing, by the database's clock. */
export const COUNT_LEASE_MS = 15_000;

/** An instance's hold on the counting. */
export interface CountHold {
  readonly owner: string;
  readonly epoch: number;
}

/** How far the log is counted. */
export interface CountPlace {
  /** Everything up to here is counted, and nothing after it. */
  readonly position: Position;
  /** When the entry there was created; 0: nothing is counted. */
  readonly at: Micros;
}

export interface CountStore {
  /** Takes the counting unless another instance's lease is good: then there is no hold. Tells how far it is. */
  acquire(owner: string): Promise<{ readonly position: Position; readonly hold: CountHold | undefined }>;
  /** False: the hold is lost. */
  renew(hold: CountHold): Promise<boolean>;
  release(hold: CountHold): Promise<void>;
  /** Lets go of it if a run that has ended still holds it, without waiting for its lease. */
  releaseEnded(runs: EndedRuns): Promise<void>;
  /** Counts the events that occurred after one position up to another, which has to be durable. */
  tally(after: Position, upTo: Position): Promise<{ readonly tallies: readonly Tally[]; readonly at: Micros }>;
  /** Adds counts of what follows `after`, up to the place. False: the hold is lost, or somebody counted it already. */
  add(hold: CountHold, after: Position, to: CountPlace, counts: EventCounts): Promise<boolean>;
}

/** Which statistics. */
export interface StatsSelection {
  /** A context, or `all`. */
  readonly context: string;
  readonly period: Period;
  /** Whether the server's own topics count. */
  readonly reserved: boolean;
  /** Topics and streams with the most events that are named. */
  readonly topics: number;
  readonly streams: number;
}

export interface NamedCount extends Count {
  readonly context: string;
  readonly name: string;
}

export interface StoredStats {
  readonly asOf: CountPlace;
  /** Days of the period that have events, and the day before it. */
  readonly days: ReadonlyMap<number, Count>;
  /** The most events first. */
  readonly topics: readonly NamedCount[];
  readonly streams: readonly NamedCount[];
}

/** Events of a scope since the beginning, as far as they are counted. */
export interface ScopeTotal extends Total {
  readonly asOf: Position;
}

export interface StatisticsStore {
  /** Reads counters as of one moment. SEARCH_TOO_WIDE where a period that is no whole month has too many of them. */
  stats(selection: StatsSelection): Promise<StoredStats>;
  total(scope: CountedScope): Promise<ScopeTotal>;
  /**
   * Returns how many events of the scope occurred up to a position, which has to be counted; undefined: that takes more than it is
   * worth.
   */
  occurredUpTo(scope: CountedScope, position: Position): Promise<number | undefined>;
}
