// Work on the log that one instance does at a time, by a lease in the database: it is asked for again and again, after errors too, until
// this instance stops.

import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import type { Logger } from '../../telemetry.js';
import type { Micros, Millis } from '../../units.js';

export interface LeasedWorkOptions {
  /** Asks for the lease once. Rejects when the database is away. */
  readonly acquire: () => Promise<void>;
  /** Works until the hold is lost or the signal aborts, not at all without a hold. Rejects when the database is away. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  /** How often a lease is asked for that another instance has. */
  readonly leasePeriodMs: Millis;
  /** Pause after an error: the lease is still ours, if the database is there. */
  readonly retryMs: Millis;
  /** What is logged when it begins to fail, and when it works again. */
  readonly failing: string;
  readonly working: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class LeasedWork {
  readonly #options: LeasedWorkOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Failures since it worked; told once when they begin and once when they end, however many there are. */
  #failures = 0;
  #failsSince: Micros | undefined;

  constructor(options: LeasedWorkOptions) {
    this.#options = options;
  }

  /** Since when it fails again and again, by this process's clock; undefined: it does not. */
  get failsSince(): Micros | undefined {
    return this.#failsSince;
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
    const { leasePeriodMs, retryMs, clock } = this.#options;
    while (!signal.aborted) {
      let pauseMs = leasePeriodMs;
      try {
        await this.#once(signal);
      } catch (error) {
        this.#failed(error, signal);
        pauseMs = retryMs;
      }
      if (!signal.aborted) await pause(clock, pauseMs, signal);
    }
  }

  /** A hold that is had says nothing of the work: that works which has gone on for a while. */
  async #once(signal: AbortSignal): Promise<void> {
    const { acquire, work, leasePeriodMs, clock } = this.#options;
    await acquire();
    const steady = clock.after(leasePeriodMs, () => this.#worked()).unref();
    try {
      await work(signal);
    } finally {
      steady.stop();
    }
    this.#worked();
  }

  #failed(error: unknown, { aborted }: AbortSignal): void {
    const { clock, logger, failing } = this.#options;
    if (this.#failures === 0 && !aborted) logger.warn({ err: error }, failing);
    this.#failsSince ??= clock.nowMs() * 1_000;
    this.#failures += 1;
  }

  #worked(): void {
    if (this.#failures > 0) this.#options.logger.info({ failures: this.#failures }, this.#options.working);
    this.#failures = 0;
    this.#failsSince = undefined;
  }
}
