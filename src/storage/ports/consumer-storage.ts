// The port of the consumers: their settings, their place in the log, and which instance runs them. `storage/mysql`
// implements it and points back here.
//
// Every change of a consumer that is run names its owner's epoch and does nothing when another owner has come since, so
// that a zombie cannot move an offset. Leases of ownership are measured by the database's clock alone. Rows are locked by
// ascending id. Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { ConsumerKey, ConsumerSettings } from '../../domain/consumers/consumer.js';
import type { FailureRecord } from '../../domain/consumers/delivery-types.js';
import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import type { Micros, Position } from '../../units.js';
import type { EndedRuns, Instance } from './log-storage.js';

/** How long an instance owns a consumer without renewing, by the database's clock. */
export const OWNERSHIP_LEASE_MS = 15_000;

/** Consumers in one flush at most: beyond, one statement costs more than two. */
export const MAX_FLUSHED = 64;

/** A consumer as stored. What is in flight is known to its owner only. */
export interface ConsumerRecord extends ConsumerKey {
  readonly id: number;
  readonly settings: ConsumerSettings;
  /** Rises with seek, changed filter and recreation. */
  readonly generation: number;
  /** The first lease of the generation; lower ones are of older generations. */
  readonly generationLease: number;
  /** The position after which the generation began; 0 where that is not known. */
  readonly generationOffset: Position;
  readonly offset: Position;
  /** What is done above the offset, in the delivery window's own form; empty: nothing. */
  readonly acked: Uint8Array;
  readonly movedAt: Micros | undefined;
  readonly createdAt: Micros;
  /** Undefined: it is not paused. */
  readonly pause: ConsumerPause | undefined;
  /** How many of its events were deleted before it had passed them. */
  readonly expiredUnread: number;
  /** When the event right after the offset was created, as `find` and `list` look it up; undefined: there is none. */
  readonly nextAt: Micros | undefined;
  /** The instance that runs it now; undefined: none, or one whose lease ran out. */
  readonly owner: Instance | undefined;
}

export interface ConsumerDraft extends ConsumerKey {
  readonly settings: ConsumerSettings;
  readonly offset: Position;
  readonly createdAt: Micros;
}

/** An instance's hold on a consumer. The epoch rises with every acquisition. */
export interface Hold {
  readonly id: number;
  readonly epoch: number;
}

/** Numbers from `next` up to `end`, which is not included. */
export interface LeaseBlock {
  readonly next: number;
  readonly end: number;
}

export type Acquired =
  | {
      readonly kind: 'acquired';
      readonly record: ConsumerRecord;
      readonly hold: Hold;
      /** Leases that nobody else will ever give out. */
      readonly leases: LeaseBlock;
      readonly failures: readonly FailureRecord[];
      /** Whether there is a gap that nobody was told of yet. */
      readonly hasGaps: boolean;
    }
  | { readonly kind: 'owned'; readonly owner: Instance }
  | { readonly kind: 'unknown' };

/** What a flush writes for one consumer; absolute values, so that writing them twice does no harm. */
export interface OffsetWrite {
  readonly hold: Hold;
  readonly generation: number;
  readonly generationLease: number;
  /** Where the generation began; undefined: it is stored already. */
  readonly generationOffset: Position | undefined;
  readonly offset: Position;
  readonly acked: Uint8Array;
  readonly movedAt: Micros | undefined;
  /**
   * Failure records to insert or replace, the texts only of those that have a cause; codes are cut at 64 characters, reasons at
   * 1,024.
   */
  readonly failures: readonly FailureRecord[];
  /** Positions whose failure record is over. */
  readonly failuresOver: readonly Position[];
}

export interface ListConsumersOptions {
  /** A context, or `all`: consumers of every context. */
  readonly context: string;
  /** Whether consumers of `all` are listed beside those of the context. */
  readonly withAll?: boolean;
  readonly namePrefix?: string;
  readonly limit: number;
  /** The consumer after which to begin, by context and name in byte order. */
  readonly after?: ConsumerKey | undefined;
}

export interface ConsumerStore {
  /**
   * Creates the consumer by itself, or returns the one that exists, unchanged. One that was deleted continues its generations and
   * leases, and is not paused. Safe to repeat. What people ask for goes through a group: see domain/management.
   */
  create(draft: ConsumerDraft): Promise<{ readonly record: ConsumerRecord; readonly created: boolean }>;
  find(key: ConsumerKey): Promise<ConsumerRecord | undefined>;
  /** Lists consumers by context and name in byte order; `acked` is left empty. */
  list(options: ListConsumersOptions): Promise<readonly ConsumerRecord[]>;
  /** Returns what consumers have done above their offsets, by their ids; those without any are left out. At most 100. */
  acked(ids: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  /** Counts parked events of consumers, by their ids; those without any are left out. */
  countParked(ids: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /**
   * Takes the consumer for the instance unless another one's lease is good, and reserves so many leases of deliveries. An
   * instance that has it already gets a new epoch, which ends its former hold.
   */
  acquire(key: ConsumerKey, instance: Instance, leases: number): Promise<Acquired>;
  /** Renews all that the instance owns, in one statement; how many those are. */
  renew(instance: string): Promise<number>;
  /** What the instance owns. */
  listOwned(instance: string): Promise<readonly (Hold & ConsumerKey)[]>;
  /** Lets go of what is still held. */
  release(holds: readonly Hold[]): Promise<void>;
  /** Lets go of what runs that have ended still hold, without waiting for their leases. */
  releaseEnded(runs: EndedRuns): Promise<void>;
  /** Reserves more leases of deliveries; undefined when the hold is lost. */
  reserveLeases(hold: Hold, count: number): Promise<LeaseBlock | undefined>;
  /**
   * Writes the places of many consumers, durable when it resolves: one statement, or one transaction when there are
   * failure records to write or generations to begin. Returns the ids whose hold is lost; for those nothing was written.
   * Safe to repeat. At most MAX_FLUSHED at a time.
   */
  flush(writes: readonly OffsetWrite[]): Promise<ReadonlySet<number>>;
  /** Deletes a consumer that is held, as nobody uses it any more, and with it the hold. False when the hold is lost. */
  delete(hold: Hold): Promise<boolean>;
  /**
   * Deletes ephemeral consumers that nobody has run for a minute, as their owner died or no member ever came, and forgets
   * ephemeral ones that were deleted a day ago. Takes what the look before, some renewals ago, found and returns what this one
   * does: only what both found goes, so that a leap of the clock takes nothing that is in use. Cheap when there are none.
   */
  sweepEphemeral(before: readonly Hold[]): Promise<readonly Hold[]>;
}
