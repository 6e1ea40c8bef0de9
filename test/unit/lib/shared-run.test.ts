import { describe, expect, it } from 'vitest';
import { SharedRun } from '../../../src/lib/shared-run.js';

describe('a shared run', () => {
  it('gives everyone the result of a run that began after he asked, one run at a time', async () => {
    let began = 0;
    let inside = 0;
    const shared = new SharedRun(async () => {
      began += 1;
      const number = began;
      inside += 1;
      expect(inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      if (number === 2) throw new Error('the second');
      return number;
    });
    expect(shared.isIdle).toBe(true);
    const first = shared.run();
    const seconds = [shared.run(), shared.run(), shared.run()];
    expect(shared.isIdle).toBe(false);
    expect(await first).toBe(1);
    const thirds = seconds.map((second) => second.catch((error: Error) => [error.message, shared.run()]));
    for (const answer of await Promise.all(thirds)) {
      const [message, third] = answer as [string, Promise<number>];
      expect(message).toBe('the second');
      expect(await third).toBeGreaterThanOrEqual(3);
    }
    expect(began).toBeLessThanOrEqual(4);
    expect(shared.isIdle).toBe(true);
  });

  it('is joined by those whom one that is under way serves as well', async () => {
    let began = 0;
    const shared = new SharedRun(async () => {
      began += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return began;
    });
    expect(await Promise.all([shared.join(), shared.join(), shared.join()])).toEqual([1, 1, 1]);
    expect(shared.isIdle).toBe(true);
    expect(await shared.join()).toBe(2);
  });
});
