// The port of what is stored of a topic in each stream: it is counted along the log of the topic by the instance that deletes, in
// transactions that name its epoch, and whatever deletes takes what goes off the count in the same transaction. `storage/mysql` implements
// it.
//
// What was kept alone is not counted, nor what is in no stream. Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the
// database is away.

import type { StreamCount, StreamLimits } from '../../domain/retention/stream-limits.js';
import type { Position } from '../../units.js';
import type { DueEntry, RetentionHold } from './retention-storage.js';

/** What is counted of a topic in one stream. */
export interface CountedStream extends StreamCount {
  readonly streamId: number;
  /** Everything of the topic in the stream up to here is gone, or kept alone. */
  readonly goneTo: Position;
}

/** The next entries of a topic that were counted. */
export interface CountedPage {
  /** Everything of the topic up to here is counted. */
  readonly countedTo: Position;
  /** Streams that have more of it now. */
  readonly streamIds: readonly number[];
  /** Whether there may be more to count. */
  readonly isMore: boolean;
}

export interface CountOptions {
  readonly topicId: number;
  /** Everything of the topic up to here is counted, as far as it is known; what is stored of that says better. */
  readonly after: Position;
  readonly upTo: Position;
}

/** A part of a stream. */
export interface StreamSpan {
  readonly streamId: number;
  readonly after: Position;
  readonly upTo: Position;
  /** Entries of the stream that are looked at, at most, whatever their topics. */
  readonly limit: number;
}

/** The entries of a topic in a part of a stream, without those that are kept alone. */
export interface StreamEntries {
  readonly entries: readonly DueEntry[];
  /** The stream was looked at up to here. */
  readonly scannedTo: Position;
}

/** Which of the streams of a topic. */
export type CountedStreams = { readonly among: readonly number[] } | { readonly after: number; readonly limit: number };

export interface StreamCountStore {
  /** Begins to count anew unless the counts were kept by whoever deleted before; false: the hold is lost. */
  begin(hold: RetentionHold): Promise<boolean>;
  /** The last position of each of the topics, by their numbers; without those that have no entries. */
  newest(topicIds: readonly number[]): Promise<ReadonlyMap<number, Position>>;
  /** Counts the next entries of a topic; `lost`: nothing is counted. */
  count(hold: RetentionHold, options: CountOptions): Promise<CountedPage | 'lost'>;
  /** Streams of the topic, by their numbers, that have more of it than the limits say. */
  tooMuch(topicId: number, limits: StreamLimits, which: CountedStreams): Promise<readonly CountedStream[]>;
  /** What is counted of the topic in these streams, by their numbers. */
  counts(topicId: number, streamIds: readonly number[]): Promise<ReadonlyMap<number, CountedStream>>;
  /** The entries of a topic in parts of streams, in the order of these. */
  entries(topicId: number, spans: readonly StreamSpan[]): Promise<readonly StreamEntries[]>;
  /** The entries of a topic before a position and after another one, newest first. */
  before(
    topicId: number,
    span: { readonly before: Position; readonly after: Position; readonly limit: number },
  ): Promise<readonly DueEntry[]>;
}
