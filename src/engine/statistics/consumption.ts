// How much of what a consumer gets lies behind it, from counters where these can tell.

import { type ConsumerKey, type ConsumerSettings, consumerCriteria } from '../../domain/consumers/consumer.js';
import { countedScope } from '../../domain/statistics/counted-scope.js';
import type { StatisticsStore } from '../../storage/ports/statistics-storage.js';
import type { Position } from '../../units.js';
import { type CountSpan, countEvents, type Effort } from '../consumers/state/event-count.js';
import { type LogSource, selectionOf } from '../log/log-source.js';
import { isShown } from '../log/named-position.js';

/** A consumer and its place. */
export interface ConsumerPlace extends ConsumerKey {
  readonly settings: ConsumerSettings;
  readonly offset: Position;
  readonly head: Position;
}

export interface ConsumptionOptions {
  readonly store: Pick<StatisticsStore, 'total' | 'occurredUpTo'>;
  readonly source: LogSource;
}

export class Consumption {
  readonly #options: ConsumptionOptions;

  constructor(options: ConsumptionOptions) {
    this.#options = options;
  }

  /**
   * Returns the percentage of matching events that lie at or below the offset, exactly; undefined: that cannot be told, or not for so
   * much effort.
   */
  async percentOf(consumer: ConsumerPlace, effort: Effort): Promise<number | undefined> {
    const { store, source } = this.#options;
    const { settings, offset, head } = consumer;
    const scope = countedScope(consumer, settings);
    if (scope === undefined) return undefined;
    if (offset >= head) return 100;
    const { asOf, events, addressed } = await store.total(scope);
    // Counters do not know to whom.
    if (addressed > 0 || !(await isShown(source, asOf))) return undefined;
    const end = Math.max(head, asOf);
    const late = await this.#count(consumer, { after: asOf, upTo: end }, effort);
    if (late === undefined) return undefined;
    const total = events + late;
    const after = await this.#count(consumer, { after: offset, upTo: end }, effort);
    const passed = after === undefined ? await this.#passed(scope, offset, asOf) : total - after;
    if (passed === undefined) return undefined;
    return total === 0 ? 100 : (100 * passed) / total;
  }

  async #passed(scope: Parameters<StatisticsStore['total']>[0], offset: Position, asOf: Position) {
    return offset > asOf ? undefined : this.#options.store.occurredUpTo(scope, offset);
  }

  /** Counts matching events in a span of the log; undefined: they are too many. */
  async #count(consumer: ConsumerPlace, span: CountSpan, effort: Effort): Promise<number | undefined> {
    const selection = selectionOf(consumerCriteria(consumer, consumer.settings));
    const { source } = this.#options;
    const { count, isMinimum } = await countEvents({ source, selection, span, effort });
    return isMinimum ? undefined : count;
  }
}
