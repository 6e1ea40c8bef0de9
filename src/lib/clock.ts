// Time as a dependency, so that unit tests own it.

export interface Clock {
  /** Milliseconds of a clock that never jumps: for timeouts and leases. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC: for what people read. */
  nowMs(): number;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  nowMs: () => Date.now(),
};
