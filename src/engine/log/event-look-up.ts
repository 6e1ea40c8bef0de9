// The ports of those who need events by their ids and nothing else of the log: EventQueries and EventPlaces implement them.

import type { LogEntry } from '../../domain/events/event.js';
import type { EventId, Position } from '../../units.js';

export interface EventLookUp {
  /**
   * Returns the event as it is now, awaited ones included, by any of its ids; undefined if there is none. Visible and durable. A
   * bigint is an id that came from outside: it may be greater than any that was given out.
   */
  byId(eventId: EventId | bigint): Promise<LogEntry | undefined>;
}

/** Events by their ids. */
export interface NamedEvents {
  /** They came from outside: they may be greater than any that was given out. */
  readonly eventIds: readonly bigint[];
  /** Context of the message ids. */
  readonly context: string;
  readonly messageIds: readonly string[];
}

/** The positions of each event's entries, in the order in which the events were named; none of what is unknown or awaited. */
export interface EventPositions {
  readonly byEventId: readonly (readonly Position[])[];
  readonly byMessageId: readonly (readonly Position[])[];
}

export interface EventPositionsLookUp {
  /** Returns where events lie in the log, by any of their ids: as `byId` and GetEvent find them. Visible and durable. */
  positionsOf(events: NamedEvents): Promise<EventPositions>;
}
