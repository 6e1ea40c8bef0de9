// What of one consumer is stored and what is not yet: makes the flusher's writes from the window's changes.

import type { FailureRecord, WindowChanges } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { type Clock, wallAheadMs } from '../../lib/clock.js';
import type { ConsumerRecord, OffsetWrite } from '../../storage/ports/consumer-storage.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { FlushTarget, OffsetFlusher } from './offset-flusher.js';
import type { ConsumerHold } from './ownership/consumer-hold.js';

/** An offset that passed so many positions is written without waiting for the timer. */
const MAX_UNWRITTEN_POSITIONS = 10_000;

export interface ConsumerProgressOptions {
  readonly record: ConsumerRecord;
  readonly hold: ConsumerHold;
  readonly window: DeliveryWindow;
  readonly flusher: OffsetFlusher;
  readonly clock: Clock;
}

export class ConsumerProgress implements FlushTarget {
  readonly #window: DeliveryWindow;
  readonly #hold: ConsumerHold;
  readonly #flusher: OffsetFlusher;
  readonly #clock: Clock;
  #taken: { readonly changes: WindowChanges; readonly movedAt: Micros | undefined } | undefined;
  #storedOffset: Position;
  #movedAt: Micros | undefined;
  #stopped = false;

  constructor({ record, window, hold, flusher, clock }: ConsumerProgressOptions) {
    this.#window = window;
    this.#hold = hold;
    this.#flusher = flusher;
    this.#clock = clock;
    this.#storedOffset = record.offset;
    this.#movedAt = record.movedAt;
  }

  /** The durable offset. */
  get storedOffset(): Position {
    return this.#storedOffset;
  }

  /** The time when the durable offset last moved. */
  get movedAt(): Micros | undefined {
    return this.#movedAt;
  }

  /** Resolves once everything up to now is durable; see OffsetFlusher.flush. */
  async flush(): Promise<void> {
    if (this.#window.unsaved.any && !this.#stopped) await this.#flusher.flush(this);
  }

  /** Writes within some seconds, as nobody waits for it; sooner if much is unwritten, and only then it may reject. */
  async flushSoon(): Promise<void> {
    if (!this.#window.unsaved.any) return;
    if (this.#window.offset - this.#storedOffset >= MAX_UNWRITTEN_POSITIONS) await this.flush();
    else this.#flusher.flushSoon(this);
  }

  /**
   * Does work that changes the stored place or failure records by itself, given what writes all that is unwritten: nothing else is
   * written meanwhile, and answers wait. See OffsetFlusher.apart.
   */
  apart<Result>(work: (write: () => Promise<void>) => Promise<Result>): Promise<Result> {
    return this.#flusher.apart(this, work);
  }

  /** Whether such work is under way. */
  get isApart(): boolean {
    return this.#flusher.isApart(this);
  }

  /** Resolves once the work of now is done; the next one may have begun. */
  whenDone(): Promise<void> {
    return this.#flusher.whenDone(this);
  }

  /** The time that is stored with an offset: that of now, if it moves. */
  movedAtWith(offset: Position): Micros | undefined {
    return offset === this.#storedOffset ? this.#movedAt : this.#clock.nowMs() * 1000;
  }

  /** Takes note that the place is stored. */
  placed(offset: Position, movedAt: Micros | undefined): void {
    this.#storedOffset = offset;
    this.#movedAt = movedAt;
  }

  /** Ends the writing: what is unwritten stays so. */
  stop(): void {
    this.#stopped = true;
    this.#flusher.forget(this);
  }

  /** See FlushTarget. */
  takeWrite(): OffsetWrite | undefined {
    if (!this.#window.unsaved.any || this.#stopped) return undefined;
    const changes = this.#window.unsaved.take();
    const movedAt = this.movedAtWith(changes.offset);
    this.#taken = { changes, movedAt };
    return {
      hold: this.#hold.guard,
      generation: changes.generation,
      generationLease: changes.generationFirstLease,
      generationOffset: changes.generationOffset,
      offset: changes.offset,
      acked: changes.acked,
      movedAt,
      failures: movedBy(changes.failures, wallAheadMs(this.#clock)),
      failuresOver: changes.failuresOver,
    };
  }

  /** See FlushTarget. */
  written(): void {
    if (this.#taken === undefined) return;
    const { changes, movedAt } = this.#taken;
    this.#taken = undefined;
    this.placed(changes.offset, movedAt);
    this.#window.unsaved.confirm(changes);
  }

  /** See FlushTarget. */
  loseHold(): void {
    this.#hold.loseHold();
  }

  /** See FlushTarget. */
  holdLostError(): Error {
    return this.#hold.lostError;
  }
}

/**
 * Returns stored failure records as the window keeps them: by the clock that never jumps, not by the wall clock.
 */
export function failuresFromStorage(failures: readonly FailureRecord[], clock: Clock): FailureRecord[] {
  return movedBy(failures, -wallAheadMs(clock));
}

function movedBy(failures: readonly FailureRecord[], aheadMs: Millis): FailureRecord[] {
  const moved = (ms: Millis) => (ms === 0 ? 0 : Math.round(ms + aheadMs));
  return failures.map((failure) => {
    const { notBeforeMs, parkedAtMs } = failure;
    return { ...failure, notBeforeMs: moved(notBeforeMs), parkedAtMs: moved(parkedAtMs) };
  });
}
