// The port of parked events as they are stored: whoever asks may be another instance than the one that runs their consumer.

import type { Micros, Position } from '../../units.js';

/** Entries that one page looks at. */
export const MAX_PARKED_LOOKED_AT = 20_000;

/** Which parked events of a consumer. Empty texts and undefined times are not set. */
export interface ParkedSelection {
  readonly code: string;
  /** Name of a stream, in any context. */
  readonly stream: string;
  /** Parked strictly later. */
  readonly parkedAfter: Micros | undefined;
  /** Parked strictly earlier. */
  readonly parkedBefore: Micros | undefined;
}

export const EVERY_PARKED: ParkedSelection = { code: '', stream: '', parkedAfter: undefined, parkedBefore: undefined };

/** What is stored of a parked event. */
export interface ParkedRecord {
  readonly position: Position;
  readonly attempts: number;
  readonly losses: number;
  readonly code: string;
  readonly reason: string;
  /** Undefined where it is not known. */
  readonly parkedAt: Micros | undefined;
  /** Whether it was asked for again, and is not acknowledged yet. */
  readonly replaying: boolean;
}

export interface ListParkedOptions extends ParkedSelection {
  readonly consumerId: number;
  /** Whether what is being replayed counts too. */
  readonly withReplaying: boolean;
  /** The position after which to begin. */
  readonly after: Position;
  readonly limit: number;
}

export interface ParkedPage {
  /** The parked events, by position. */
  readonly records: readonly ParkedRecord[];
  /** The position to go on after; undefined: nothing follows. */
  readonly next: Position | undefined;
}

export interface ParkedStore {
  /** Lists parked events by position; looks at no more than MAX_PARKED_LOOKED_AT entries, so that a page may be short or empty. */
  list(options: ListParkedOptions): Promise<ParkedPage>;
  /** Returns those of the positions at which an event is parked, or being replayed. */
  stillParked(consumerId: number, positions: readonly Position[]): Promise<ReadonlySet<Position>>;
}
