// The search for a text in events, newest first: a page at a time, each of many short looks, so that whoever else reads or pushes comes
// between them. Callers take turns, few look at a time, and a page ends when its time is over.

import { MadeleineError } from '../../domain/errors.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import { compileCriteria, type EntryMatcher, type EventCriteria } from '../../domain/events/event-filter.js';
import { withoutPayload } from '../../domain/events/event-views.js';
import type { SearchMatch, SearchText } from '../../domain/events/search-text.js';
import type { Clock } from '../../lib/clock.js';
import { Deadline } from '../../lib/deadline.js';
import type { FairGate } from '../../lib/fair-gate.js';
import { LargeReads } from '../../lib/large-reads.js';
import type { LoopSlices } from '../../lib/loop-slices.js';
import type { Paced } from '../../lib/paced.js';
import type { EventLog, EventPlaceStore } from '../../storage/ports/log-storage.js';
import { type EventSearchStore, SEARCH_LOOK } from '../../storage/ports/search-storage.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { EphemeralTopics } from '../log/ephemeral-topics.js';

/** What a page looks at, at most: entries, and bytes of those that are longer than a KiB. */
export const SEARCH_PAGE = { entries: 20_000, bytes: 16 * 1024 * 1024 } as const;
/** How long a page looks, the wait for its turns included. */
export const SEARCH_MS: Millis = 8_000;
/** Entries that are read at a time, at most. */
const MAX_READ = 1_000;
/** Looks at a time, of all callers: each keeps a processor of the database busy. */
const LOOKS_AT_ONCE = 2;

export interface EventSearchOptions {
  readonly store: EventSearchStore;
  readonly log: Pick<EventLog, 'readAt'>;
  readonly places: Pick<EventPlaceStore, 'positionsOf'>;
  readonly ephemeral: Pick<EphemeralTopics, 'kept'>;
  /** See LogReaderOptions. */
  readonly pages: FairGate;
  readonly paced: Paced;
  readonly slices: LoopSlices;
  readonly clock: Clock;
}

/** What is looked for, and where: after a position, up to and including another one, which is shown. */
export interface Search {
  readonly text: SearchText;
  readonly criteria: EventCriteria;
  readonly after: Position;
  readonly upTo: Position;
}

export interface SearchTurn {
  readonly limit: number;
  readonly caller: string;
  readonly signal: AbortSignal;
  /** How long it may take, where that is less than SEARCH_MS. */
  readonly timeMs?: Millis | undefined;
}

export interface SearchHit {
  /** The entry without its payload: many searches may hold what they found at a time. */
  readonly entry: LogEntry;
  /** Where the entry has the text; at least one place. */
  readonly matches: readonly SearchMatch[];
}

export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** Where to go on: everything above it was looked at. */
  readonly next: Position;
}

/** A page in the making. */
interface Progress {
  readonly hits: SearchHit[];
  next: Position;
  entries: number;
  bytes: number;
}

export class EventSearch {
  readonly #options: EventSearchOptions;
  readonly #looks: LargeReads;

  constructor(options: EventSearchOptions) {
    this.#options = options;
    this.#looks = new LargeReads({ ...options, atOnce: LOOKS_AT_ONCE });
  }

  /** The entries that have the text as event id or message id, newest first: by indexes, wherever they lie. */
  async byId({ text, criteria, after, upTo }: Search): Promise<readonly SearchHit[]> {
    const { store, log, places, ephemeral } = this.#options;
    const { eventId, messageId } = text;
    const ofEvent = eventId === undefined ? [] : ((await places.positionsOf([eventId])).get(eventId) ?? []);
    const pushed = messageId === '' ? [] : await store.pushedAs(messageId, criteria.context);
    const within = [...ofEvent, ...pushed].filter((position) => position > after && position <= upTo);
    const entries = await log.readAt(within);
    return hitsOf(text, ephemeral.kept(entries).filter(compileCriteria(criteria))).toReversed();
  }

  /**
   * The next entries that have the text, going down, until there are enough of them, or enough was looked at. Rejects with
   * SEARCH_TOO_WIDE where its time is over before it had a turn, or with the signal's reason.
   */
  async page(search: Search, { limit, caller, signal, timeMs = SEARCH_MS }: SearchTurn): Promise<SearchPage> {
    const progress: Progress = { hits: [], next: search.upTo, entries: 0, bytes: 0 };
    const deadline = new Deadline(this.#options.clock, Math.min(timeMs, SEARCH_MS), { parent: signal, late: tooWide });
    try {
      while (goesOn(progress, search, limit))
        await this.#step(progress, search, { limit, caller, signal: deadline.signal });
    } catch (error) {
      // What was found until then is the page.
      const isLate = deadline.signal.aborted && !signal.aborted;
      if (!isLate || progress.next === search.upTo) throw error;
    } finally {
      deadline.dispose();
    }
    return progress;
  }

  /** When the first entry at or after a position was created; undefined: there is none. */
  createdAt(position: Position): Promise<Micros | undefined> {
    return this.#options.store.createdAt(position);
  }

  async #step(progress: Progress, search: Search, turn: SearchTurn): Promise<void> {
    const { text, criteria, after } = search;
    const { store, log, ephemeral } = this.#options;
    const from = progress.next;
    const limit = Math.min(turn.limit - progress.hits.length, MAX_READ);
    // Read within the turn, too: of large entries few are in memory at a time.
    const { entries, next, bytes } = await this.#looks.run(turn, async () => {
      const { positions, ...looked } = await store.look(text, criteria, { after, upTo: from, limit });
      return { ...looked, entries: await log.readAt(positions) };
    });
    const kept = ephemeral.kept(entries);
    const found = await this.#hits(text, kept.toReversed(), compileCriteria(criteria), turn);
    progress.hits.push(...found);
    progress.next = next;
    progress.entries += Math.min(from - next, SEARCH_LOOK.entries);
    progress.bytes += bytes;
  }

  async #hits(
    text: SearchText,
    entries: readonly LogEntry[],
    matches: EntryMatcher,
    { caller, signal }: SearchTurn,
  ): Promise<readonly SearchHit[]> {
    const hits: SearchHit[] = [];
    const look = (entry: LogEntry) => {
      if (matches(entry)) hits.push(...hitsOf(text, [entry]));
      return true;
    };
    await this.#options.slices.each(caller, { items: entries, bytesOf: entryBytes, look }, signal);
    return hits;
  }
}

function goesOn({ hits, next, entries, bytes }: Progress, { after }: Search, limit: number): boolean {
  return next > after && hits.length < limit && entries < SEARCH_PAGE.entries && bytes < SEARCH_PAGE.bytes;
}

function hitsOf(text: SearchText, entries: readonly LogEntry[]): SearchHit[] {
  return entries.flatMap((entry) => {
    const matches = text.matchesOf(entry);
    return matches.length === 0 ? [] : [{ entry: withoutPayload(entry), matches }];
  });
}

function tooWide(): MadeleineError {
  const why =
    'other searches and reads took the time that this one has: repeat it, or bound it by topics, streams or times';
  return new MadeleineError('SEARCH_TOO_WIDE', why, { retryAfterMs: 1_000 });
}
