// Which consumers this instance runs: it acquires, renews, notices that it lost, and lets go. What a consumer does while it
// is held is the session's business.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import { scopedKey } from '../../../domain/names.js';
import type { Clock, Timer } from '../../../lib/clock.js';
import { SharedRun } from '../../../lib/shared-run.js';
import {
  type Acquired,
  type ConsumerStore,
  type Hold,
  OWNERSHIP_LEASE_MS,
} from '../../../storage/ports/consumer-storage.js';
import type { Instance } from '../../../storage/ports/log-storage.js';
import type { Logger } from '../../../telemetry.js';
import type { Millis } from '../../../units.js';

/** Renewals are sent this often: two may fail before a lease ends. */
const RENEW_MS = 5_000;
/** The owner trusts a lease for two thirds of its time, so that a clock that runs slow does not make two owners. */
const TRUST_MS = (OWNERSHIP_LEASE_MS * 2) / 3;
/** Leases of deliveries that are reserved at first; what an owner does not use is lost, and people type leases. */
const FIRST_DELIVERY_LEASES = 10_000;

/** One held consumer. */
export interface Ownership {
  readonly hold: Hold;
  /** Whether the lease can be trusted now. False: deliver nothing; it may become true again. */
  readonly trusted: boolean;
}

/** Who runs a held consumer, and is told about its lease. */
export interface OwnershipListener {
  /** Called when the lease was renewed after a time in which it could not be trusted. */
  leaseTrustedAgain(): void;
  /** Called once, when another instance has the consumer, or it is gone. */
  loseHold(): void;
}

export interface ConsumerOwnershipOptions {
  readonly store: ConsumerStore;
  readonly instance: Instance;
  readonly clock: Clock;
  readonly logger: Logger;
}

class HeldConsumer implements Ownership {
  readonly hold: Hold;
  readonly #clock: Clock;
  listener: OwnershipListener | undefined;
  /** Whether it is neither released nor lost. */
  active = true;
  /** When the last good acquisition or renewal was sent, on the clock that never jumps. */
  provenAtMs: Millis;

  constructor(hold: Hold, clock: Clock, provenAtMs: Millis) {
    this.hold = hold;
    this.#clock = clock;
    this.provenAtMs = provenAtMs;
  }

  get trusted(): boolean {
    return this.#clock.monotonicMs() - this.provenAtMs < TRUST_MS;
  }
}

/**
 * | state of a consumer here | entered when                                    | left when                                    |
 * |--------------------------|-------------------------------------------------|----------------------------------------------|
 * | not held                 | at first; released; lost                        | `acquire` is sent                            |
 * | acquiring                | `acquire` is sent                               | the answer: held, or not held (owned, unknown)|
 * | held, trusted            | acquired, or renewed by a request that was sent | 10 s passed since that request was sent:     |
 * |                          | less than 10 s ago                              | doubtful; released; lost                     |
 * | held, doubtful           | 10 s without a good renewal                     | renewed: trusted; found lost; released       |
 * | lost                     | a renewal counts other rows than are held and   | never: a new acquisition is a new hold       |
 * |                          | the look names another epoch; or a guarded      |                                              |
 * |                          | write matched nothing                           |                                              |
 *
 * A lease that ran out in the database but that nobody took is simply renewed: nobody else ran the consumer in between.
 * Ignored: the answer of a renewal for a hold that was released or lost meanwhile.
 */
export class ConsumerOwnership {
  readonly #options: ConsumerOwnershipOptions;
  readonly #held = new Map<string, HeldConsumer>();
  readonly #acquiring = new Set<string>();
  #timer: Timer | undefined;
  readonly #renewing = new SharedRun(() => this.#renew());
  /** The database may name us as owner of what we do not hold; then a count of rows proves nothing. */
  #unsure = false;

  constructor(options: ConsumerOwnershipOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.every(RENEW_MS, () => void this.renew());
  }

