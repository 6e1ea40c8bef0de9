import { describe, expect, it } from 'vitest';
import {
  afterLeap,
  createdBefore,
  isLeap,
  type LeaptSpan,
  mergedSpans,
} from '../../../../src/domain/retention/log-time.js';
import { RandomChoices } from '../../../support/random.js';

const DAY = 86_400_000_000;
const YEAR = 365 * DAY;

/** How much of the time passed up to each moment, moment by moment. */
function passing(end: number, spans: readonly LeaptSpan[]): readonly number[] {
  const passed = [0];
  for (let at = 0; at < end; at += 1) {
    const isLeapt = spans.some(({ from, to }) => from <= at && at < to);
    passed.push((passed[at] ?? 0) + (isLeapt ? 0 : 1));
  }
  return passed;
}

describe('the age of an event', () => {
  it('is the time since it was created where no clock leapt', () => {
    expect(createdBefore(100, 30, [])).toBe(70);
    expect(createdBefore(100, 130, [])).toBe(-30);
  });

  it('does not grow by a span that was leapt over', () => {
    // The clock stood at 1000 and leapt to 5000; it shows 5100.
    const spans = [{ from: 1_000, to: 5_000 }];
    expect(createdBefore(5_100, 50, spans)).toBe(5_050);
    expect(createdBefore(5_100, 100, spans)).toBe(5_000);
    expect(createdBefore(5_100, 101, spans)).toBe(999);
    expect(createdBefore(5_100, 300, spans)).toBe(800);
  });

  it('stands still while the clock shows a time within a span', () => {
    const spans = [{ from: 1_000, to: 5_000 }];
    expect(createdBefore(3_000, 10, spans)).toBe(990);
  });

  it('is what a count of the moments says', () => {
    const choices = new RandomChoices(43);
    for (let run = 0; run < 500; run += 1) {
      const spans = Array.from({ length: choices.between(0, 4) }, () => {
        const from = choices.between(0, 150);
        return { from, to: from + choices.between(1, 60) };
      });
      const now = choices.between(1, 250);
      const age = choices.between(1, 120);
      const time = createdBefore(now, age, spans);
      const passed = passing(now, spans);
      const isOld = passed.map((then) => (passed[now] ?? 0) - then >= age);
      expect(
        isOld.map((_, created) => created <= time),
        JSON.stringify({ spans, now, age }),
      ).toEqual(isOld);
    }
  });
});

describe('a leap of the clock', () => {
  it('is one of more than a day, forward or back', () => {
    expect(isLeap({ at: YEAR + DAY, expected: YEAR })).toBe(false);
    expect(isLeap({ at: YEAR + DAY + 1, expected: YEAR })).toBe(true);
    expect(isLeap({ at: YEAR, expected: YEAR + DAY + 1 })).toBe(true);
  });

  it('forward is a span more, back takes away what is still to come', () => {
    const leapt = afterLeap({ at: 2 * YEAR, expected: YEAR }, []);
    expect(leapt).toEqual([{ from: YEAR, to: 2 * YEAR }]);
    expect(afterLeap({ at: YEAR + DAY, expected: 2 * YEAR }, leapt)).toEqual([]);
    expect(afterLeap({ at: 2 * YEAR + DAY, expected: 3 * YEAR }, leapt)).toEqual(leapt);
  });

  it('that overlaps another one is one with it', () => {
    expect(
      mergedSpans([
        { from: 5, to: 9 },
        { from: 1, to: 3 },
        { from: 2, to: 4 },
      ]),
    ).toEqual([
      { from: 1, to: 4 },
      { from: 5, to: 9 },
    ]);
  });
});
