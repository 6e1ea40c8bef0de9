// How many cancellations a connection may have before it is handed over: always fewer than Node takes.

import { describe, expect, it } from 'vitest';
import { ResetBudget } from '../../../src/grpc/server/http2-server.js';

/** Cancellations until the budget says no, one in so many milliseconds. */
function takenUntilRefused(everyMs: number, most = 20_000): number {
  const budget = new ResetBudget(0);
  let taken = 0;
  while (taken < most && budget.take(taken * everyMs)) taken += 1;
  return taken;
}

/** What nghttp2 does: 1,000 at once, 33 more with each whole second. */
function takenByNode(everyMs: number, most: number): number {
  let left = 1_000;
  let second = 0;
  for (let taken = 0; taken < most; taken += 1) {
    const now = Math.floor((taken * everyMs) / 1000);
    left = Math.min(1_000, left + (now - second) * 33);
    second = now;
    if (left === 0) return taken;
    left -= 1;
  }
  return most;
}

describe('the cancellations of a connection', () => {
  it.each([0, 1, 5, 20, 30, 50])(
    'are too many before Node finds so, one in %d ms, even if only half of them is seen',
    (ms) => {
      const seen = takenUntilRefused(2 * ms);
      expect(2 * seen).toBeLessThanOrEqual(takenByNode(ms, 40_000));
    },
  );

  it('may go on for ever at sixteen a second', () => {
    expect(takenUntilRefused(62.5)).toBe(20_000);
  });
});
