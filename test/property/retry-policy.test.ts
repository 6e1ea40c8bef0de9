import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, JITTER } from '../../src/domain/backoff.js';
import { DEFAULT_RETRY_POLICY, retryDelayMs } from '../../src/domain/cawins/retry-policy.js';
import { propertyParameters } from '../support/property.js';

const policies = fc.record({
  baseMs: fc.integer({ min: 1, max: 60_000 }),
  capMs: fc.integer({ min: 1, max: 86_400_000 }),
  jitter: fc.constant(JITTER.full),
  maxAttempts: fc.integer({ min: 1, max: 100 }),
  maxRetryAfterMs: fc.integer({ min: 0, max: 86_400_000 }),
});
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempts = fc.integer({ min: 1, max: 2_000 });

describe('retry policy', () => {
  it('ends with the last attempt, whatever the receiver asks for', () => {
    fc.assert(
      fc.property(
        policies,
        attempts,
        fc.option(fc.nat(), { nil: undefined }),
        randoms,
        (policy, number, asked, random) => {
          const delayMs = retryDelayMs(policy, { attemptNumber: number, retryAfterMs: asked }, () => random);
          expect(delayMs === undefined).toBe(number >= policy.maxAttempts);
        },
      ),
      propertyParameters(),
    );
  });

  it('without a wish of the receiver is the back-off', () => {
    fc.assert(
      fc.property(policies, attempts, randoms, (policy, number, random) => {
        const endless = { ...policy, maxAttempts: Number.POSITIVE_INFINITY };
        const delayMs = retryDelayMs(endless, { attemptNumber: number }, () => random);
        expect(delayMs).toBe(backoffMs(policy, number, () => random));
      }),
      propertyParameters(),
    );
  });

  it('is never earlier than the receiver asked, within bounds', () => {
    const asked = fc.double({ min: -1e6, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(policies, attempts, asked, randoms, (policy, number, retryAfterMs, random) => {
        const endless = { ...policy, maxAttempts: Number.POSITIVE_INFINITY };
        const delayMs = retryDelayMs(endless, { attemptNumber: number, retryAfterMs }, () => random) ?? -1;
        const bounded = Math.min(Math.max(retryAfterMs, 0), policy.maxRetryAfterMs);
        expect(delayMs).toBeGreaterThanOrEqual(bounded);
        const spread = bounded + Math.min(policy.baseMs, policy.capMs) + 1;
        expect(delayMs).toBeLessThanOrEqual(Math.max(spread, policy.capMs));
      }),
      propertyParameters(),
    );
  });

  it('by default goes on for some hours', () => {
    let hours = 0;
    for (let number = 1; number < DEFAULT_RETRY_POLICY.maxAttempts; number += 1) {
      hours += (retryDelayMs(DEFAULT_RETRY_POLICY, { attemptNumber: number }, () => 0.5) ?? 0) / 3_600_000;
    }
    expect(hours).toBeGreaterThan(8);
    expect(hours).toBeLessThan(12);
    expect(retryDelayMs(DEFAULT_RETRY_POLICY, { attemptNumber: 30 }, () => 0.5)).toBeUndefined();
  });
});
