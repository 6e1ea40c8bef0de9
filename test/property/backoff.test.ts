import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backoff, backoffMs, JITTER, spreadMs } from '../../src/domain/backoff.js';
import { propertyParameters } from '../support/property.js';

const bounds = fc.record({
  baseMs: fc.integer({ min: 1, max: 60_000 }),
  capMs: fc.integer({ min: 1, max: 86_400_000 }),
});
const policies = bounds.map((bound): Backoff => ({ ...bound, jitter: JITTER.full }));
const jitters = fc.constantFrom(...Object.values(JITTER));
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempts = fc.integer({ min: 1, max: 2_000 });

describe('back-off', () => {
  it('keeps each delay within [0, min(cap, base * 2^(n-1))]', () => {
    fc.assert(
      fc.property(policies, attempts, randoms, (policy, number, random) => {
        const delayMs = backoffMs(policy, number, () => random);
        expect(Number.isInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(Math.min(policy.capMs, policy.baseMs * 2 ** (number - 1)));
      }),
      propertyParameters(),
    );
  });

  it('reaches both ends of the interval', () => {
    fc.assert(
      fc.property(policies, attempts, (policy, number) => {
        expect(backoffMs(policy, number, () => 0)).toBe(0);
        const bound = Math.min(policy.capMs, policy.baseMs * 2 ** (number - 1));
        expect(backoffMs(policy, number, () => 1 - 2 ** -53)).toBe(bound);
      }),
      propertyParameters(),
    );
  });

  it('doubles the bound of the delay with each failure in a row, up to the cap', () => {
    const policy = { baseMs: 100, capMs: 1_000, jitter: JITTER.upperHalf };
    expect([1, 2, 3, 4, 5, 6].map((failures) => backoffMs(policy, failures, () => 1 - 2 ** -53))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    expect([1, 2, 3, 4, 5, 6].map((failures) => backoffMs(policy, failures, () => 0))).toEqual([
      50, 100, 200, 400, 500, 500,
    ]);
  });

  it('keeps each delay within its jitter, in whole milliseconds', () => {
    fc.assert(
      fc.property(bounds, jitters, attempts, randoms, ({ baseMs }, jitter, number, random) => {
        // Long enough that a whole number lies in the jitter.
        const delayMs = baseMs + 3 + number;
        const spread = spreadMs(delayMs, jitter, () => random);
        expect(Number.isInteger(spread)).toBe(true);
        expect(spread).toBeGreaterThanOrEqual(delayMs * jitter[0]);
        expect(spread).toBeLessThanOrEqual(delayMs * jitter[1]);
      }),
      propertyParameters(),
    );
  });
});
