// Callers take turns, by the events that they bring: counted in places in the queue.

import { describe, expect, it } from 'vitest';
import { FairQueue, TURN } from '../../../src/lib/fair-queue.js';

interface Unit {
  readonly of: string;
  readonly size: number;
  readonly number: number;
}

function queueOf(...brought: readonly { readonly of: string; readonly size: number; readonly count: number }[]) {
  const queue = new FairQueue<Unit>(({ size }) => size);
  for (const { of, size, count } of brought) {
    for (let number = 0; number < count; number += 1) queue.push(of, { of, size, number });
  }
  return queue;
}

function all(queue: FairQueue<Unit>): Unit[] {
  const units: Unit[] = [];
  for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) units.push(unit);
  return units;
}

/** Events of others before a caller's last unit. */
function eventsBefore(units: readonly Unit[], of: string): number {
  const last = units.findLastIndex((unit) => unit.of === of);
  return units.slice(0, last).reduce((sum, unit) => sum + (unit.of === of ? 0 : unit.size), 0);
}

describe('a caller with few events waits', () => {
  it.each([
    ['single events', 1, 20_000],
    ['batches', 1_000, 20],
    ['units that stand alone', TURN, 600],
  ])('for one turn of another that brings %s without end', (_, size, count) => {
    const units = all(queueOf({ of: 'many', size, count }, { of: 'few', size: 1, count: 10 }));
    expect(eventsBefore(units, 'few')).toBeLessThanOrEqual(TURN);
    expect(units).toHaveLength(count + 10);
  });

  it('for one turn of each where there are many', () => {
    const others = Array.from({ length: 50 }, (_, n) => ({ of: `many ${n}`, size: 1, count: 200 }));
    const units = all(queueOf(...others, { of: 'few', size: 1, count: 10 }));
    expect(eventsBefore(units, 'few')).toBeLessThanOrEqual(50 * TURN);
  });
});

describe('a caller that is alone', () => {
  it('keeps its order', () => {
    expect(all(queueOf({ of: 'one', size: 1_000, count: 20 })).map(({ number }) => number)).toEqual([
      ...Array(20).keys(),
    ]);
  });
});

describe('what is dropped', () => {
  it('leaves the others in their turns', () => {
    const queue = queueOf({ of: 'a', size: 1, count: 4 }, { of: 'b', size: 1, count: 2 });
    expect(queue.drop(({ of, number }) => of === 'a' && number !== 1)).toHaveLength(3);
    expect(all(queue).map(({ number }) => number)).toEqual([0, 2, 3]);
    expect(queue.isEmpty).toBe(true);
  });
});

describe('an item that is taken out', () => {
  it('is not there any more, nor is the line that it was alone in', () => {
    const queue = new FairQueue<string>(() => 1);
    for (const item of ['a1', 'a2', 'a3']) queue.push('a', item);
    queue.push('b', 'b1');
    expect(queue.remove('a', 'a2')).toBe(true);
    expect(queue.remove('b', 'b1')).toBe(true);
    for (const [caller, item] of [
      ['a', 'a2'],
      ['b', 'b1'],
      ['c', 'a1'],
    ] as const) {
      expect(queue.remove(caller, item)).toBe(false);
    }
    queue.push('b', 'b2');
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()].sort()).toEqual(['a1', 'a3', 'b2', undefined]);
    expect(queue.isEmpty).toBe(true);
  });
});
