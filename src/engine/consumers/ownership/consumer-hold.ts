// The hold of one session: whether its lease can be trusted, and what is said to whom when it is lost.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import type { Hold } from '../../../storage/ports/consumer-storage.js';
import { consumerUnknown, holdLost } from './consumer-errors.js';
import type { Ownership, OwnershipListener } from './consumer-ownership.js';

export interface ConsumerHoldOptions {
  readonly key: ConsumerKey;
  readonly ownership: Ownership;
  /** See OwnershipListener. */
  readonly onTrustedAgain: () => void;
  /** Called when another instance has the consumer, or it is gone; perhaps more than once. */
  readonly onLost: (error: Error) => void;
}

export class ConsumerHold implements OwnershipListener {
  readonly #options: ConsumerHoldOptions;
  #deleting = false;

  constructor(options: ConsumerHoldOptions) {
    this.#options = options;
  }

  /** What guards each write. */
  get guard(): Hold {
    return this.#options.ownership.hold;
  }

  get trusted(): boolean {
    return this.#options.ownership.trusted;
  }

  /** What those are told who wait for a write that the lost hold prevented. */
  get lostError(): Error {
    const { key } = this.#options;
    return this.#deleting ? consumerUnknown(key) : holdLost(key);
  }

  /** See OwnershipListener. */
  leaseTrustedAgain(): void {
    this.#options.onTrustedAgain();
  }

  /** See OwnershipListener. A deletion takes the hold as well: until it is over nothing is lost. */
  loseHold(): void {
    if (!this.#deleting) this.#options.onLost(this.lostError);
  }

  /** Loses the hold, as a guarded write matched nothing; returns what its caller is told. */
  matchedNothing(): Error {
    this.#deleting = false;
    this.loseHold();
    return this.lostError;
  }

  /** Lets go of the consumer, as a write may have been made or not; returns what its caller is told. */
  unsure(error: Error): Error {
    this.#deleting = false;
    this.#options.onLost(error);
    return error;
  }

  /** Does the work of a deletion, which takes the hold along. */
  async whileDeleting(work: () => Promise<void>): Promise<void> {
    this.#deleting = true;
    try {
      await work();
    } finally {
      this.#deleting = false;
    }
  }
}