  /** Stops renewing. What is still held has to be released before. */
  async stop(): Promise<void> {
    this.#timer?.stop();
    if (!this.#renewing.isIdle) await this.#renewing.join();
  }

  /** See ConsumerStore.acquire. Not to be called for a consumer that is held. */
  async acquire(key: ConsumerKey): Promise<{ readonly acquired: Acquired; readonly ownership?: Ownership }> {
    const name = scopedKey(key.context, key.name);
    const sentAtMs = this.#options.clock.monotonicMs();
    this.#acquiring.add(name);
    this.#unsure = true;
    try {
      const acquired = await this.#options.store.acquire(key, this.#options.instance, FIRST_DELIVERY_LEASES);
      if (acquired.kind !== 'acquired') return { acquired };
      const held = new HeldConsumer(acquired.hold, this.#options.clock, sentAtMs);
      this.#held.set(name, held);
      return { acquired, ownership: held };
    } finally {
      this.#acquiring.delete(name);
    }
  }

  /** Names who is told about the consumer's lease. */
  listen(key: ConsumerKey, listener: OwnershipListener): void {
    const held = this.#held.get(scopedKey(key.context, key.name));
    if (held !== undefined) held.listener = listener;
  }

  /** Forgets a consumer that is no longer ours, as a write or a deletion showed. */
  forget(key: ConsumerKey): void {
    this.#drop(scopedKey(key.context, key.name));
  }

  /** Lets go of consumers. If the database does not answer their leases run out by themselves. */
  async release(keys: readonly ConsumerKey[]): Promise<void> {
    const names = keys.map((key) => scopedKey(key.context, key.name));
    const holds = names.flatMap((name) => this.#held.get(name)?.hold ?? []);
    for (const name of names) this.#drop(name);
    if (holds.length === 0) return;
    try {
      await this.#options.store.release(holds);
    } catch (error) {
      this.#unsure = true;
      this.#options.logger.warn(
        { err: error, consumers: holds.length },
        'consumers not released, their leases run out',
      );
    }
  }

  /** Renews what is held; one request at a time. */
  renew(): Promise<void> {
    return this.#renewing.join();
  }

  async #renew(): Promise<void> {
    if (this.#held.size === 0) return;
    const before = [...this.#held.values()];
    const sentAtMs = this.#options.clock.monotonicMs();
    try {
      const renewed = await this.#options.store.renew(this.#options.instance.id);
      if (renewed !== before.length || this.#unsure) await this.#reconcile();
      for (const held of before) this.#prove(held, sentAtMs);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'consumers not renewed');
    }
  }

  #prove(held: HeldConsumer, sentAtMs: Millis): void {
    const doubtful = !held.trusted;
    held.provenAtMs = Math.max(held.provenAtMs, sentAtMs);
    if (doubtful && held.trusted && held.active) held.listener?.leaseTrustedAgain();
  }

  #drop(name: string): void {
    const held = this.#held.get(name);
    if (held !== undefined) held.active = false;
    this.#held.delete(name);
  }

  /** Compares what is held with what the database says, epoch by epoch. */
  async #reconcile(): Promise<void> {
    this.#unsure = this.#acquiring.size > 0;
    const before = new Map(this.#held);
    const owned = await this.#options.store.listOwned(this.#options.instance.id);
    const epochs = new Map(owned.map((row) => [scopedKey(row.context, row.name), row.epoch]));
    for (const [name, held] of before) {
      if (epochs.get(name) !== held.hold.epoch && this.#held.get(name) === held) this.#lose(name, held);
    }
    const strays = owned.filter((row) => {
      const name = scopedKey(row.context, row.name);
      return !this.#held.has(name) && !this.#acquiring.has(name);
    });
    if (strays.length > 0) await this.#options.store.release(strays);
  }

  #lose(name: string, held: HeldConsumer): void {
    this.#drop(name);
    this.#options.logger.warn({ consumer: held.hold.id }, 'consumer lost to another instance');
    held.listener?.loseHold();
  }
}
