// Ages of events by the time of the log, of which the spans that the database's clock leapt over count for nothing: a wrong clock deletes
// nothing.

import type { Micros } from '../../units.js';

/** A span of the log's time that did not pass: the clock leapt from its beginning to its end. */
export interface LeaptSpan {
  readonly from: Micros;
  readonly to: Micros;
}

/** A clock is wrong, or was, that is ahead of or behind where it should be by more than this. */
export const LEAP_MICROS: Micros = 86_400_000_000;

/** Returns the spans in their order, those that overlap as one. */
export function mergedSpans(spans: readonly LeaptSpan[]): readonly LeaptSpan[] {
  const merged: LeaptSpan[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || span.from > last.to) merged.push(span);
    else merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
  }
  return merged;
}

/** Returns the latest time of creation at which an event is at least so old; negative where the log is younger. */
export function createdBefore(now: Micros, age: Micros, spans: readonly LeaptSpan[]): Micros {
  const merged = mergedSpans(spans);
  const leapt = merged.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, now) - from), 0);
  let time = now - leapt - age;
  for (const { from, to } of merged) if (from <= time) time += to - from;
  return Math.min(time, now);
}

/** Returns how old an event is that was created then, by the log's time. */
export function ageOf(createdAt: Micros, now: Micros, spans: readonly LeaptSpan[]): Micros {
  const leapt = mergedSpans(spans).map(({ from, to }) => Math.min(to, now) - Math.max(from, createdAt));
  return now - createdAt - leapt.reduce((sum, micros) => sum + Math.max(0, micros), 0);
}

/** What is found out of the database's clock by looking at it again. */
export interface ClockReading {
  /** What it shows. */
  readonly at: Micros;
  /** What it should show: what it showed before, and the time since by a clock that never jumps. */
  readonly expected: Micros;
}

/** Whether the clock leapt between two looks. */
export function isLeap({ at, expected }: ClockReading): boolean {
  return Math.abs(at - expected) > LEAP_MICROS;
}

/**
 * Returns the spans that count for nothing after a leap. Forward: also the one that it leapt over. Back: what lies behind the time that is
 * shown now was not leapt over, it is still to come.
 */
export function afterLeap({ at, expected }: ClockReading, spans: readonly LeaptSpan[]): readonly LeaptSpan[] {
  if (at > expected) return mergedSpans([...spans, { from: expected, to: at }]);
  return mergedSpans(spans.filter(({ to }) => to <= at));
}
