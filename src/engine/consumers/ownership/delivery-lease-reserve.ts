// Reserves leases of deliveries in storage before they are minted, so that a crash cannot lead to a second use of one.

import type { LeaseSupply } from '../../../domain/consumers/delivery-leases.js';
import { SharedRun } from '../../../lib/shared-run.js';
import type { ConsumerStore } from '../../../storage/ports/consumer-storage.js';
import type { ConsumerHold } from './consumer-hold.js';

/** Leases that are reserved at a time, once the first ones are nearly used up. */
const DELIVERY_LEASES = 1_000_000;
/** More leases are reserved when fewer are left. */
const FEW_LEASES = 5_000;

export interface DeliveryLeaseReserveOptions {
  readonly leases: LeaseSupply;
  readonly hold: ConsumerHold;
  readonly store: Pick<ConsumerStore, 'reserveLeases'>;
}

export class DeliveryLeaseReserve {
  readonly #options: DeliveryLeaseReserveOptions;
  // Made for the first caller: most consumers never run out.
  #reserving: SharedRun<void> | undefined;

  constructor(options: DeliveryLeaseReserveOptions) {
    this.#options = options;
  }

  /** Whether it is time to refill. */
  get areFew(): boolean {
    return this.#options.leases.left < FEW_LEASES;
  }

  /** Resolves once there are leases to mint, or the hold turned out to be lost. */
  refill(): Promise<void> {
    this.#reserving ??= new SharedRun(() => this.#reserve());
    return this.#reserving.join();
  }

  async #reserve(): Promise<void> {
    const { leases, hold, store } = this.#options;
    const block = await store.reserveLeases(hold.guard, DELIVERY_LEASES);
    if (block === undefined) hold.loseHold();
    else leases.reserve(block.end);
  }
}
