// Looks at the database's clock all the time, on every instance: a wrong clock deletes nothing.
//
// | state     | entered when | left when |
// |---|---|---|
// | deleting  | at first; somebody resumed; the wait is over | a leap of more than a day; nobody had looked for more than a day |
// | stopped   | the clock leapt between two looks of an instance, or was set back while none ran | somebody resumes it |
// | waiting   | an instance starts, and nobody had looked at the clock for more than a day | an hour has passed |
//
// The states are stored: they are those of all instances.

import { afterLeap, isLeap, LEAP_MICROS } from '../../domain/retention/log-time.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { RetentionClock, RetentionStore } from '../../storage/ports/retention-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Micros, Millis } from '../../units.js';

/** How often every instance looks. */
const LOOK_MS: Millis = 10_000;
/** How often a look is written down. */
const NOTE_MICROS: Micros = 9_000_000;
/** How long nothing is deleted after nobody looked for more than a day. */
const WAIT_MICROS: Micros = 3_600_000_000;

export interface ClockWatchOptions {
  readonly store: Pick<RetentionStore, 'clock' | 'noteClock'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A look: what the database's clock showed when ours showed this. */
interface Look {
  readonly at: Micros;
  readonly atMs: Millis;
}

export class ClockWatch {
  readonly #options: ClockWatchOptions;
  #timer: Timer | undefined;
  #last: Look | undefined;
  #known: RetentionClock | undefined;
  #looking: Promise<RetentionClock> | undefined;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.every(LOOK_MS, () => void this.look().catch(() => {})).unref();
  }

  async stop(): Promise<void> {
    this.#timer?.stop();
    await this.#looking?.catch(() => {});
  }

  /** What the last look found, as it is by now; undefined: there was none yet. */
  get known(): RetentionClock | undefined {
    const last = this.#last;
    if (this.#known === undefined || last === undefined) return undefined;
    return { ...this.#known, now: last.at + Math.round((this.#options.clock.monotonicMs() - last.atMs) * 1_000) };
  }

  /** Looks now; returns what holds after the look. */
  look(): Promise<RetentionClock> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<RetentionClock> {
    const { store, clock } = this.#options;
    const sentMs = clock.monotonicMs();
    const found = await store.clock();
    const last = this.#last;
    const look = { at: found.now, atMs: clock.monotonicMs() };
    const known = last === undefined ? this.#sinceNobodyLooked(found) : this.#since(last, found, sentMs);
    if (known !== undefined) await known();
    else if (Math.abs(found.now - found.sampledAt) >= NOTE_MICROS) await store.noteClock({ sampledAt: found.now });
    // What was not written down is found again by the next look.
    this.#last = look;
    this.#known = known === undefined ? found : await store.clock();
    return this.#known;
  }

  /** What a look says that follows another one of this instance. */
  #since({ at, atMs }: Look, found: RetentionClock, sentMs: Millis): (() => Promise<void>) | undefined {
    const expected = at + Math.round((sentMs - atMs) * 1_000);
    const reading = { at: found.now, expected };
    return isLeap(reading) ? () => this.#stop(reading, found) : undefined;
  }

  /** What the first look of this instance says. */
  #sinceNobodyLooked(found: RetentionClock): (() => Promise<void>) | undefined {
    const { now, sampledAt } = found;
    if (sampledAt === 0 || !isLeap({ at: now, expected: sampledAt })) return undefined;
    if (now < sampledAt) return () => this.#stop({ at: now, expected: sampledAt }, found);
    return () => this.#wait(found);
  }

  async #stop(reading: { readonly at: Micros; readonly expected: Micros }, found: RetentionClock): Promise<void> {
    const { store, logger } = this.#options;
    const leaptBy = reading.at - reading.expected;
    await store.noteClock({
      sampledAt: reading.at,
      stopped: { at: reading.at, leaptBy },
      leapt: afterLeap(reading, found.leapt),
    });
    const days = Math.round((leaptBy / LEAP_MICROS) * 10) / 10;
    const message = 'the clock of the database leapt: nothing is deleted until `madeleine retention resume`';
    logger.error({ leaptByDays: days }, message);
  }

  async #wait({ now }: RetentionClock): Promise<void> {
    const { store, logger } = this.#options;
    await store.noteClock({ sampledAt: now, waitsUntil: now + WAIT_MICROS });
    const message =
      'no instance ran for more than a day, or the clock of the database leapt: nothing is deleted for an hour';
    logger.warn({ waitsUntil: new Date((now + WAIT_MICROS) / 1_000).toISOString() }, message);
  }
}
