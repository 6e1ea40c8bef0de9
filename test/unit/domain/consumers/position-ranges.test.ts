// Ranges of positions, and their stored form.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRanges, encodeRanges, PositionRanges } from '../../../../src/domain/consumers/position-ranges.js';
import { propertyParameters } from '../../../support/property.js';

function rangesOf(...pairs: readonly (readonly [number, number])[]): PositionRanges {
  const ranges = new PositionRanges();
  for (const [first, last] of pairs) ranges.add(first, last);
  return ranges;
}

describe('position ranges', () => {
  it('merges what touches or overlaps', () => {
    expect([...rangesOf([5, 5], [9, 9], [7, 7])]).toEqual([
      [5, 5],
      [7, 7],
      [9, 9],
    ]);
    expect([...rangesOf([5, 5], [7, 7], [6, 6])]).toEqual([[5, 7]]);
    expect([...rangesOf([1, 2], [5, 6], [9, 10], [2, 9])]).toEqual([[1, 10]]);
    expect([...rangesOf([4, 8], [5, 6])]).toEqual([[4, 8]]);
  });

  it('counts events, not positions', () => {
    const ranges = new PositionRanges();
    ranges.add(10, 19, 1);
    ranges.add(20, 29, 1);
    ranges.add(50, 50, 0);
    ranges.count(50);
    ranges.count(40);
    expect([ranges.size, ranges.eventCount, ranges.last]).toEqual([2, 3, 50]);
    ranges.dropUpTo(29);
    expect([ranges.size, ranges.eventCount]).toEqual([1, 1]);
  });

  it('keeps what goes on beyond what is dropped', () => {
    const ranges = rangesOf([2, 3], [5, 9]);
    ranges.dropUpTo(6);
    expect([...ranges]).toEqual([[7, 9]]);
    expect([ranges.has(6), ranges.has(7)]).toEqual([false, true]);
    ranges.dropUpTo(9);
    expect([...ranges]).toEqual([]);
    expect(ranges.last).toBe(0);
  });

  it('agrees with a set of positions, and comes back from its stored form', () => {
    const step = fc.tuple(fc.constantFrom('add', 'add', 'add', 'drop'), fc.nat(120), fc.nat(6));
    const runs = fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 2 ** 33), (steps, base) => {
      const ranges = new PositionRanges();
      const set = new Set<number>();
      for (const [kind, at, length] of steps) {
        const first = base + 1 + at;
        if (kind === 'add') {
          ranges.add(first, first + length);
          for (let position = first; position <= first + length; position++) set.add(position);
        } else {
          ranges.dropUpTo(first);
          for (const position of set) if (position <= first) set.delete(position);
        }
        for (let position = base; position <= base + 130; position++) {
          expect(ranges.has(position)).toBe(set.has(position));
        }
      }
      const expected = [...set].sort((a, b) => a - b);
      const listed = [...ranges].flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, i) => first + i),
      );
      expect(listed).toEqual(expected);
      expect(ranges.last).toBe(expected.at(-1) ?? 0);
      expect(decodeRanges(encodeRanges(ranges))).toEqual([...ranges]);
    });
    fc.assert(runs, propertyParameters(100));
  });
});

describe('stored ranges', () => {
  it('are empty for no ranges and small for many', () => {
    expect(encodeRanges([])).toEqual(new Uint8Array(0));
    expect(decodeRanges(new Uint8Array(0))).toEqual([]);
    const many = Array.from({ length: 10_000 }, (_, index) => [2 ** 40 + 3 * index, 2 ** 40 + 3 * index + 1] as const);
    const stored = encodeRanges(many);
    expect(stored.length).toBeLessThan(20_010);
    expect(decodeRanges(stored)).toEqual(many);
  });

  it.each([
    ['another format', Uint8Array.of(9, 1, 1)],
    ['a cut number', Uint8Array.of(1, 5, 200)],
    ['a cut range', Uint8Array.of(1, 5)],
    ['ranges that do not rise', Uint8Array.of(1, 5, 1, 0, 1)],
    ['a position beyond what is exact', Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0)],
  ])('are refused with %s', (_, bytes) => {
    expect(() => decodeRanges(bytes)).toThrow('stored ranges');
  });
});
