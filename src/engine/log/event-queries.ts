// Single answers about stored events: one event, a page, the next one. All keep to what is visible; an answer that rests on a row
// above the durable mark raises the mark first.

import { entryBytes } from '../../domain/events/entry-size.js';
import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import { compileCriteria } from '../../domain/events/event-filter.js';
import { invalidatedView } from '../../domain/events/event-views.js';
import { awaitedView, satisfiedView } from '../../domain/waits/wait.js';
import type { FairGate } from '../../lib/fair-gate.js';
import { LoopSlices } from '../../lib/loop-slices.js';
import type { DurableReads, EventLog, Page } from '../../storage/ports/log-storage.js';
import type { WaitStore } from '../../storage/ports/wait-storage.js';
import type { EventId, Position } from '../../units.js';
import type { EphemeralTopics } from './ephemeral-topics.js';
import type { EventLookUp } from './event-look-up.js';
import { type LogSource, type Selection, selectionOf } from './log-source.js';
import type { LogTail } from './log-tail.js';

/** Pages looked at for one PeekEvent before it answers with how far it came. */
const PEEK_PAGES = 50;
const PAGE_BYTES = 3 * 1024 * 1024;
/** Awaited events that a page looks at, at most. */
const MAX_SCANNED_WAITS = 5_000;
/** Awaited events whose descriptions a page looks at, at most: each may have 16 KiB. */
const MAX_DESCRIBED_WAITS = 500;

export interface EventQueriesOptions {
  readonly log: EventLog;
  readonly durableReads: DurableReads;
  readonly waits: WaitStore;
  readonly source: LogSource;
  readonly ephemeral: Pick<EphemeralTopics, 'kept'>;
  readonly tail: LogTail;
  /** See LogReaderOptions. */
  readonly pages: FairGate;
  /** Shared by all who look at many payloads. */
  readonly slices?: LoopSlices;
}

/** What an event is now, and what that rests on. */
interface Found {
  readonly view: LogEntry | undefined;
  /** The newest of its entries; 0: none. */
  readonly last: Position;
  /** Whether it rests on a wait, or on a push that left no entry: rows without a position that could tell whether they are durable. */
  readonly isUnsure: boolean;
}

/** The next event after a position, how far was looked for it, and what was deleted after the position. */
export interface Next {
  readonly entry: LogEntry | undefined;
  readonly scannedTo: Position;
  readonly caughtUp: boolean;
  readonly gap: { readonly first: Position; readonly last: Position } | undefined;
}

export interface ListOptions {
  readonly after: Position;
  readonly upTo: Position;
  readonly limit: number;
  readonly newestFirst: boolean;
  /** Callers take turns. */
  readonly caller?: string;
  /** Payload bytes of a page, about; 3 MiB unless told. */
  readonly maxBytes?: number;
}

export class EventQueries implements EventLookUp {
  readonly #options: EventQueriesOptions;
  readonly #slices: LoopSlices;

  constructor(options: EventQueriesOptions) {
    this.#options = options;
    this.#slices = options.slices ?? new LoopSlices();
  }

  /**
   * An event as it is now, by any of its ids, or undefined: awaited, occurred (also where its entry has the id of another wait that
   * it ended), invalidated with what had occurred, or expired.
   */
  async byId(eventId: EventId | bigint): Promise<LogEntry | undefined> {
    if (eventId > Number.MAX_SAFE_INTEGER) return undefined;
    return this.#shown(() => this.#find(Number(eventId)));
  }

