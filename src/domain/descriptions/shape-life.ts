// How long a topic watches a shape that nobody needs: unused for a day, or for an hour where another one waits for its place.

import type { Micros } from '../../units.js';

const HOUR_MICROS = 3_600 * 1_000_000;
/** A shape that was not used for so long is given back. */
export const SHAPE_IDLE_MICROS = 24 * HOUR_MICROS;
/** A shorter time, for topics that have no place for another one. */
export const SCARCE_SHAPE_IDLE_MICROS = HOUR_MICROS;

/** What keeps a shape. */
export interface ShapeLife {
  /** When it was last made or used, as far as that was written down. */
  readonly neededAt: Micros;
  /** The latest deadline of what is awaited by it; undefined: nothing is. */
  readonly awaitedUntil: Micros | undefined;
}

/** The time from which the shape is given back, if it is not used again. `isScarce`: its topic has no place for another one. */
export function shapeFreeAt({ neededAt, awaitedUntil = 0 }: ShapeLife, isScarce: boolean): Micros {
  return Math.max(neededAt + (isScarce ? SCARCE_SHAPE_IDLE_MICROS : SHAPE_IDLE_MICROS), awaitedUntil);
}
