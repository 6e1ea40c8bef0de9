// The port of those who need one event and nothing else of the log: EventQueries implements it.

import type { LogEntry } from '../../domain/events/event.js';
import type { EventId } from '../../units.js';

export interface EventLookUp {
  /**
   * Returns the event as it is now, awaited ones included, by any of its ids; undefined if there is none. Visible and durable. A
   * bigint is an id that came from outside: it may be greater than any that was given out.
   */
  byId(eventId: EventId | bigint): Promise<LogEntry | undefined>;
}
