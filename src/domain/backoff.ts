// How long to wait before something is tried again: twice as long after each failure in a row, and spread at random, so that what
// failed together does not come back together.

import type { Millis } from '../units.js';

/** What is left to chance: the least and the greatest share of a delay. */
export type Jitter = readonly [least: number, most: number];

export const JITTER = {
  /** Jitter of what may come early: spreads best. */
  full: [0, 1],
  /** Jitter of what must not hurry, and never comes later than the bound says. */
  upperHalf: [0.5, 1],
  /** Jitter of a period whose length others rely on. */
  upperQuarter: [0.75, 1],
  /** Jitter of half the delay to either side: its mean matters, not its bound. */
  withinHalf: [0.5, 1.5],
  /** Jitter of a quarter to either side: some spread is enough for long delays. */
  withinQuarter: [0.75, 1.25],
} as const satisfies Record<string, Jitter>;

export interface Backoff {
  /** Delay after the first failure; each further one in a row doubles it. */
  readonly baseMs: Millis;
  /** Bound of the doubling. */
  readonly capMs: Millis;
  readonly jitter: Jitter;
}

/**
 * Returns the delay after so many failures in a row, from 1, in whole milliseconds. `random` gives numbers in [0, 1).
 */
export function backoffMs(backoff: Backoff, failures: number, random: () => number): Millis {
  return spreadMs(doubledMs(backoff, failures), backoff.jitter, random);
}

/** Doublings after which any delay but 0 is longer than its bound. */
const MAX_DOUBLINGS = 60;

/** Returns the delay after so many failures in a row, from 1, before jitter. */
export function doubledMs({ baseMs, capMs }: Pick<Backoff, 'baseMs' | 'capMs'>, failures: number): Millis {
  return Math.min(capMs, baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, MAX_DOUBLINGS));
}

/** Returns a whole number of milliseconds within the jitter of a delay, both ends included. */
export function spreadMs(delayMs: Millis, [least, most]: Jitter, random: () => number): Millis {
  const first = Math.ceil(delayMs * least);
  const last = Math.floor(delayMs * most);
  return Math.min(last, first + Math.floor(random() * (last - first + 1)));
}
