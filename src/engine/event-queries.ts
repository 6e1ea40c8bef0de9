// Single answers about stored events: one event, a page, the next one. All keep to what is visible; an answer that rests on a row
// above the durable mark raises the mark first (rule 4).

import type { LogEntry, Position } from '../domain/event.js';
import type { EventCriteria } from '../domain/event-filter.js';
import { compileCriteria } from '../domain/event-filter.js';
import type { EventLog, Page } from '../storage/storage.js';
import type { LogSource } from './log-source.js';
import type { LogTail } from './log-tail.js';

/** Pages looked at for one PeekEvent before it answers with how far it came. */
const PEEK_PAGES = 50;
const PAGE_BYTES = 3 * 1024 * 1024;

export interface EventQueriesOptions {
  readonly log: EventLog;
  readonly source: LogSource;
  readonly tail: LogTail;
}

export interface ListOptions {
  readonly after: Position;
  readonly upTo: Position;
  readonly limit: number;
  readonly newestFirst: boolean;
}

export class EventQueries {
  readonly #options: EventQueriesOptions;

  constructor(options: EventQueriesOptions) {
    this.#options = options;
  }

  /** An event by its number, or undefined. */
  async byId(eventId: bigint): Promise<LogEntry | undefined> {
    if (eventId > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    return this.#shown(await this.#options.log.findByEventId(Number(eventId)));
  }

  /** An event by the message id of its push, or undefined. */
  async byMessageId(context: string, messageId: string): Promise<LogEntry | undefined> {
    return this.#shown(await this.#options.log.findByMessageId(context, messageId));
  }

  /** A page of matching events in (after, upTo], about 3 MiB at most. */
  list(criteria: EventCriteria, { after, upTo, limit, newestFirst }: ListOptions): Promise<Page> {
    return this.#options.log.readPage(criteria, { after, upTo, limit, newestFirst, maxBytes: PAGE_BYTES });
  }

  /** The first matching event after a position; without one, how far was looked. */
  async next(criteria: EventCriteria, after: Position): Promise<{ entry: LogEntry | undefined; scannedTo: Position }> {
    const selection = { criteria, matches: compileCriteria(criteria) };
    let scannedTo = after;
    for (let page = 0; page < PEEK_PAGES && scannedTo < this.#options.source.visible; page += 1) {
      const batch = await this.#options.source.read(selection, { after: scannedTo, limit: 1, maxBytes: PAGE_BYTES });
      scannedTo = batch.scannedTo;
      const [entry] = batch.entries;
      if (entry !== undefined) return { entry, scannedTo: entry.position };
    }
    return { entry: undefined, scannedTo };
  }

  async #shown(entry: LogEntry | undefined): Promise<LogEntry | undefined> {
    if (entry !== undefined) await this.#options.tail.reach(entry.position);
    return entry;
  }
}
