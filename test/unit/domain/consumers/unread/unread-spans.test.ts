import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_UNREAD_SPANS,
  type UnreadSpan,
  withUnread,
} from '../../../../../src/domain/consumers/unread/unread-spans.js';

const eventsOf = (spans: readonly UnreadSpan[]) => spans.reduce((sum, { events }) => sum + events, 0);

describe('what was lost unread', () => {
  it('is one span where it lies near, and several where it does not', () => {
    expect(withUnread([], [5, 7, 9])).toEqual([{ first: 5, last: 9, events: 3 }]);
    expect(withUnread([{ first: 5, last: 9, events: 3 }], [10_009])).toEqual([{ first: 5, last: 10_009, events: 4 }]);
    expect(withUnread([{ first: 5, last: 9, events: 3 }], [10_010])).toEqual([
      { first: 5, last: 9, events: 3 },
      { first: 10_010, last: 10_010, events: 1 },
    ]);
  });

  it('takes in what nobody counted', () => {
    expect(withUnread([{ first: 1, last: 100, events: 0 }], [50])).toEqual([{ first: 1, last: 100, events: 1 }]);
  });

  it('leaves spans alone that it does not touch', () => {
    const far = { first: 1_000_000, last: 1_000_001, events: 2 };
    expect(withUnread([far], [1])[1]).toBe(far);
  });

  it('is never more than so many spans, and all of it is in them', () => {
    const batches = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 10_000_000 }), { maxLength: 60 }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(batches, (all) => {
        let spans: readonly UnreadSpan[] = [];
        for (const batch of all)
          spans = withUnread(
            spans,
            batch.sort((a, b) => a - b),
          );
        expect(spans.length).toBeLessThanOrEqual(MAX_UNREAD_SPANS);
        expect(eventsOf(spans)).toBe(all.flat().length);
        for (const position of all.flat()) {
          expect(spans.some(({ first, last }) => first <= position && position <= last)).toBe(true);
        }
        for (const [index, { first }] of spans.entries()) {
          expect(first).toBeGreaterThan(spans[index - 1]?.last ?? 0);
        }
      }),
    );
  });
});
