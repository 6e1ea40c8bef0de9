// Why an awaited event is still awaited: the newest events of its topic, by how much of its description they have.

import { type Difference, loadDescription } from '../../domain/descriptions/description.js';
import { MadeleineError } from '../../domain/errors.js';
import { isJsonContentType, type LogEntry } from '../../domain/events/event.js';
import type { EventId } from '../../units.js';
import type { EventQueries } from '../log/event-queries.js';
import type { LogSource } from '../log/log-source.js';

/** Events that are looked at, in pages of so many. */
const MAX_EVENTS = 2_000;
const PAGE = 500;

export interface NearMiss {
  readonly event: LogEntry;
  readonly difference: Difference;
}

export interface Explanation {
  /** The awaited event, or what became of it. */
  readonly event: LogEntry;
  /** The closest first, among them the newest. */
  readonly nearMisses: readonly NearMiss[];
  readonly lookedAt: number;
}

export interface ExplainWaitOptions {
  readonly queries: EventQueries;
  readonly source: LogSource;
}

export class ExplainWait {
  readonly #options: ExplainWaitOptions;

  constructor(options: ExplainWaitOptions) {
    this.#options = options;
  }

  /** EVENT_UNKNOWN for an event that was never awaited. */
  async run(eventId: EventId, limit: number): Promise<Explanation> {
    const event = await this.#options.queries.byId(eventId);
    const text = event?.rest?.description;
    if (event === undefined || text === undefined) {
      throw new MadeleineError('EVENT_UNKNOWN', 'event_id: no event of this id was ever awaited');
    }
    const description = loadDescription(text);
    let misses: NearMiss[] = [];
    let lookedAt = 0;
    for await (const entries of this.#newest(event)) {
      lookedAt += entries.length;
      for (const entry of entries) {
        if (entry.payload === undefined || !isJsonContentType(entry.payload.contentType)) continue;
        const difference = description.differenceTo(entry.payload.bytes);
        if (difference !== undefined) misses.push({ event: entry, difference });
      }
      misses = misses.sort(byCloseness).slice(0, limit);
    }
    return { event, nearMisses: misses, lookedAt };
  }

  /** Pages of what occurred in the event's topic, newest first. */
  async *#newest({ context, topic }: LogEntry): AsyncGenerator<readonly LogEntry[], void> {
    const { queries, source } = this.#options;
    let upTo = source.visible;
    for (let seen = 0; seen < MAX_EVENTS && upTo > 0; ) {
      const options = { after: 0, upTo, limit: Math.min(PAGE, MAX_EVENTS - seen), newestFirst: true };
      const { entries, scannedTo } = await queries.list({ context, topics: [topic] }, options);
      yield entries;
      seen += entries.length;
      upTo = scannedTo;
    }
  }
}

function byCloseness(a: NearMiss, b: NearMiss): number {
  return b.difference.matching - a.difference.matching || b.event.position - a.event.position;
}
