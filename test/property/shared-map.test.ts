// A map whose copies share their buckets holds what a map holds, and no copy changes another one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedMap } from '../../src/domain/collections/shared-map.js';
import { propertyParameters } from '../support/property.js';

const key = fc.oneof(
  fc.nat(3_000).map((n) => `${n}`),
  // Of one bucket: "Aa" and "BB" have the same hash.
  fc.array(fc.constantFrom('Aa', 'BB'), { minLength: 3, maxLength: 3 }).map((parts) => parts.join('')),
);

function contents<K extends string | number>(map: SharedMap<K, number>, keys: readonly K[]) {
  return { size: map.size, values: [...map.values()].sort(), of: keys.map((one) => map.get(one)) };
}

describe.each([
  ['texts', key],
  ['numbers', fc.nat(3_000)],
] as const)('a shared map of %s', (_, keys: fc.Arbitrary<string | number>) => {
  it('has what a map has, and stays as it was', () => {
    const change = fc.tuple(keys, fc.option(fc.nat(), { nil: undefined }));
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, fc.nat())), fc.array(change), (first, changes) => {
        const expected = new Map(first);
        const all = [...first, ...changes].map(([one]) => one);
        let map = SharedMap.of(expected);
        for (const [one, value] of changes) {
          const before = contents(map, all);
          const former = map;
          map = map.with(one, value);
          if (value === undefined) expected.delete(one);
          else expected.set(one, value);
          expect(contents(former, all)).toEqual(before);
        }
        expect(contents(map, all)).toEqual({
          size: expected.size,
          values: [...expected.values()].sort(),
          of: all.map((one) => expected.get(one)),
        });
      }),
      propertyParameters(100),
    );
  });
});
