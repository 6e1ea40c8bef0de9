// Days and months by UTC, and the days of a period with their changes.

import { describe, expect, it } from 'vitest';
import {
  dayCounts,
  dayOf,
  daysOfMonth,
  dayText,
  isMonth,
  monthOf,
  readDay,
  readMonth,
} from '../../../../src/domain/statistics/utc-days.js';

const day = (text: string) => readDay(text) ?? Number.NaN;
const month = (text: string) => readMonth(text) ?? Number.NaN;

describe('days', () => {
  it('begin at midnight UTC', () => {
    const midnight = Date.UTC(2026, 10, 27) * 1000;
    expect(dayText(dayOf(midnight))).toBe('2026-11-27');
    expect(dayText(dayOf(midnight - 1))).toBe('2026-11-26');
    expect(dayText(dayOf(0))).toBe('1970-01-01');
  });

  it.each(['2026-02-30', '2025-02-29', '2026-13-01', '2026-1-1', '1969-12-31', '26-01-01', '', '2026-11-27T00:00:00Z'])(
    'are not %j',
    (text) => expect(readDay(text)).toBeUndefined(),
  );

  it.each(['2026-13', '2026-00', '2026', '1969-12', '2026-11-27', ''])('of a month are not those of %j', (text) =>
    expect(readMonth(text)).toBeUndefined(),
  );

  it.each([
    ['2024-02', '2024-02-01', '2024-02-29', 29],
    ['2026-02', '2026-02-01', '2026-02-28', 28],
    ['2000-02', '2000-02-01', '2000-02-29', 29],
    ['2026-12', '2026-12-01', '2026-12-31', 31],
    ['1970-01', '1970-01-01', '1970-01-31', 31],
  ])('of %s are from %s to %s', (text, first, last, count) => {
    const period = daysOfMonth(month(text));
    expect([dayText(period.first), dayText(period.last)]).toEqual([first, last]);
    expect(period.last - period.first + 1).toBe(count);
    expect(monthOf(period.first)).toBe(month(text));
    expect(monthOf(period.last)).toBe(month(text));
    expect(isMonth(period)).toBe(true);
    expect(isMonth({ ...period, last: period.last - 1 })).toBe(false);
    expect(isMonth({ ...period, last: period.last + 1 })).toBe(false);
  });
});

describe('the days of a period', () => {
  const first = day('2026-03-01');

  it('are all there, those without events too', () => {
    const counts = new Map([[first + 1, { events: 4, bytes: 40 }]]);
    expect(dayCounts({ first, last: first + 2 }, counts)).toEqual([
      { day: first, events: 0, bytes: 0, change: 0, changePercent: undefined },
      { day: first + 1, events: 4, bytes: 40, change: 4, changePercent: undefined },
      { day: first + 2, events: 0, bytes: 0, change: -4, changePercent: -100 },
    ]);
  });

  it('are compared with the day before the period too', () => {
    const counts = new Map([
      [first - 1, { events: 8, bytes: 1 }],
      [first, { events: 10, bytes: 1 }],
    ]);
    expect(dayCounts({ first, last: first }, counts)).toMatchObject([{ change: 2, changePercent: 25 }]);
  });

  it('are none when it ends before it begins', () => {
    expect(dayCounts({ first, last: first - 1 }, new Map())).toEqual([]);
  });
});
