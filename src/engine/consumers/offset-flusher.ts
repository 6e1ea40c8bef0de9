// Writes the places of this instance's consumers: one statement in flight, the next gathers whoever asks meanwhile. Many
// consumers that acknowledge at once share one commit.

import type { Clock, Timer } from '../../lib/clock.js';
import { type ConsumerStore, MAX_FLUSHED, type OffsetWrite } from '../../storage/ports/consumer-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';

/** A consumer as the flusher sees it. */
export interface FlushTarget {
  /** Returns what is not stored yet; undefined: nothing. */
  takeWrite(): OffsetWrite | undefined;
  /** Called when what `takeWrite` gave is durable. */
  written(): void;
  /** Called when another owner has come, and nothing was written. */
  loseHold(): void;
  /** Returns the error for those who wait for a write that a lost hold prevented. */
  holdLostError(): Error;
}

export interface OffsetFlusherOptions {
  readonly store: Pick<ConsumerStore, 'flush'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a place that nobody waits for may stay unwritten. */
  readonly delayMs?: Millis;
}

const DELAY_MS = 5_000;

class Waiting {
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** A target that others do not write for a time. */
class Apart {
  readonly over = new Waiting();
  /** Who wants it written meanwhile. */
  waiting: Waiting | undefined;

  constructor(waiting: Waiting | undefined) {
    this.waiting = waiting;
  }
}

export class OffsetFlusher {
  readonly #store: Pick<ConsumerStore, 'flush'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #delayMs: Millis;
  #queued = new Map<FlushTarget, Waiting>();
  readonly #apart = new Map<FlushTarget, Apart>();
  /** The write that is under way. */
  #writing: Promise<void> | undefined;
  #running = false;
  readonly #later = new Set<FlushTarget>();
  #timer: Timer | undefined;

  constructor({ store, clock, logger, delayMs = DELAY_MS }: OffsetFlusherOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#delayMs = delayMs;
  }

  /**
   * Resolves once everything that the target had to write at the time of the call is durable. Rejects with
   * STORAGE_UNAVAILABLE (then it is not known whether it was written, and it stays to be written), or with the target's
   * own error when its hold is lost.
   */
  flush(target: FlushTarget): Promise<void> {
    const apart = this.#apart.get(target);
    if (apart === undefined) return this.#queue(target);
    apart.waiting ??= new Waiting();
    return apart.waiting.promise;
  }

  /**
   * Does work that writes the target's row by other means: nothing else writes it meanwhile, but for what the work itself has written.
   * One at a time for each target; who asks for a flush waits for the end of it.
   */
  async apart<Result>(target: FlushTarget, work: (write: () => Promise<void>) => Promise<Result>): Promise<Result> {
    // Nothing between the look and the claim: others wait for the same end.
    for (let other = this.#apart.get(target); other !== undefined; other = this.#apart.get(target)) {
      await other.over.promise;
    }
    const apart = new Apart(this.#queued.get(target));
    this.#queued.delete(target);
    this.#apart.set(target, apart);
    try {
      await this.#writing;
      return await work(() => this.#writeApart(target, apart));
    } finally {
      this.#apart.delete(target);
      apart.over.resolve();
      if (apart.waiting !== undefined) void this.#queue(target, apart.waiting);
    }
  }

  /** Whether somebody writes the target by other means. */
  isApart(target: FlushTarget): boolean {
    return this.#apart.has(target);
  }

  /** Resolves once whoever does so now is done; the next one may have begun. */
  async whenDone(target: FlushTarget): Promise<void> {
    await this.#apart.get(target)?.over.promise;
  }

  #writeApart(target: FlushTarget, apart: Apart): Promise<void> {
    const { waiting = new Waiting() } = apart;
    apart.waiting = undefined;
    void this.#write(new Map([[target, waiting]]));
    return waiting.promise;
  }

  #queue(target: FlushTarget, waiting = this.#queued.get(target) ?? new Waiting()): Promise<void> {
    this.#queued.set(target, waiting);
    if (!this.#running) void this.#run();
    return waiting.promise;
  }

  /** Whether a write of the target waits for its turn, as others are written first. */
  isQueued(target: FlushTarget): boolean {
    return this.#queued.has(target) || this.#apart.has(target);
  }

  /** Writes the target within the delay, together with the others of that time. */
  flushSoon(target: FlushTarget): void {
    this.#later.add(target);
    this.#timer ??= this.#clock.after(this.#delayMs, () => void this.#flushLater());
  }

  /** Forgets a target: nothing of it is written any more, but for what is in flight. */
  forget(target: FlushTarget): void {
    this.#later.delete(target);
  }

  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#later.clear();
  }

  async #flushLater(): Promise<void> {
    this.#timer = undefined;
    const targets = [...this.#later];
    this.#later.clear();
    const results = await Promise.allSettled(targets.map((target) => this.flush(target)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) this.#logger.debug({ err: failed.reason }, 'offsets not written, tried again later');
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Lets whoever acknowledges in this turn of the event loop join the first statement.
    await Promise.resolve();
    while (this.#queued.size > 0) {
      this.#writing = this.#write(this.#takeBatch());
      await this.#writing;
    }
    this.#running = false;
  }

  async #write(batch: ReadonlyMap<FlushTarget, Waiting>): Promise<void> {
    const writes = new Map<FlushTarget, OffsetWrite>();
    for (const [target, waiting] of batch) {
      const write = target.takeWrite();
      if (write === undefined) waiting.resolve();
      else writes.set(target, write);
    }
    if (writes.size === 0) return;
    try {
      this.#settle(batch, writes, await this.#store.flush([...writes.values()]));
    } catch (error) {
      for (const target of writes.keys()) {
        batch.get(target)?.reject(error);
        this.flushSoon(target);
      }
    }
  }

  #takeBatch(): Map<FlushTarget, Waiting> {
    if (this.#queued.size <= MAX_FLUSHED) {
      const all = this.#queued;
      this.#queued = new Map();
      return all;
    }
    const batch = new Map([...this.#queued].slice(0, MAX_FLUSHED));
    for (const target of batch.keys()) this.#queued.delete(target);
    return batch;
  }

  #settle(
    batch: ReadonlyMap<FlushTarget, Waiting>,
    writes: ReadonlyMap<FlushTarget, OffsetWrite>,
    lost: ReadonlySet<number>,
  ): void {
    for (const [target, write] of writes) {
      if (lost.has(write.hold.id)) {
        batch.get(target)?.reject(target.holdLostError());
        target.loseHold();
      } else {
        target.written();
        batch.get(target)?.resolve();
      }
    }
  }
}
