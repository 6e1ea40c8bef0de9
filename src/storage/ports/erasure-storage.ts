// The port of erasures: what was decided, what is still to be done of it, and who knows of it. What they do to events is done by groups.

import type { Erasure, ErasureTarget } from '../../domain/erasure/erasure.js';
import type { EventId, Micros, Millis, Position } from '../../units.js';

/** An erasure and how far it is. */
export interface StoredErasure extends Erasure {
  readonly beforeEventId: EventId;
  /** Everything of a stream up to here has lost its content. */
  readonly doneTo: Position;
  /** Events that have lost their content by it. */
  readonly events: number;
  /** Undefined: it goes on. */
  readonly finishedAt: Micros | undefined;
}

/** A part of what an erasure covers. */
export interface ErasurePart {
  /** Events that have content, or had when they were looked for. */
  readonly eventIds: readonly EventId[];
  /** Events of which only what was awaited is covered. */
  readonly waitIds: readonly EventId[];
  /** Everything covered up to here is in this part or in one before. */
  readonly upTo: Position;
  /** Whether there is nothing after it. */
  readonly isLast: boolean;
}

/** How many events there are, and whether there may be more. */
export interface CoveredCount {
  readonly events: number;
  readonly isExact: boolean;
}

export interface ErasureStore {
  /** The erasures after a position, and those that go on, by position. */
  since(position: Position): Promise<readonly StoredErasure[]>;
  /** Erasures that go on and with which nobody went on within the time, oldest first, at most 10. */
  stalled(withinMs: Millis): Promise<readonly StoredErasure[]>;
  /** The newest erasure of the target; undefined: there was none. */
  newest(target: ErasureTarget): Promise<StoredErasure | undefined>;
  find(position: Position): Promise<StoredErasure | undefined>;
  /** What of a target is to be erased at present, counted up to a bound. STREAM_UNKNOWN for a stream that is none. */
  count(target: ErasureTarget): Promise<CoveredCount>;
  /** The next events that the erasure covers. */
  next(erasure: StoredErasure): Promise<ErasurePart>;
  /** Clears what members and receivers have said about these events, who may have repeated what they got. */
  clearCopies(part: Pick<ErasurePart, 'eventIds' | 'waitIds'>): Promise<void>;
  /** Marks the erasure as finished. */
  finish(position: Position): Promise<void>;
  /** Says that this instance keeps to the erasures up to a position. */
  acknowledge(instanceId: string, position: Position): Promise<void>;
  /** Instances that wrote something within the time and do not keep to the erasures up to a position. */
  behind(position: Position, withinMs: Millis): Promise<number>;
}
