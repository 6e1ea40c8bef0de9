// Notes in the rows of shapes that they are used: hourly at most, or each minute where the topic has no place for another shape, as one
// that was not used for an hour is then given back.

import type { WatchedShape } from '../../domain/group/shape-catalog.js';
import type { Clock } from '../../lib/clock.js';
import type { ShapeStore } from '../../storage/ports/wait-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Micros } from '../../units.js';

const MINUTE_MICROS = 60 * 1_000_000;
const EVERY_MICROS = 60 * MINUTE_MICROS;
const SCARCE_EVERY_MICROS = MINUTE_MICROS;

export interface ShapeUsesOptions {
  readonly store: Pick<ShapeStore, 'touch'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
}

export class ShapeUses {
  readonly #options: ShapeUsesOptions;
  /** What was noted since the catalogue was loaded that the shape is of. */
  readonly #noted = new WeakMap<WatchedShape, Micros>();
  readonly #writing = new Set<Promise<void>>();

  constructor(options: ShapeUsesOptions) {
    this.#options = options;
  }

  /** The shape is used now. `isScarce`: its topic has no place for another one. */
  note(shape: WatchedShape, isScarce: boolean): void {
    const now = this.#options.clock.nowMs() * 1_000;
    const noted = Math.max(shape.neededAt, this.#noted.get(shape) ?? 0);
    if (now - noted < (isScarce ? SCARCE_EVERY_MICROS : EVERY_MICROS)) return;
    this.#noted.set(shape, now);
    const writing = this.#write(shape, now).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await Promise.all(this.#writing);
  }

  async #write(shape: WatchedShape, now: Micros): Promise<void> {
    try {
      await this.#options.store.touch(shape.id, now);
    } catch (error) {
      this.#noted.delete(shape);
      this.#options.logger.debug({ err: error }, 'the use of a shape was not noted');
    }
  }
}
