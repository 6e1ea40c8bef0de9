// What is stored of a topic, as it is told of.

import type { Micros, Position } from '../../units.js';

/** A stored entry at an end of a topic. */
export interface TopicEnd {
  readonly position: Position;
  readonly createdAt: Micros;
}

export interface StoredTopic {
  /** Events that occurred and are stored, and the bytes of their payloads: those that are counted. */
  readonly events: number;
  readonly bytes: number;
  /** Everything up to here is counted, and nothing after it; `countedAt` is when that was created, 0 while nothing is counted. */
  readonly countedTo: Position;
  readonly countedAt: Micros;
  /** Undefined: nothing is stored. */
  readonly oldest: TopicEnd | undefined;
  readonly newest: TopicEnd | undefined;
  /** Events that occur a second: see RATE_SECONDS. */
  readonly eventsPerSecond: number;
}

/** The rate of a topic is that of the last minute, or of its newest hundred entries where these are younger. */
export const RATE_SECONDS = 60;
export const RATE_ENTRIES = 100;
