// The ports of cawins: the cawins themselves, the making of firings from the log, and the claiming of due ones. `storage/mysql`
// implements them and points back here.
//
// Their locks: see log-storage.ts. Times and leases are measured by the database's clock alone. Every method rejects with MadeleineError
// STORAGE_UNAVAILABLE when the database is away.

import type { Cawin, EndKind, WaitEnd } from '../../domain/cawins/cawin.js';
import type { AttemptRecord } from '../../domain/cawins/cawin-attempt.js';
import type { AttemptHealth, Circuit, CircuitTurn } from '../../domain/cawins/endpoint-circuit.js';
import type { CallbackRecord, Seal } from '../../domain/cawins/prepared-cawin.js';
import type { AwaitTerms } from '../../domain/waits/wait.js';
import type { EventId, Micros, Millis, Position } from '../../units.js';
import type { EndedRuns } from './log-storage.js';

/** How long an instance makes firings without renewing. */
export const CURSOR_LEASE_MS = 6_000;
/** A claim is good for the callback's timeout and this much more, so that its result can be written. */
export const CLAIM_GRACE_MS = 5_000;

/** What an update changes; undefined members stay. */
export interface CawinPatch {
  readonly active: boolean | undefined;
  readonly notifyOn: readonly EndKind[] | undefined;
  /** `null`: that of the event. */
  readonly expiresAt: Micros | null | undefined;
  readonly callback: CallbackRecord | undefined;
  readonly seal: Seal | undefined;
}

export interface StoredCawin {
  readonly cawin: Cawin;
  /** What `seal` gave. */
  readonly sealed: Buffer | undefined;
  readonly digest: Buffer | undefined;
}

export interface ListCawinsOptions {
  /** A context, or `all`. */
  readonly context: string;
  readonly eventId?: EventId;
  /** The id after which the list begins. */
  readonly after: number;
  readonly limit: number;
}

export interface AttemptKey {
  readonly kind: number;
  readonly number: number;
}

export interface CawinStore {
  /**
   * The number of the endpoint with this origin, made at first use. (A new cawin is a unit of a group, which makes it under the
   * head row, with its firings where the event has ended. With a request id that was used in the event's context nothing is made.)
   */
  endpointId(origin: string): Promise<number>;
  find(id: number): Promise<StoredCawin | undefined>;
  /** The cawin that was made with a request id in the context; perhaps not durable yet. */
  findByRequest(context: string, requestId: string): Promise<StoredCawin | undefined>;
  /** Lists by id. */
  list(options: ListCawinsOptions): Promise<readonly Cawin[]>;
  /**
   * Changes a cawin under the head row; switched on, it fires what has ended and never fired. False: there is none. `patchOf` is given
   * the cawin as it is under the lock (without its firings), and may be called again; `origin`: of a new URL.
   */
  update(id: number, patchOf: (stored: StoredCawin) => CawinPatch, origin: string | undefined): Promise<boolean>;
  /** Deletes a cawin with its firings and attempts. False: there is none. */
  delete(id: number): Promise<boolean>;
  /** Makes what failed, or waits for its next attempt, due now; how many those are. Undefined: there is no such cawin. */
  retry(id: number): Promise<number | undefined>;
  /** Attempts by kind and number, after the key. */
  attempts(id: number, after: AttemptKey | undefined, limit: number): Promise<readonly AttemptRecord[]>;
}

/** An instance's hold on the making of firings. */
export interface CursorHold {
  readonly owner: string;
  readonly epoch: number;
  /** Everything up to here has its firings. */
  readonly position: Position;
}

/** How an event ended. */
export interface EventEnd extends WaitEnd {
  /** When it first ended: an invalidation may come after its occurrence. */
  readonly firstEndAt: Micros;
}

/** An event whose cawins fire, as far as they have not. */
export interface FiringJob {
  readonly end: EventEnd;
  readonly eventId: EventId;
  /** Done up to this one. */
  readonly afterCawin: number;
}

