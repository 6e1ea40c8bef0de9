// When a callback is tried again: with back-off, and never before the time that the receiver asked for.

import type { Millis } from '../../units.js';
import { type Backoff, backoffMs, JITTER } from '../backoff.js';

/** The back-off, which bounds every delay that the receiver did not ask for, and how long to go on. */
export interface RetryPolicy extends Backoff {
  /** Attempts in all, the first one too. */
  readonly maxAttempts: number;
  /** The longest pause that a receiver can ask for. */
  readonly maxRetryAfterMs: Millis;
}

/** The policy of callbacks: about ten hours of attempts, up to an hour apart, half of that on average. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  baseMs: 2_000,
  capMs: 3_600_000,
  jitter: JITTER.full,
  maxAttempts: 30,
  maxRetryAfterMs: 86_400_000,
};

/** What is known after an attempt that failed. */
export interface FailedAttempt {
  /** The attempt's number, from 1. */
  readonly attemptNumber: number;
  /** What the receiver asked for. */
  readonly retryAfterMs?: Millis | undefined;
}

/**
 * Returns the delay until the next attempt, or undefined when the attempts are used up. `random` gives numbers in [0, 1).
 * Without a Retry-After it is the back-off; with one it lies at or above it, by as much as the first delay.
 */
export function retryDelayMs(policy: RetryPolicy, failed: FailedAttempt, random: () => number): Millis | undefined {
  if (failed.attemptNumber >= policy.maxAttempts) return undefined;
  const ownMs = backoffMs(policy, failed.attemptNumber, random);
  if (failed.retryAfterMs === undefined) return ownMs;
  const askedMs = Math.min(Math.max(failed.retryAfterMs, 0), policy.maxRetryAfterMs);
  // Those who were all told the same time are spread behind it.
  return Math.max(ownMs, Math.ceil(askedMs + random() * Math.min(policy.baseMs, policy.capMs)));
}
