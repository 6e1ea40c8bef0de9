import { describe, expect, it } from 'vitest';
import { backoffMs, doubledMs } from '../../../src/domain/backoff.js';

describe('back-off', () => {
  it('doubles from the base on, up to the bound', () => {
    const delays = [0, 1, 2, 3, 4, 5].map((failures) => doubledMs({ baseMs: 100, capMs: 1_000 }, failures));
    expect(delays).toEqual([100, 100, 200, 400, 800, 1_000]);
  });

  it('is a number after any number of failures, also where the base is nothing', () => {
    for (const failures of [61, 1_025, 2 ** 31]) {
      expect(doubledMs({ baseMs: 1, capMs: 86_400_000 }, failures)).toBe(86_400_000);
      expect(doubledMs({ baseMs: 0, capMs: 86_400_000 }, failures)).toBe(0);
    }
  });

  it('leaves to chance what the jitter says, both ends included', () => {
    const delay = (jitter: readonly [number, number], random: number) =>
      backoffMs({ baseMs: 100, capMs: 100, jitter }, 1, () => random);
    expect([delay([0.5, 1], 0), delay([0.5, 1], 1 - 2 ** -30)]).toEqual([50, 100]);
    expect([delay([1, 1], 0), delay([1, 1], 0.9)]).toEqual([100, 100]);
    expect([delay([0, 1], 0), delay([0, 1], 1 - 2 ** -30)]).toEqual([0, 100]);
  });
});
