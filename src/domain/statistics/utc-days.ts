// Days and months by UTC: as numbers, as people write them, and what the days of a period had in comparison with the day before each.

import type { Micros } from '../../units.js';

const MICROS_A_DAY = 86_400_000_000;
const MS_A_DAY = 86_400_000;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MONTH = /^\d{4}-\d{2}$/;

/** Days since 1970-01-01, from `first` to `last`, both included. */
export interface Period {
  readonly first: number;
  readonly last: number;
}

/** Returns the day of an instant: days since 1970-01-01. */
export function dayOf(time: Micros): number {
  return Math.floor(time / MICROS_A_DAY);
}

/** Returns the month of a day: months since 1970-01. */
export function monthOf(day: number): number {
  const date = new Date(day * MS_A_DAY);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

/** Returns the days of a month. */
export function daysOfMonth(month: number): Period {
  return { first: firstOf(month), last: firstOf(month + 1) - 1 };
}

function firstOf(month: number): number {
  return Date.UTC(1970, month, 1) / MS_A_DAY;
}

/** Returns a day as YYYY-MM-DD. */
export function dayText(day: number): string {
  return new Date(day * MS_A_DAY).toISOString().slice(0, 10);
}

/** Reads YYYY-MM-DD; undefined: it names no day since 1970. */
export function readDay(text: string): number | undefined {
  const day = DAY.test(text) ? Date.parse(`${text}T00:00:00Z`) / MS_A_DAY : Number.NaN;
  // Date.parse takes 02-30 for a day of March.
  return day >= 0 && dayText(day) === text ? day : undefined;
}

/** Reads YYYY-MM; undefined: it names no month since 1970. */
export function readMonth(text: string): number | undefined {
  const day = MONTH.test(text) ? readDay(`${text}-01`) : undefined;
  return day === undefined ? undefined : monthOf(day);
}

/** Whether the period is one whole month. */
export function isMonth({ first, last }: Period): boolean {
  const days = daysOfMonth(monthOf(first));
  return days.first === first && days.last === last;
}

/** What was counted. */
export interface Count {
  readonly events: number;
  readonly bytes: number;
}

export interface DayCount extends Count {
  readonly day: number;
  /** Events more than on the day before. */
  readonly change: number;
  /** The change in percent of what that day had; undefined: it had nothing. */
  readonly changePercent: number | undefined;
}

const NOTHING: Count = { events: 0, bytes: 0 };

/** Returns every day of the period with its count, those without events too; `counts` has those with events, and of the day before. */
export function dayCounts({ first, last }: Period, counts: ReadonlyMap<number, Count>): readonly DayCount[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    const day = first + index;
    const { events, bytes } = counts.get(day) ?? NOTHING;
    const before = (counts.get(day - 1) ?? NOTHING).events;
    const change = events - before;
    return { day, events, bytes, change, changePercent: before === 0 ? undefined : (100 * change) / before };
  });
}
