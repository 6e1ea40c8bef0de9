// Statistics of the events of a period, as far as they are counted.

import {
  type Count,
  type DayCount,
  dayCounts,
  dayOf,
  daysOfMonth,
  monthOf,
  type Period,
} from '../../domain/statistics/utc-days.js';
import type { Clock } from '../../lib/clock.js';
import type {
  CountPlace,
  NamedCount,
  StatisticsStore,
  StatsSelection,
} from '../../storage/ports/statistics-storage.js';

export interface StatsRequest extends Omit<StatsSelection, 'period'> {
  /** Undefined: the present month. */
  readonly period: Period | undefined;
}

export interface Stats {
  readonly asOf: CountPlace;
  readonly period: Period;
  readonly total: Count;
  /** Up to today. */
  readonly days: readonly DayCount[];
  readonly topics: readonly NamedCount[];
  readonly streams: readonly NamedCount[];
}

export interface StatisticsOptions {
  readonly store: Pick<StatisticsStore, 'stats'>;
  readonly clock: Clock;
}

export class Statistics {
  readonly #options: StatisticsOptions;

  constructor(options: StatisticsOptions) {
    this.#options = options;
  }

  async stats({ period: named, ...selection }: StatsRequest): Promise<Stats> {
    const { store, clock } = this.#options;
    const today = dayOf(clock.nowMs() * 1000);
    const period = named ?? daysOfMonth(monthOf(today));
    const { asOf, days: counts, topics, streams } = await store.stats({ ...selection, period });
    // Clocks differ: a day that has events has come.
    const last = Math.min(period.last, Math.max(today, ...counts.keys()));
    const days = dayCounts({ ...period, last }, counts);
    return { asOf, period, total: totalOf(days), days, topics, streams };
  }
}

function totalOf(days: readonly Count[]): Count {
  return days.reduce((sum, { events, bytes }) => ({ events: sum.events + events, bytes: sum.bytes + bytes }), {
    events: 0,
    bytes: 0,
  });
}
