// The ports of waits besides what groups do: reading what is awaited, the shapes that topics watch, and their indexes. `storage/mysql`
// implements them and points back here. Waits and shapes are written by groups; besides, `index` writes index rows of the past and how
// far they go, `touch` when a shape was needed, `clear` takes away what is left of one that was given back, and a cawin with a later
// deadline raises that of its wait, under the head row as well.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { ShapeCatalog, StoredShape } from '../../domain/group/shape-catalog.js';
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

export interface ListShapesOptions {
  /** A context, or `all`. */
  readonly context: string;
  /** Empty: every topic. */
  readonly topic: string;
  /** The id after which the list begins. */
  readonly after: number;
  readonly limit: number;
}

/** Values of a shape that a stored event has. */
export interface IndexRow {
  readonly hash: Uint8Array;
  readonly position: Position;
}

/** A part of what was stored before a shape was watched. */
export interface IndexPage {
  /** Everything after this position, up to `upTo`, was looked at. */
  readonly after: Position;
  readonly upTo: Position;
  readonly rows: readonly IndexRow[];
}

export interface ShapeStore {
  /**
   * All shapes, what topics are registered with, and their schemas, as of the version of the catalogue that it names or a later one.
   * Schemas that `known` has are taken from there.
   */
  load(known?: ShapeCatalog): Promise<ShapeCatalog>;
  /** The position before the newest `maxEvents` events of the topic at or below `upTo`; 0 if there are fewer. */
  positionBefore(topic: { context: string; name: string }, upTo: Position, maxEvents: number): Promise<Position>;
  /**
   * Adds a page to the index of a shape, whose rows may be there already, and notes how far it goes. False: the shape was given back,
   * and nothing is stored.
   */
  index(shapeId: number, page: IndexPage): Promise<boolean>;
  /** Shapes by id, as they are committed. */
  list(options: ListShapesOptions): Promise<readonly StoredShape[]>;
  /** Ids of shapes, after an id, that were not needed since the time and by which nothing is awaited: at most so many. */
  idle(since: Micros, after: number, limit: number): Promise<readonly number[]>;
  /** Notes that the shape was needed at the time. */
  touch(shapeId: number, neededAt: Micros): Promise<void>;
  /** Deletes index rows of a shape that was given back, at most so many; once none are left its id is forgotten, and it returns true. */
  clear(freedId: number, limit: number): Promise<boolean>;
}
