// The port of the search for a text in the log.

import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { SearchText } from '../../domain/events/search-text.js';
import type { Micros, Position } from '../../units.js';

/** What one look of a search looks at, at most: entries that it may find, and bytes of those that are longer than a KiB. */
export const SEARCH_LOOK = { entries: 4_000, bytes: 4 * 1024 * 1024 } as const;

export interface SearchLookOptions {
  /** Entries after this position are looked at. */
  readonly after: Position;
  /** The position that the look begins with; it goes down from there. */
  readonly upTo: Position;
  /** How many positions it finds at most. */
  readonly limit: number;
}

export interface SearchLook {
  /**
   * Positions of entries that the criteria select, as far as that can be told without payloads, and that may have the text, newest
   * first. None that has it is left out; one in many has it not.
   */
  readonly positions: readonly Position[];
  /** Where to go on: everything above it was looked at. `after`: that was all. */
  readonly next: Position;
  /** Bytes of long entries that were looked at. */
  readonly bytes: number;
}

/** Reads of the log for a search. As reads of EventLog, they see what is committed. */
export interface EventSearchStore {
  /** The next look of a search, as far as SEARCH_LOOK goes; at least one entry. */
  look(text: SearchText, criteria: EventCriteria, options: SearchLookOptions): Promise<SearchLook>;
  /** Positions of what was pushed with the message id in the context, or, of `all`, in any; newest first, at most 100. */
  pushedAs(messageId: string, context: string): Promise<readonly Position[]>;
  /** When the entry was created that is the first at or after the position; undefined: there is none. */
  createdAt(position: Position): Promise<Micros | undefined>;
}
