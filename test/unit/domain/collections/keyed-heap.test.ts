// The heap of timers and positions.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyedHeap } from '../../../../src/domain/collections/keyed-heap.js';
import { propertyParameters } from '../../../support/property.js';

describe('keyed heap', () => {
  it('gives values back by ascending key', () => {
    const runs = fc.property(fc.array(fc.nat(50), { maxLength: 60 }), fc.nat(60), (keys, early) => {
      const heap = new KeyedHeap<number>();
      const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);
      const popped: number[] = [];
      const rest: number[] = [];
      for (const key of keys) {
        heap.add(key, key);
        rest.push(key);
        if (rest.length <= early) continue;
        expect(heap.minKey).toBe(Math.min(...rest));
        popped.push(heap.pop() as number);
        rest.splice(rest.indexOf(popped.at(-1) as number), 1);
      }
      expect(heap.size).toBe(rest.length);
      const drained = Array.from({ length: heap.size }, () => heap.pop() as number);
      expect(drained).toEqual(sorted(rest));
      expect([...popped, ...drained].length).toBe(keys.length);
    });
    fc.assert(runs, propertyParameters(100));
  });

  it('has nothing when it is empty', () => {
    const heap = new KeyedHeap<string>();
    expect([heap.size, heap.minKey, heap.min, heap.pop()]).toEqual([0, undefined, undefined, undefined]);
    heap.add(3, 'three');
    heap.clear();
    expect(heap.pop()).toBeUndefined();
  });
});