  /** An event as it is now, by the message id of its push, or undefined. */
  byMessageId(context: string, messageId: string): Promise<LogEntry | undefined> {
    const { log, waits } = this.#options;
    return this.#shown(async () => {
      const entry = await log.findByMessageId(context, messageId);
      const eventId = entry?.eventId ?? (await waits.findPushed(context, messageId));
      if (eventId === undefined) return { view: undefined, last: 0, isUnsure: false };
      const found = await this.#find(eventId);
      return { ...found, isUnsure: found.isUnsure || entry === undefined };
    });
  }

  /**
   * What is awaited now and matches, by id, after the cursor; at most 5,000 are looked at, or 500 by their descriptions. `next`: the last that was looked at, if
   * there may be more.
   */
  async awaited(
    criteria: EventCriteria,
    options: { readonly after: number | undefined; readonly newestFirst: boolean; readonly caller?: string },
  ): Promise<{ entries: readonly LogEntry[]; next: number | undefined }> {
    const { context, topics = [], description } = criteria;
    const limit = description === undefined ? MAX_SCANNED_WAITS : MAX_DESCRIBED_WAITS;
    const matches = compileCriteria({ ...criteria, kinds: [EntryKind.AWAITED] });
    const scan = { context, topics, after: options.after, newestFirst: options.newestFirst, limit };
    const found = await this.#options.durableReads.durable(
      () => this.#options.waits.list(scan),
      (waits) => waits.length > 0,
    );
    const entries = await this.#slices.filter(options.caller ?? '', found.map(awaitedView), entryBytes, matches);
    return { entries, next: found.length === limit ? found.at(-1)?.eventId : undefined };
  }

  /** A page of matching events in (after, upTo], about 3 MiB at most. */
  async list(criteria: EventCriteria, { caller = '', ...page }: ListOptions): Promise<Page> {
    const { log, pages, ephemeral } = this.#options;
    const read = () => log.readPage(criteria, { maxBytes: PAGE_BYTES, ...page, caller });
    const { entries, scannedTo } = await pages.run(caller, read);
    return { entries: ephemeral.kept(entries), scannedTo };
  }

  /** The first matching event after a position; without one, how far was looked, and whether that is everywhere. */
  async next(criteria: EventCriteria, after: Position, caller = ''): Promise<Next> {
    const selection = selectionOf(criteria);
    let scannedTo = after;
    let gap: Next['gap'];
    for (let page = 0; page < PEEK_PAGES && scannedTo < this.#options.source.visible; page += 1) {
      const batch = await this.#options.source.read(selection, {
        after: scannedTo,
        limit: 1,
        maxBytes: PAGE_BYTES,
        caller,
      });
      scannedTo = batch.scannedTo;
      if (batch.isStored) gap = await this.#gapAfter(selection, after);
      const [entry] = this.#options.ephemeral.kept(batch.entries);
      if (entry !== undefined) return { entry, scannedTo: entry.position, caughtUp: false, gap };
    }
    return { entry: undefined, scannedTo, caughtUp: scannedTo >= this.#options.source.visible, gap };
  }

  async #gapAfter(selection: Selection, after: Position): Promise<Next['gap']> {
    const last = await this.#options.source.deletedTo(selection, after);
    return last > after ? { first: after + 1, last } : undefined;
  }

  async #find(id: number): Promise<Found> {
    const { log, waits } = this.#options;
    const [wait, own] = await Promise.all([waits.find(id), log.findByEventId(id)]);
    if (wait === undefined) return { view: viewOf(own), last: lastOf(own), isUnsure: false };
    if (wait.state === EntryKind.AWAITED) return { view: awaitedView(wait), last: 0, isUnsure: true };
    // It may have ended between the two looks.
    const main = wait.endedById ?? id;
    const entries = own.length > 0 && main === id ? own : await log.findByEventId(main);
    const view = viewOf(entries);
    const shown = view === undefined || wait.endedById === undefined ? view : satisfiedView(wait, view);
    return { view: shown, last: lastOf(entries), isUnsure: false };
  }

  async #shown(find: () => Promise<Found>): Promise<LogEntry | undefined> {
    const { durableReads, tail } = this.#options;
    const { view, last } = await durableReads.durable(find, (found) => found.isUnsure || found.last > tail.visible);
    await tail.reach(last);
    return view;
  }
}

function lastOf(entries: readonly LogEntry[]): Position {
  return Math.max(0, ...entries.map(({ position }) => position));
}

/** The entries of one event as what it is now. */
function viewOf(entries: readonly LogEntry[]): LogEntry | undefined {
  const [first, second] = entries;
  return first === undefined || second === undefined ? first : invalidatedView(first, second);
}
