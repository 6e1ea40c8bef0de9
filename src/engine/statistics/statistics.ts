// Statistics of the events of a period, as far as they are counted. They add up very many counters: few are read at a time.

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
import type { FairGate } from '../../lib/fair-gate.js';
import { LargeReads, type ReadFor } from '../../lib/large-reads.js';
import type { Paced } from '../../lib/paced.js';
import type {
  CountPlace,
  NamedCount,
  StatisticsStore,
  StatsSelection,
} from '../../storage/ports/statistics-storage.js';

/** Statistics that are read at a time, for all callers. */
const READ_AT_ONCE = 2;

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
  /** See LogReaderOptions. */
  readonly pages: FairGate;
  readonly paced: Paced;
  readonly clock: Clock;
}

export class Statistics {
  readonly #options: StatisticsOptions;
  readonly #reads: LargeReads;

  constructor(options: StatisticsOptions) {
    this.#options = options;
    this.#reads = new LargeReads({ ...options, atOnce: READ_AT_ONCE });
  }

  /** Returns the statistics when it is the caller's turn. */
  async stats({ period: named, ...selection }: StatsRequest, by: ReadFor): Promise<Stats> {
    const { store, clock } = this.#options;
    const today = dayOf(clock.nowMs() * 1000);
    const period = named ?? daysOfMonth(monthOf(today));
    const {
      asOf,
      days: counts,
      topics,
      streams,
    } = await this.#reads.run(by, () => {
      return store.stats({ ...selection, period });
    });
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
