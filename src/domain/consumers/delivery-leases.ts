// Leases: numbers that are minted once per delivery, and what an answer with one means.

import { bug } from '../errors.js';
import type { AckStatus } from './delivery-types.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

export interface LeaseState {
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
  #next: number;
  #generationFirst: number;
  #ownerFirst: number;
  #limit: number;

  constructor(state: LeaseState) {
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
  status(lease: number, record: DeliveryRecord | undefined, done: boolean): AckStatus {
    if (lease !== 0 && lease < this.#generationFirst) return 'STALE';
    if (lease >= this.#next) return 'UNKNOWN';
    if (record !== undefined) return this.#ofRecord(lease, record);
    if (done) return 'ALREADY';
    return this.isOfFormerOwner(lease) ? 'ACCEPTED' : 'UNKNOWN';
  }

  #ofRecord(lease: number, record: DeliveryRecord): AckStatus {
    if (lease === record.lease || lease === 0) return 'ACCEPTED';
    const inFlight = record.state === RecordState.IN_FLIGHT;
    if (lease < this.#ownerFirst) return inFlight ? 'STALE' : 'ACCEPTED';
    if (lease < record.firstLease || lease > record.lease) return 'UNKNOWN';
    return !inFlight || record.leaseIsOfMember(lease) ? 'ACCEPTED' : 'STALE';
  }
}
