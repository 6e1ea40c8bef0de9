// The counting of events for statistics: an internal consumer of the log adds what occurred to counters, a part of the log in a
// transaction. One instance does it at a time, by a lease in the database; it hurries nobody, and nobody waits for it.
//
// | state    | entered when                                   | left when                                           |
// |----------|------------------------------------------------|-----------------------------------------------------|
// | idle     | at first; the hold was lost; the database away | the lease is free: counting                         |
// | counting | the lease was acquired                         | a guarded write finds another owner; an error; stop |

import { addUp } from '../../domain/statistics/event-counts.js';
import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import type { CountHold, CountStore } from '../../storage/ports/statistics-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Position } from '../../units.js';
import { LeasedWork } from '../log/leased-work.js';
import type { LogSource } from '../log/log-source.js';
import { waitForMore } from '../log/log-wait.js';

/** Positions that are counted in one transaction. */
const PART = 10_000;
/** Pause after a part, so that the log is read for others too. */
const PAUSE_MS = 200;
/** Pause after a part that reached the head: meanwhile the next one gathers. */
const GATHER_MS = 1_000;
/** How often a lease is asked for, and a held one renewed. */
const LEASE_PERIOD_MS = 5_000;
/** Pause after an error. */
const RETRY_MS = 1_000;

export interface EventCounterOptions {
  readonly store: CountStore;
  readonly source: Pick<LogSource, 'clock' | 'visible' | 'waitBeyond'>;
  /** Name of this instance, unique to one run of one process. */
  readonly instanceId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class EventCounter {
  readonly #options: EventCounterOptions;
  readonly #leased: LeasedWork;
  #hold: CountHold | undefined;
  /** Everything up to here is counted; where another instance counts, as last seen. */
  #position: Position = 0;
  /** When the lease is renewed, on the clock that never jumps. */
  #renewAt = 0;

  constructor(options: EventCounterOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#leased = new LeasedWork({
      clock,
      logger,
      leasePeriodMs: LEASE_PERIOD_MS,
      retryMs: RETRY_MS,
      failing: 'events are not counted at present',
      working: 'events are counted again',
      acquire: () => this.#acquire(),
      work: (signal) => this.#work(signal),
    });
  }

  /** How many positions are not counted yet; where another instance counts, a few seconds ago. */
  get lag(): Position {
    return Math.max(0, this.#options.source.visible - this.#position);
  }

  start(): void {
    this.#leased.start();
  }

  /** Lets another instance go on. */
  async stop(): Promise<void> {
    await this.#leased.stop();
    if (this.#hold !== undefined) await this.#options.store.release(this.#hold);
  }

  async #acquire(): Promise<void> {
    const { store, instanceId } = this.#options;
    this.#hold = undefined;
    const { position, hold } = await store.acquire(instanceId);
    this.#position = position;
    this.#hold = hold;
    this.#noteRenewal();
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (this.#hold !== undefined && !signal.aborted) await this.#round(this.#hold, signal);
  }

  /** Counts the next part, or waits for one. */
  async #round(hold: CountHold, signal: AbortSignal): Promise<void> {
    const { source, clock } = this.#options;
    if (this.#position < source.visible) {
      await this.#count(hold);
      await pause(clock, this.#position < source.visible ? PAUSE_MS : GATHER_MS, signal);
      return;
    }
    const timeoutMs = this.#renewAt - clock.monotonicMs();
    if (timeoutMs > 0) {
      await waitForMore(source, this.#position, { signal, timeoutMs });
      return;
    }
    this.#noteRenewal();
    if (!(await this.#options.store.renew(hold))) this.#hold = undefined;
  }

  async #count(hold: CountHold): Promise<void> {
    const { store, source } = this.#options;
    const after = this.#position;
    const position = Math.min(source.visible, after + PART);
    // What is stored does not change: it is read before, so that the transaction is short.
    const { tallies, at } = await store.tally(after, position);
    this.#noteRenewal();
    if (await store.add(hold, after, { position, at }, addUp(tallies))) this.#position = position;
    else this.#hold = undefined;
  }

  #noteRenewal(): void {
    this.#renewAt = this.#options.clock.monotonicMs() + LEASE_PERIOD_MS;
  }
}
