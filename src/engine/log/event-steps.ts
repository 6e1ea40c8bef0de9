// Where the matching events are that lie so many before or after a position.

import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { FairGate } from '../../lib/fair-gate.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type { Position } from '../../units.js';
import type { LogSource } from './log-source.js';

export interface EventStepsOptions {
  readonly log: Pick<EventLog, 'readPositions'>;
  readonly source: Pick<LogSource, 'visible'>;
  /** See LogReaderOptions. */
  readonly pages: FairGate;
}

export interface Step {
  /** The offset there. */
  readonly offset: Position;
  /** Events between it and where the step began. */
  readonly moved: number;
}

export class EventSteps {
  readonly #options: EventStepsOptions;

  constructor(options: EventStepsOptions) {
    this.#options = options;
  }

  /**
   * Goes from an offset by so many matching events, back if they are negative, and no further than there are any. The step back ends
   * right before the last of them, the step forward on it. Rejects with the signal's reason, which ends the reading: it may go through
   * the whole log.
   */
  async from(criteria: EventCriteria, offset: Position, events: number, signal?: AbortSignal): Promise<Step> {
    const isBack = events < 0;
    const most = Math.abs(events);
    const found: Position[] = [];
    let range = isBack ? { after: 0, upTo: offset } : { after: offset, upTo: this.#options.source.visible };
    while (found.length < most && range.after < range.upTo) {
      signal?.throwIfAborted();
      const { positions, scannedTo } = await this.#read(criteria, {
        ...{ ...range, limit: most - found.length },
        newestFirst: isBack,
      });
      found.push(...(isBack ? positions.toReversed() : positions));
      range = isBack ? { after: 0, upTo: scannedTo } : { ...range, after: scannedTo };
    }
    const last = found.at(-1);
    if (last === undefined) return { offset, moved: 0 };
    return { offset: isBack ? last - 1 : last, moved: found.length };
  }

  #read(criteria: EventCriteria, options: Parameters<EventLog['readPositions']>[1]) {
    const { log, pages } = this.#options;
    return pages.run('', () => log.readPositions(criteria, options));
  }
}
