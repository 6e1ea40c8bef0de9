// The port of what is kept of consumers' places: who moved them, and snapshots to go back to. Read on any instance; written by groups.
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { ConsumerSnapshot, SavedPlace } from '../../domain/consumers/managed/consumer-snapshot.js';
import type { OffsetMove } from '../../domain/consumers/managed/offset-move.js';
import type { Micros } from '../../units.js';

/** Moves that are forgotten at a time. */
export const MAX_FORGOTTEN = 500;

/** A move with the number by which moves are in order. */
export interface MoveRecord extends OffsetMove {
  readonly id: number;
}

export interface ListMovesOptions {
  readonly consumerId: number;
  /** The move that the list goes on before; undefined: it begins with the newest. */
  readonly before: number | undefined;
  readonly limit: number;
}

export interface ListSnapshotsOptions {
  readonly consumerId: number;
  /** The name after which to begin, in byte order; undefined: with the first. */
  readonly after: string | undefined;
  readonly limit: number;
}

export interface PlaceStore {
  /** Lists the moves of a consumer, the newest first; also those of before it was deleted and created again. */
  listMoves(options: ListMovesOptions): Promise<readonly MoveRecord[]>;
  /** Forgets moves of before a time, MAX_FORGOTTEN at most; returns how many. */
  forgetMoves(before: Micros): Promise<number>;
  /** Lists the snapshots of a consumer by name in byte order. */
  listSnapshots(options: ListSnapshotsOptions): Promise<readonly ConsumerSnapshot[]>;
  countSnapshots(consumerId: number): Promise<number>;
  /** Undefined: there is none of the name. */
  findSnapshot(consumerId: number, name: string): Promise<SavedPlace | undefined>;
}
