// The parts that count events, and read what is counted.

import { Consumption } from '../engine/statistics/consumption.js';
import { EventCounter } from '../engine/statistics/event-counter.js';
import { Statistics } from '../engine/statistics/statistics.js';
import { MysqlCountStore } from '../storage/mysql/statistics/count-store.js';
import { MysqlStatisticsStore } from '../storage/mysql/statistics/statistics-store.js';
import type { EndedRuns } from '../storage/ports/log-storage.js';
import type { DatabaseHandle } from './database.js';
import type { LogParts } from './log.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

export interface StatisticsPartsOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly instanceId: string;
  /** Former runs of the instance; undefined: none is known. */
  readonly endedRuns: EndedRuns | undefined;
  readonly log: LogParts;
}

export class StatisticsParts {
  readonly statistics: Statistics;
  readonly consumption: Consumption;
  readonly #counts: MysqlCountStore;
  readonly #counter: EventCounter;
  readonly #options: StatisticsPartsOptions;

  constructor(options: StatisticsPartsOptions) {
    const { surroundings, handle, instanceId, log } = options;
    const { clock, metrics, logger } = surroundings;
    const { database } = handle;
    const { names, pages, paced, reader: source } = log;
    const store = new MysqlStatisticsStore({ database, names });
    this.#options = options;
    this.#counts = new MysqlCountStore({ database, names });
    this.#counter = new EventCounter({ store: this.#counts, source, instanceId, clock, logger });
    this.statistics = new Statistics({ store, pages, paced, clock });
    this.consumption = new Consumption({ store, source });
    metrics.statisticsLag.ask = () => this.#counter.lag;
  }

  /** Starts counting. The log has to be started. */
  async start(started: Started): Promise<void> {
    const { endedRuns, surroundings } = this.#options;
    if (endedRuns !== undefined) await this.#counts.releaseEnded(endedRuns);
    this.#counter.start();
    started.add('statistics', () =>
      this.#counter.stop().catch((error: unknown) => {
        surroundings.logger.warn({ err: error }, 'the counting of events was not handed on');
      }),
    );
  }
}
