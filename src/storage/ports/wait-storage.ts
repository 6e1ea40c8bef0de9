// The ports of waits besides what groups do: reading what is awaited, the shapes that topics watch, and their indexes. `storage/mysql`
// implements them and points back here. Waits and shapes are written by groups, index rows of the past and how far they go by `index`;
// a cawin with a later deadline raises that of its wait, under the head row as well.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { ShapeCatalog } from '../../domain/group/shape-catalog.js';
import type { Wait } from '../../domain/waits/wait.js';
import type { EventId, Micros, Millis, Position } from '../../units.js';

export interface ListWaitsOptions {
  /** A context, or `all`. */
  readonly context: string;
  /** Empty: every topic. */
  readonly topics: readonly string[];
  /** The id after which the list begins: those above it, or below it when the newest come first. */
  readonly after: number | undefined;
  readonly newestFirst: boolean;
  readonly limit: number;
}

export interface WaitStore {
  /** An event that was ever awaited, or undefined. */
  find(eventId: EventId): Promise<Wait | undefined>;
  /** What is AWAITED now, by id. */
  list(options: ListWaitsOptions): Promise<readonly Wait[]>;
  /**
   * Awaited events whose deadline has passed by the database's clock, the longest due first: at most `limit`, and about `maxBytes` of
   * what their entries will have, one at least. With none, in how many milliseconds the next deadline is; undefined: nothing is
   * awaited.
   */
  due(
    limit: number,
    maxBytes: number,
  ): Promise<{ readonly eventIds: readonly EventId[]; readonly nextMs: Millis | undefined }>;
  /** The event that a push without a payload found or began to await, by its message id. */
  findPushed(context: string, messageId: string): Promise<number | undefined>;
  /** Forgets pushes without entries that are older than this by the database's clock, at most `limit`; returns how many. */
  forgetPushes(ageMicros: Micros, limit: number): Promise<number>;
}

/** Values of a shape that a stored event has. */
export interface IndexRow {
  readonly hash: Uint8Array;
  readonly position: Position;
}

export interface ShapeStore {
  /** All shapes, and what topics are registered with, as of the version of the catalogue that it names or a later one. */
  load(): Promise<ShapeCatalog>;
  /** The position before the newest `maxEvents` events of the topic at or below `upTo`; 0 if there are fewer. */
  positionBefore(topic: { context: string; name: string }, upTo: Position, maxEvents: number): Promise<Position>;
  /** Adds rows to the index of a shape, which may be there already, and notes that everything up to `builtTo` is done. */
  index(shapeId: number, rows: readonly IndexRow[], builtTo: Position): Promise<void>;
}
