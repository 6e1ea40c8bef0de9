// The port of truncated streams whose events are still to be deleted. `storage/mysql` implements it; they are deleted as retention deletes
// (retention-storage.ts), by whoever holds that.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { Position } from '../../units.js';
import type { DueEntry } from './retention-storage.js';

/** A stream that is truncated up to a sequence. */
export interface TruncatedStream {
  readonly streamId: number;
  readonly upTo: number;
}

/** An entry of a truncated stream, with its topic. */
export interface TruncatedEntry extends DueEntry {
  readonly topicId: number;
  readonly context: string;
  readonly topic: string;
}

export interface TruncatedOptions {
  readonly after: Position;
  readonly upTo: Position;
  /** Entries of a page, at most. */
  readonly limit: number;
  /** The page ends when its payloads pass this size; it has one entry at least. */
  readonly maxBytes: number;
}

export interface TruncationStore {
  /** Truncated streams of which events are still to be deleted, by their numbers; at most 100. */
  open(): Promise<readonly TruncatedStream[]>;
  /** The last stored position that goes with a truncation; undefined: nothing of it is stored. */
  end(stream: TruncatedStream): Promise<Position | undefined>;
  /** The next entries of the stream, whatever their kind, but for hand-overs. */
  entries(streamId: number, options: TruncatedOptions): Promise<readonly TruncatedEntry[]>;
  /** Takes note that nothing is left of a truncation, unless it reaches farther by now. */
  done(stream: TruncatedStream): Promise<void>;
}
