// When to try again: exponential back-off with full jitter, so that what failed together does not come back together, and never
// before the time that the receiver asked for.

import type { Millis } from '../units.js';

export interface RetryPolicy {
  /** Bound of the first delay; each further one is twice the former. */
  readonly baseMs: Millis;
  /** Bound of every delay that the receiver did not ask for. */
  readonly capMs: Millis;
  /** Attempts in all, the first one too. */
  readonly maxAttempts: number;
  /** A receiver that asks for more is tried again after this. */
  readonly maxRetryAfterMs: Millis;
}

/** About ten hours of attempts: up to an hour apart, half of that on average. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  baseMs: 2_000,
  capMs: 3_600_000,
  maxAttempts: 30,
  maxRetryAfterMs: 86_400_000,
};

/** What is known after an attempt that failed. */
export interface FailedAttempt {
  /** From 1. */
  readonly attemptNumber: number;
  /** What the receiver asked for. */
  readonly retryAfterMs?: Millis | undefined;
}

/**
 * Delay until the next attempt in milliseconds, or undefined when the attempts are used up. `random` gives numbers in [0, 1).
 * Without a Retry-After it lies in [0, min(cap, base * 2^(n-1))]; with one at or above it, by as much as the first delay.
 */
export function retryDelayMs(policy: RetryPolicy, failed: FailedAttempt, random: () => number): number | undefined {
  if (failed.attemptNumber >= policy.maxAttempts) return undefined;
  const ownMs = backoffMs(policy, failed.attemptNumber, random);
  if (failed.retryAfterMs === undefined) return ownMs;
  const askedMs = Math.min(Math.max(failed.retryAfterMs, 0), policy.maxRetryAfterMs);
  // Those who were all told the same time are spread behind it.
  return Math.max(ownMs, Math.ceil(askedMs + random() * Math.min(policy.baseMs, policy.capMs)));
}

/** Full jitter over the exponential bound: a whole number from 0 to min(cap, base * 2^(n-1)), for n from 1. */
export function backoffMs(
  policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>,
  attemptNumber: number,
  random: () => number,
): number {
  const boundMs = Math.min(policy.capMs, policy.baseMs * 2 ** (Math.max(attemptNumber, 1) - 1));
  return Math.floor(random() * (boundMs + 1));
}
