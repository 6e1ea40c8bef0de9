// Leases: numbers that are minted once per delivery, and what an answer with one means.

import type { Position } from '../../units.js';
import { bug } from '../errors.js';
import type { AckStatus, Answer } from './delivery-types.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

/** How many checks there are: one in so many numbers that were never given out passes for a lease. */
export const LEASE_CHECKS = 16_384;

/**
 * Returns the check that goes out with a lease, from 0 to LEASE_CHECKS - 1. It is known to every owner, also after a crash, what
 * was delivered by which lease: a mistyped number, and a lease of another position or consumer, have another check.
 */
export function leaseCheck(consumerId: number, position: Position, lease: number): number {
  const hash = mixed(mixed(mixed(0, consumerId), position), lease);
  return (hash ^ (hash >>> 14)) & (LEASE_CHECKS - 1);
}

/** Stirs a whole number up to 2^53 into a hash of 32 bits. */
function mixed(hash: number, value: number): number {
  const low = Math.imul(hash ^ (value | 0), 0x85ebca6b);
  const high = Math.imul(low ^ (low >>> 13) ^ (value / 0x100000000), 0xc2b2ae35);
  return high ^ (high >>> 16);
}

export interface LeaseState {
  /** Number of the consumer in storage. */
  readonly consumerId: number;
  readonly nextLease: number;
  readonly generationFirstLease: number;
  readonly ownerFirstLease: number;
  readonly leaseLimit?: number;
}

/** The leases that storage reserved for this owner. */
export interface LeaseSupply {
  /** The next lease to be minted. */
  readonly next: number;
  /** Leases that can be minted before `reserve` is needed; Infinity without a bound. */
  readonly left: number;
  /** Takes note that leases below this are reserved for this owner in storage. */
  reserve(limit: number): void;
}

export class DeliveryLeases implements LeaseSupply {
  readonly #consumerId: number;
  #next: number;
  #generationFirst: number;
  #ownerFirst: number;
  #limit: number;

  constructor(state: LeaseState) {
    this.#consumerId = state.consumerId;
    this.#next = state.nextLease;
    this.#generationFirst = state.generationFirstLease;
    this.#ownerFirst = state.ownerFirstLease;
    this.#limit = state.leaseLimit ?? Number.POSITIVE_INFINITY;
  }

  get next(): number {
    return this.#next;
  }

  get generationFirst(): number {
    return this.#generationFirst;
  }

  get left(): number {
    return this.#limit - this.#next;
  }

  reserve(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  mint(): number {
    if (this.#next >= this.#limit) throw bug('no lease is reserved');
    return this.#next++;
  }

  /** Returns the check of a lease of the position. */
  check(position: Position, lease: number): number {
    return leaseCheck(this.#consumerId, position, lease);
  }

  /** Begins a generation: what was minted before is of an older one now. */
  beginGeneration(): void {
    this.#generationFirst = this.#next;
    this.#ownerFirst = this.#next;
  }

  /** Forgets what was minted in this generation: it is known no more than what a former owner minted. */
  forget(): void {
    this.#ownerFirst = this.#next;
  }

  /** Whether the lease is of this generation, and was minted when nothing was known of it here. */
  isOfFormerOwner(lease: number): boolean {
    return lease >= this.#generationFirst && lease < this.#ownerFirst;
  }

  /** The status of an answer; `record` is the event's, if it is open and known; `done` only counts without one. */
  status(answer: Answer, record: DeliveryRecord | undefined, done: boolean): AckStatus {
    const { lease } = answer;
    if (!this.#isGenuine(answer)) return 'UNKNOWN';
    if (lease !== 0 && lease < this.#generationFirst) return 'STALE';
    if (lease >= this.#next) return 'UNKNOWN';
    if (record !== undefined) return this.#ofRecord(lease, record);
    if (done) return 'ALREADY';
    return this.isOfFormerOwner(lease) ? 'ACCEPTED' : 'UNKNOWN';
  }

  /** Whether the lease is one that was minted for the position, or none is named. */
  #isGenuine({ position, lease, leaseCheck: given }: Answer): boolean {
    return given === (lease === 0 ? 0 : this.check(position, lease));
  }

  #ofRecord(lease: number, record: DeliveryRecord): AckStatus {
    if (lease === record.lease || lease === 0) return 'ACCEPTED';
    const inFlight = record.state === RecordState.IN_FLIGHT;
    if (lease < this.#ownerFirst) return inFlight ? 'STALE' : 'ACCEPTED';
    if (lease < record.firstLease || lease > record.lease) return 'UNKNOWN';
    return !inFlight || record.leaseIsOfMember(lease) ? 'ACCEPTED' : 'STALE';
  }
}
