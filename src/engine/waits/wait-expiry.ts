// Ends waits whose deadline has passed, whoever made them: every instance looks, at its start and then whenever the next deadline
// is due, and the head row decides who is first. Also forgets old rows of the ledger.
//
// Deadlines are the database's: its clock alone says what is due.

import { JITTER, spreadMs } from '../../domain/backoff.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { WaitStore } from '../../storage/ports/wait-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { GroupCommit } from '../group/group-commit.js';

/** Waits that one group ends, and rows of the ledger that go together. */
const BATCH = 500;
/** Bytes of what the entries of one batch have: descriptions may be long, and a packet for the database may not. */
const BATCH_BYTES = 1024 * 1024;
/** How long it sleeps at most: another instance may have stored an earlier deadline. */
const MAX_SLEEP_MS = 1_000;
const MIN_SLEEP_MS = 20;
const LEDGER_MICROS = 48 * 3_600 * 1_000_000;
const LEDGER_EVERY_MS = 600_000;

export interface WaitExpiryOptions {
  readonly waits: WaitStore;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

export class WaitExpiry {
  readonly #options: WaitExpiryOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  #forgetAt = Number.NEGATIVE_INFINITY;

  constructor(options: WaitExpiryOptions) {
    this.#options = options;
  }

  /** Begins with what fell due while nobody ran. */
  start(): void {
    this.#sleep(0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.stop();
    await this.#running;
  }

  #sleep(ms: Millis): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = this.#options.clock.after(ms, () => {
      this.#running = this.#look();
    });
  }

  async #look(): Promise<void> {
    let sleepMs = spreadMs(MAX_SLEEP_MS, JITTER.upperQuarter, this.#options.random);
    try {
      sleepMs = Math.min(sleepMs, await this.#expire());
      if (await this.#forget()) sleepMs = Math.min(sleepMs, MIN_SLEEP_MS);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'due waits were not ended');
    }
    this.#sleep(sleepMs);
  }

  /** Ends what is due; returns in how many milliseconds to look again. */
  async #expire(): Promise<number> {
    const { waits, groupCommit } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const { eventIds, nextMs = MAX_SLEEP_MS } = await waits.due(BATCH, BATCH_BYTES);
      if (eventIds.length === 0) return Math.max(MIN_SLEEP_MS, nextMs);
      const { count } = await groupCommit.submit({ kind: 'expire', eventIds }, this.#stopping.signal);
      // Another instance was first.
      if (count < eventIds.length) return MIN_SLEEP_MS;
    }
    return MAX_SLEEP_MS;
  }

  /** A part of the old rows of the ledger; whether there are more. */
  async #forget(): Promise<boolean> {
    const { waits, clock } = this.#options;
    if (clock.monotonicMs() < this.#forgetAt) return false;
    const isMore = (await waits.forgetPushes(LEDGER_MICROS, BATCH)) === BATCH;
    if (!isMore) this.#forgetAt = clock.monotonicMs() + LEDGER_EVERY_MS;
    return isMore;
  }
}
