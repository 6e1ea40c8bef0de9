// Why an awaited event is still awaited: the newest events of its topic, by how much of its description they have.

import { type Description, type Difference, loadDescription } from '../../domain/descriptions/description.js';
import { MadeleineError } from '../../domain/errors.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import { isJsonContentType, type LogEntry } from '../../domain/events/event.js';
import { LoopSlices } from '../../lib/loop-slices.js';
import type { EventId } from '../../units.js';
import type { EventQueries } from '../log/event-queries.js';
import type { LogSource } from '../log/log-source.js';

/** What is looked at: so many events, or about so many bytes of them, in pages. */
const MAX_EVENTS = 2_000;
const MAX_BYTES = 64 * 1024 * 1024;
const PAGE = 500;
const PAGE_BYTES = 1024 * 1024;

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
  readonly queries: Pick<EventQueries, 'byId' | 'list'>;
  readonly source: Pick<LogSource, 'visible'>;
  /** Shared by all who look at many payloads. */
  readonly slices?: LoopSlices;
}

export class ExplainWait {
  readonly #options: ExplainWaitOptions;
  readonly #slices: LoopSlices;

  constructor(options: ExplainWaitOptions) {
    this.#options = options;
    this.#slices = options.slices ?? new LoopSlices();
  }

  /** EVENT_UNKNOWN for an event that was never awaited. */
  async run(eventId: EventId, limit: number, caller = '', signal?: AbortSignal): Promise<Explanation> {
    const event = await this.#options.queries.byId(eventId);
    const text = event?.rest?.description;
    if (event === undefined || text === undefined) {
      throw new MadeleineError('EVENT_UNKNOWN', 'event_id: no event of this id was ever awaited');
    }
    const description = loadDescription(text);
    let misses: NearMiss[] = [];
    let lookedAt = 0;
    const look = (entry: LogEntry) => {
      const difference = differenceOf(description, entry);
      if (difference !== undefined) misses.push({ event: entry, difference });
      return true;
    };
    for await (const entries of this.#newest(event, caller)) {
      lookedAt += entries.length;
      await this.#slices.each(caller, { items: entries, bytesOf: entryBytes, look }, signal);
      misses = misses.sort(byCloseness).slice(0, limit);
    }
    return { event, nearMisses: misses, lookedAt };
  }

  /** Pages of what occurred in the event's topic, newest first. */
  async *#newest({ context, topic }: LogEntry, caller: string): AsyncGenerator<readonly LogEntry[], void> {
    const { queries, source } = this.#options;
    let upTo = source.visible;
    for (let seen = 0, bytes = 0; seen < MAX_EVENTS && bytes < MAX_BYTES && upTo > 0; ) {
      const limit = Math.min(PAGE, MAX_EVENTS - seen);
      const options = { after: 0, upTo, limit, maxBytes: PAGE_BYTES, newestFirst: true, caller };
      const { entries, scannedTo } = await queries.list({ context, topics: [topic] }, options);
      yield entries;
      seen += entries.length;
      bytes += entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      upTo = scannedTo;
    }
  }
}

function differenceOf(description: Description, { payload }: LogEntry): Difference | undefined {
  if (payload === undefined || !isJsonContentType(payload.contentType)) return undefined;
  return description.differenceTo(payload.bytes);
}

function byCloseness(a: NearMiss, b: NearMiss): number {
  return b.difference.matching - a.difference.matching || b.event.position - a.event.position;
}
