// The port of what deletions took from readers and consumers: how far it reaches, and the gaps that consumers are still to be told of.
// `storage/mysql` implements it; what a deletion records is in storage/mysql/consumers/unread-events.ts.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { UnreadSpan } from '../../domain/consumers/unread/unread-spans.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { Position } from '../../units.js';
import type { Hold } from './consumer-storage.js';

/** A gap that a consumer is to be told of. */
export interface ConsumerGap extends UnreadSpan {
  readonly id: number;
}

export interface TakenGaps {
  readonly gaps: readonly ConsumerGap[];
  /** How many events of the consumer were deleted unread, ever. Only with gaps. */
  readonly expiredUnread: number;
}

export interface UnreadStore {
  /**
   * Takes the gaps that a held consumer has to be told of, ascending, and that this hold has not taken before: those that a former owner
   * took and did not say that he told are among them. Undefined: there are some, and the hold is lost. Without gaps it is one read.
   */
  takeGaps(hold: Hold): Promise<TakenGaps | undefined>;
  /** Forgets gaps that were taken by the hold, as they were told. */
  toldGaps(hold: Hold, ids: readonly number[]): Promise<void>;
  /**
   * Returns those consumers that the instance runs and that have gaps which their holds have not taken, by their ids, with how many of
   * their events were deleted unread, ever.
   */
  withGaps(instance: string): Promise<ReadonlyMap<number, number>>;
}

/** Reads of what deletions took from the log, as committed. */
export interface DeletedEvents {
  /**
   * The greatest position after `after` at which an event was deleted of a topic that the criteria select; 0: there is none. Of the
   * criteria only context and topics count. What was read of the log before the call lacks nothing else that lay after `after`.
   */
  deletedTo(criteria: EventCriteria, after: Position): Promise<Position>;
}
