// Time as a dependency, so that unit tests own it.

import type { Millis } from '../units.js';

export interface Clock {
  /** Milliseconds of a clock that never jumps: for timeouts and leases. */
  monotonicMs(): Millis;
  /** Milliseconds since 1970 UTC: for what people read. */
  nowMs(): Millis;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  nowMs: () => Date.now(),
};
