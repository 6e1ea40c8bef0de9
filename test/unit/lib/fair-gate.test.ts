// Works of several callers at one gate: counted in works before one's own.

import { describe, expect, it } from 'vitest';
import { FairGate } from '../../../src/lib/fair-gate.js';

describe('a fair gate', () => {
  it('lets only so many run, and a caller with one work wait for one turn of another with many', async () => {
    const gate = new FairGate(2);
    const order: string[] = [];
    let running = 0;
    let most = 0;
    const work = async (name: string) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((done) => setImmediate(done));
      running -= 1;
      order.push(name);
    };
    const many = Array.from({ length: 100 }, () => gate.run('many', () => work('many')));
    const few = gate.run('few', () => work('few'));
    await Promise.all([...many, few]);
    expect(most).toBe(2);
    // Two ran already, and one had its turn.
    expect(order.indexOf('few')).toBeLessThanOrEqual(4);
  });

  it('goes on after a work that fails', async () => {
    const gate = new FairGate(1);
    const fails = gate.run('a', async () => {
      throw new Error('no');
    });
    const next = gate.run('b', async () => 'done');
    await expect(fails).rejects.toThrow('no');
    expect(await next).toBe('done');
  });
});

describe('a work that is given up', () => {
  it('leaves its place if it has not begun, and goes on if it has', async () => {
    const gate = new FairGate(1);
    const leaving = new AbortController();
    const begun: string[] = [];
    let end = () => {};
    const first = gate.run(
      'a',
      () =>
        new Promise<void>((done) => {
          end = done;
        }),
      leaving.signal,
    );
    const work = async (name: string) => void begun.push(name);
    const left = gate.run('a', () => work('left'), leaving.signal);
    const refused = expect(left).rejects.toThrow('gone');
    const next = gate.run('a', () => work('next'));
    leaving.abort(new Error('gone'));
    await refused;
    end();
    await Promise.all([first, next]);
    await expect(gate.run('a', () => work('late'), leaving.signal)).rejects.toThrow('gone');
    await gate.run('a', () => work('again'));
    expect(begun).toEqual(['next', 'again']);
  });
});
