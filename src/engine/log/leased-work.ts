// Work on the log that one instance does at a time, by a lease in the database: it is asked for again and again, after errors too, until
// this instance stops.

import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';

export interface LeasedWorkOptions {
  /** Asks for the lease once. Rejects when the database is away. */
  readonly acquire: () => Promise<void>;
  /** Works until the hold is lost or the signal aborts, not at all without a hold. Rejects when the database is away. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** How often a lease is asked for that another instance has. */
  readonly leasePeriodMs: Millis;
  /** Pause after an error: the lease is still ours, if the database is there. */
  readonly retryMs: Millis;
  /** What is logged when it fails. */
  readonly failing: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class LeasedWork {
  readonly #options: LeasedWorkOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: LeasedWorkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Resolves when nothing is done any more; a hold is still to be released. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { acquire, work, leasePeriodMs, retryMs, failing, clock, logger } = this.#options;
    let isFailing = false;
    while (!signal.aborted) {
      let pauseMs = leasePeriodMs;
      try {
        await acquire();
        isFailing = false;
        await work(signal);
      } catch (error) {
        // Said once: it is tried again soon.
        if (!isFailing && !signal.aborted) logger.warn({ err: error }, failing);
        isFailing = true;
        pauseMs = retryMs;
      }
      if (!signal.aborted) await pause(clock, pauseMs, signal);
    }
  }
}
