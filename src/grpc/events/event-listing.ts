// ListEvents: pages of the log, and of what is awaited where that is asked for. What is awaited has not happened: it comes last, or
// first where the newest come first.

import type { ListEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { PassedConsumers } from '../../engine/consumers/passed/passed-consumers.js';
import type { EventQueries } from '../../engine/log/event-queries.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { LoopSlices } from '../../lib/loop-slices.js';
import type { Paced } from '../../lib/paced.js';
import type { Position } from '../../units.js';
import { listPage, type Read } from '../wire/pages.js';
import { payloadForm } from '../wire/wire.js';
import type { EventFrames } from './event-frames.js';
import { listCriteria, listEcho } from './event-wire.js';
import { ListSpan, type SpanFilter, type SpanSource } from './list-span.js';
import { PassedBeside } from './passed-beside.js';

export interface EventListingOptions {
  readonly queries: Pick<EventQueries, 'list' | 'awaited'>;
  readonly source: SpanSource & Pick<LogSource, 'epoch'>;
  readonly frames: EventFrames;
  /** Shared by all who look at many payloads. */
  readonly slices?: LoopSlices;
  readonly paced?: Paced;
  readonly passed: Pick<PassedConsumers, 'of'>;
}

/** Events of a page that tells of consumers. */
const MAX_WITH_CONSUMERS = 100;
/** Events of a page that is no large work. */
const SMALL_PAGE = 100;

/** Parts of a listing, as its tokens name them. */
const LOG_PART = 'log';
const AWAITED_PART = 'awaited';

/**
 * Where a listing goes on: after a position of the log, or after an event id of what is awaited; 0 is its beginning.
 */
const PART_KEY = { part: 'text', after: 'position' } as const;
/** The key of listings of the log alone, which have one part. */
const LOG_KEY = { after: 'position' } as const;

interface Place {
  readonly part: string;
  readonly after: number;
}

interface Item extends Place {
  readonly entry: LogEntry;
}

type Part = Read<Item, typeof PART_KEY>;

interface Listing extends SpanFilter {
  readonly caller: string;
  /** Encodes an entry as it is answered, which is kept with it. */
  readonly encode: (entry: LogEntry) => boolean;
  /** Undefined: consumers are not asked for. */
  readonly beside: PassedBeside | undefined;
}

export class EventListing {
  readonly #options: EventListingOptions;
  readonly #slices: LoopSlices;

  constructor(options: EventListingOptions) {
    this.#options = options;
    this.#slices = options.slices ?? new LoopSlices();
  }

  /** The encoded ListEventsResponse. */
  list(request: ListEventsRequest, signal: AbortSignal, caller = ''): Promise<Uint8Array> {
    const { paced } = this.#options;
    const isSmall = request.pageSize <= SMALL_PAGE;
    return isSmall || paced === undefined
      ? this.#list(request, signal, caller)
      : paced.run(caller, () => this.#list(request, signal, caller));
  }

  async #list(request: ListEventsRequest, signal: AbortSignal, caller: string): Promise<Uint8Array> {
    signal.throwIfAborted();
    const { source, frames } = this.#options;
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const criteria = listCriteria(request.filter);
    const { newestFirst } = request;
    const { afterPosition = 0n, beforePosition } = request.filter ?? {};
    const encode = (entry: LogEntry) => frames.encoded(entry, form).byteLength > 0;
    const { withConsumers } = request;
    const asking = { caller, signal };
    const beside = withConsumers ? new PassedBeside(this.#options.passed, criteria.context, asking) : undefined;
    const listing = { criteria, newestFirst, afterPosition, beforePosition, signal, caller, encode, beside };
    const bytesOf = (entry: LogEntry) =>
      beside === undefined
        ? frames.encoded(entry, form)
        : Buffer.concat([frames.encoded(entry, form), beside.of(entry)]);
    const list = {
      of: ['ListEvents', criteria, newestFirst, Number(afterPosition), String(beforePosition)] as const,
      epoch: source.epoch,
      toWire: ({ entry }: Item) => entry,
      codec: { encode: (entry: LogEntry) => ({ finish: () => bytesOf(entry) }) },
    };
    const pageSize = withConsumers ? Math.min(request.pageSize, MAX_WITH_CONSUMERS) : request.pageSize;
    const paged = { pageSize, pageToken: request.pageToken };
    const page = showsAwaited(criteria)
      ? await listPage(paged, { ...list, key: PART_KEY, read: (at, limit) => this.#parts(listing, at, limit) })
      : await listPage(paged, { ...list, key: LOG_KEY, read: (at, limit) => this.#log(listing, at?.after, limit) });
    return frames.listed(page, listEcho(request.filter, criteria), form, beside);
  }

  /** What follows a place in a listing that shows what is awaited, and perhaps entries. */
  async #parts(listing: Listing, at: Place | undefined, limit: number): Promise<Part> {
    const { criteria, newestFirst } = listing;
    const begins = newestFirst || !showsLog(criteria) ? AWAITED_PART : LOG_PART;
    if ((at?.part ?? begins) === AWAITED_PART) return this.#awaited(listing, at?.after);
    const log = await this.#log(listing, at?.after, limit);
    return newestFirst ? log : { ...log, next: log.next ?? { part: AWAITED_PART, after: 0 } };
  }

  async #log(listing: Listing, from: Position | undefined, limit: number): Promise<Part> {
    const { criteria, newestFirst, caller, encode } = listing;
    const span = await new ListSpan(this.#options.source, listing).from(from);
    const { entries, scannedTo } = await this.#options.queries.list(criteria, { ...span, limit, newestFirst, caller });
    // Kept with each entry. A page may be as much work as what slices are for.
    await this.#slices.each(caller, { items: entries, bytesOf: entryBytes, look: encode }, listing.signal);
    await listing.beside?.look(entries);
    const isDone = newestFirst ? scannedTo <= span.after : scannedTo >= span.upTo;
    return {
      // Going down, the next page begins with the position below.
      items: entries.map((entry) => ({
        entry,
        part: LOG_PART,
        after: newestFirst ? entry.position - 1 : entry.position,
      })),
      next: isDone ? undefined : { part: LOG_PART, after: scannedTo },
    };
  }

  /** What is awaited, after an event id; newest first the log comes after it. */
  async #awaited(listing: Listing, from: number | undefined): Promise<Part> {
    const { criteria, newestFirst, caller } = listing;
    const { upTo } = await new ListSpan(this.#options.source, listing).whole();
    const after = from === 0 ? undefined : from;
    const { entries, next } = await this.#options.queries.awaited(criteria, { after, newestFirst, caller });
    const log = newestFirst && showsLog(criteria) ? { part: LOG_PART, after: upTo } : undefined;
    return {
      items: entries.map((entry) => ({ entry, part: AWAITED_PART, after: entry.eventId })),
      next: next === undefined ? log : { part: AWAITED_PART, after: next },
    };
  }
}

function showsAwaited({ kinds }: EventCriteria): boolean {
  return kinds?.includes(EntryKind.AWAITED) === true;
}

function showsLog({ kinds }: EventCriteria): boolean {
  return kinds === undefined || kinds.some((kind) => kind !== EntryKind.AWAITED);
}