export interface FiringStore {
  /** Takes the making of firings unless another instance's lease is good. */
  acquire(owner: string, logEpoch: number): Promise<CursorHold | undefined>;
  release(hold: CursorHold): Promise<void>;
  /** Lets go of it if a run that has ended still holds it, without waiting for its lease. */
  releaseEnded(runs: EndedRuns): Promise<void>;
  /** Which of the events have cawins. At most 1,000. */
  withCawins(eventIds: readonly EventId[]): Promise<ReadonlySet<number>>;
  /**
   * Records the firings of the next cawins of each job, by id, at most `limit` of each, in one transaction. Safe to repeat: what
   * has fired is left as it is. Returns the jobs that are not done, as far as they are; undefined: the hold is lost.
   */
  fire(hold: CursorHold, jobs: readonly FiringJob[], limit: number): Promise<readonly FiringJob[] | undefined>;
  /** Everything up to the position has its firings. False: the hold is lost. */
  advance(hold: CursorHold, position: Position): Promise<boolean>;
  /**
   * Fires EXPIRED for cawins whose own deadline has passed before their event ended; how many were looked at. With none, in how many
   * milliseconds the next one is due; undefined: none is.
   */
  expireDue(limit: number): Promise<{ readonly looked: number; readonly nextMs: Millis | undefined }>;
}

export interface ReadyEndpoint extends Circuit {
  readonly id: number;
}

/** A firing that this instance may call for, until its lease ends. */
export interface ClaimedFiring {
  readonly cawinId: number;
  readonly kind: EndKind;
  /** 0: the cawin's own deadline passed. */
  readonly position: Position;
  readonly eventId: EventId;
  readonly endpointId: number;
  /** The endpoint's host, where it is that of one URL. */
  readonly hostId: number | undefined;
  readonly token: number;
  /** The attempt's number over the firing's life, from 1. */
  readonly attemptNumber: number;
  /** The attempt's number since it was made or last retried by a person, from 1. */
  readonly roundAttempt: number;
  readonly createdAt: Micros;
  readonly isProbe: boolean;
  readonly url: string;
  readonly timeoutMs: Millis;
  readonly sealed: Buffer | undefined;
  /** How its event was awaited; undefined: it occurred unawaited. */
  readonly awaited: AwaitTerms | undefined;
}

/** What becomes of a firing after an attempt. */
export type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'failed' }
  /** `counted`: false for an attempt that says nothing about the receiver. */
  | { readonly kind: 'retry'; readonly delayMs: Millis; readonly counted: boolean };

export interface AttemptReport {
  readonly firing: ClaimedFiring;
  readonly attempt: AttemptRecord;
  readonly verdict: Verdict;
  readonly health: AttemptHealth;
  /** Failures in a row of its URL before, where its host answered. */
  readonly urlFailures: number;
}

export interface CircuitChange {
  readonly origin: string;
  /** A cawin with the URL, where it is the circuit of one; URLs may hold tokens, and are not told. */
  readonly cawinId: number | undefined;
  readonly turn: CircuitTurn;
  /** Failures in a row. */
  readonly failures: number;
  /** When open: the first probe. */
  readonly nextProbeAt: Micros | undefined;
}

export interface CallbackStore {
  /**
   * Endpoints with something due, and those of open circuits whose probe is due, except for these; with fewer than `limit`, in how
   * many milliseconds the next one follows (undefined: nothing is due anywhere).
   */
  readyEndpoints(
    except: readonly number[],
    limit: number,
  ): Promise<{ readonly ready: readonly ReadyEndpoint[]; readonly nextMs: Millis | undefined }>;
  /**
   * Claims due firings of an endpoint, the longest due first: their attempts are counted, and they are due again when the lease
   * ends. One at a time where the circuit is open. Firings of inactive cawins are put aside, those of deleted ones dropped.
   */
  claim(
    endpointId: number,
    options: { readonly limit: number; readonly token: number },
  ): Promise<readonly ClaimedFiring[]>;
  /**
   * Writes what became of attempts, and of their endpoints. What is no longer claimed keeps its state. Returns what there is to tell
   * of their endpoints.
   */
  finish(reports: readonly AttemptReport[], random: () => number): Promise<readonly CircuitChange[]>;
}
