import { describe, expect, it } from 'vitest';
import { LIVED_MS, MAX_GIVEN, MemberGaps } from '../../../../../src/engine/consumers/gaps/member-gaps.js';

const gap = (id: number) => ({ id, first: id, last: id, events: 1 });
const ids = (gaps: readonly { readonly id: number }[]) => gaps.map(({ id }) => id);
const at = (now: number, address = '', lease?: number) => ({ now, address, lease });

function withGaps(...leases: readonly number[]): MemberGaps {
  const gaps = new MemberGaps();
  for (const [index, lease] of leases.entries()) gaps.add(gap(index + 1), lease);
  return gaps;
}

describe('a gap that a member is told of', () => {
  it('waits until it is given, and is given once by itself', () => {
    const gaps = withGaps(5, 5);
    expect(gaps.isWaiting).toBe(true);
    expect([gaps.next(at(0))?.id, gaps.next(at(0))?.id, gaps.next(at(0))]).toEqual([1, 2, undefined]);
    expect(gaps.isWaiting).toBe(false);
    expect(ids(gaps.takeAll())).toEqual([1, 2]);
  });

  it('is given with each answer until the member has it', () => {
    const gaps = withGaps(5);
    expect([ids(gaps.all(at(0))), ids(gaps.all(at(1)))]).toEqual([[1], [1]]);
    expect(ids(gaps.answered(5))).toEqual([1]);
    expect(gaps.all(at(2))).toEqual([]);
  });

  it('is had by who answers what was leased later, or came with it, and by nobody before it is given', () => {
    const gaps = withGaps(5, 9);
    expect(gaps.answered(20)).toEqual([]);
    gaps.all(at(0));
    expect([ids(gaps.answered(4)), ids(gaps.answered(5)), ids(gaps.answered(8))]).toEqual([[], [1], []]);
    gaps.all(at(0, '', 7));
    expect(ids(gaps.answered(7))).toEqual([2]);
  });

  it('is had by who calls over the same connection a minute later, not over another one', () => {
    const gaps = withGaps(5);
    gaps.all(at(0, 'a'));
    gaps.all(at(1, 'b'));
    expect(gaps.lived(LIVED_MS - 1, 'a')).toEqual([]);
    expect(gaps.lived(LIVED_MS + 1, 'b')).toEqual([]);
    // The first connection may have gone: from here on the second one counts.
    gaps.all(at(LIVED_MS + 1, 'b'));
    expect(gaps.lived(LIVED_MS + 2, 'a')).toEqual([]);
    expect(ids(gaps.lived(2 * LIVED_MS + 1, 'b'))).toEqual([1]);
  });

  it('waits for others when nobody is there to take it, and not what was given', () => {
    const gaps = withGaps(5);
    gaps.all(at(0));
    gaps.add(gap(2), 6);
    expect(ids(gaps.takeWaiting())).toEqual([2]);
    expect(ids(gaps.takeAll())).toEqual([1]);
  });

  it('counts as had where there are too many, the oldest first', () => {
    const gaps = withGaps(...Array.from({ length: MAX_GIVEN + 2 }, () => 5));
    expect(gaps.lived(0, '')).toEqual([]);
    gaps.all(at(0));
    expect(ids(gaps.lived(1, ''))).toEqual([1, 2]);
    expect(gaps.lived(1, '')).toEqual([]);
  });
});
