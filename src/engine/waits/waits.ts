// Those who wait for an event without a URL: woken by the entry that ends it. The log's tail is the wake-up; the store is asked
// before anybody sleeps and again now and then, so that a missed one heals by itself.
//
// | state of a waiter | entered when | left when |
// |---|---|---|
// | asking | waitFor was called; it is registered already | the store's answer is an end, or AWAITED |
// | asleep | the event is awaited | an entry names its id; the sweep finds it ended; its signal aborts |

import { eventUnknown } from '../../domain/errors.js';
import { ENTRY_KINDS, EntryKind, type LogEntry } from '../../domain/events/event.js';
import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import { SharedRun } from '../../lib/shared-run.js';
import type { Logger } from '../../telemetry.js';
import type { EventId, Millis, Position } from '../../units.js';
import type { EventLookUp } from '../log/event-look-up.js';
import type { LogSource, Selection } from '../log/log-source.js';

export interface WaitsOptions {
  readonly events: EventLookUp;
  readonly source: LogSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

const EVERYTHING: Selection = {
  criteria: { context: 'all', kinds: ENTRY_KINDS, withReserved: true },
  matches: () => true,
};
const BATCH = { limit: 4_096, maxBytes: 16 * 1024 * 1024 };
/** How often a sleeper looks for itself, in milliseconds: there may be thousands of them, and the log wakes them. */
const SWEEP_MS = 600_000;
/** When the log could not be read. */
const RETRY_MS = 500;

export class Waits {
  readonly #options: WaitsOptions;
  readonly #sleepers = new Map<number, Set<() => void>>();
  readonly #asked = new Map<number, SharedRun<LogEntry>>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #position: Position = 0;

  constructor(options: WaitsOptions) {
    this.#options = options;
  }

  /** Waiters that are asleep or asking. */
  get size(): number {
    return this.#sleepers.size;
  }

  /** Begins to follow the log; the tail has to be started. */
  start(): void {
    this.#position = this.#options.source.visible;
    this.#running = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /**
   * The event as it is now, by any of its ids; its `kind` is its state. EVENT_UNKNOWN if there is none. Many who ask at the same time
   * share an answer, one that was looked for after each of them had asked.
   */
  async current(eventId: EventId): Promise<LogEntry> {
    const asked = this.#asked.get(eventId) ?? new SharedRun(() => this.#look(eventId));
    this.#asked.set(eventId, asked);
    try {
      return await asked.run();
    } finally {
      if (asked.isIdle && this.#asked.get(eventId) === asked) this.#asked.delete(eventId);
    }
  }

  async #look(eventId: EventId): Promise<LogEntry> {
    const event = await this.#options.events.byId(eventId);
    if (event === undefined) throw eventUnknown(eventId);
    return event;
  }

  /**
   * Resolves with the event once it is no longer awaited, at once if it is not; `kind` says how it ended. Undefined when the
   * signal aborts before. EVENT_UNKNOWN if there is no such event. Never misses an end: it is registered before it looks.
   */
  async waitFor(eventId: EventId, signal: AbortSignal): Promise<LogEntry | undefined> {
    while (!signal.aborted) {
      const sleep = new Sleep(this.#options.clock, signal, SWEEP_MS);
      this.#add(eventId, sleep.wake);
      try {
        const event = await this.current(eventId);
        if (event.kind !== EntryKind.AWAITED) return event;
        await sleep.over;
      } finally {
        this.#remove(eventId, sleep.wake);
        sleep.wake();
      }
    }
    return undefined;
  }

  #add(eventId: EventId, wake: () => void): void {
    const wakes = this.#sleepers.get(eventId) ?? new Set();
    this.#sleepers.set(eventId, wakes.add(wake));
  }

  #remove(eventId: EventId, wake: () => void): void {
    const wakes = this.#sleepers.get(eventId);
    wakes?.delete(wake);
    if (wakes?.size === 0) this.#sleepers.delete(eventId);
  }

  async #follow(): Promise<void> {
    const { source, clock, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await source.waitBeyond(this.#position, signal);
      try {
        if (!signal.aborted) await this.#wakeUp();
      } catch (error) {
        // From the same place again: nobody sleeps through an end.
        logger.warn({ err: error }, 'waiters were not woken by the log');
        await pause(clock, RETRY_MS, signal);
      }
    }
  }

  async #wakeUp(): Promise<void> {
    const { source } = this.#options;
    if (this.#sleepers.size === 0) {
      this.#position = source.visible;
      return;
    }
    const { entries, scannedTo } = await source.read(EVERYTHING, { after: this.#position, ...BATCH });
    this.#position = scannedTo;
    for (const entry of entries) {
      this.#wake(entry.eventId);
      for (const id of entry.rest?.satisfiedIds ?? []) this.#wake(id);
    }
  }

  #wake(eventId: EventId): void {
    for (const wake of this.#sleepers.get(eventId) ?? []) wake();
  }
}

/** One sleep: over when woken, when its time is up, or when the signal aborts. */
class Sleep {
  readonly over: Promise<void>;
  readonly wake: () => void;

  constructor(clock: Clock, signal: AbortSignal, ms: Millis) {
    let resolve = () => {};
    this.over = new Promise((done) => {
      resolve = done;
    });
    const timer = clock.after(ms, () => this.wake()).unref();
    this.wake = () => {
      timer.stop();
      signal.removeEventListener('abort', this.wake);
      resolve();
    };
    signal.addEventListener('abort', this.wake);
  }
}
