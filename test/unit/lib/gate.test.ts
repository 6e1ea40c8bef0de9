import { describe, expect, it } from 'vitest';
import { Gate } from '../../../src/lib/gate.js';

describe('a gate', () => {
  it('lets so many in at a time, the others in their order, also after one failed', async () => {
    const gate = new Gate(2);
    let inside = 0;
    let most = 0;
    const began: number[] = [];
    const work = (n: number) => async () => {
      began.push(n);
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      if (n === 3) throw new Error('three');
      return n;
    };
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => gate.run(work(n))));
    expect(most).toBe(2);
    expect(began).toEqual(Array.from({ length: 10 }, (_, n) => n));
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});
