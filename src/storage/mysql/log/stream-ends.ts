// Where in the log a stream has a sequence: sequences rise with positions, so that a binary search over its index finds it, whatever was
// deleted.

import { EntryKind } from '../../../domain/events/event.js';
import type { Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';

/** Reads the index log_stream from a position on, past what has no sequence: withdrawals and hand-overs. */
const FROM = `
  SELECT position, sequence FROM log FORCE INDEX (log_stream)
  WHERE stream_id = ? AND position >= ? AND position < ? AND kind = ${EntryKind.OCCURRED} ORDER BY position LIMIT 1`;
const LAST = `
  SELECT position, sequence FROM log FORCE INDEX (log_stream)
  WHERE stream_id = ? AND kind = ${EntryKind.OCCURRED} ORDER BY position DESC LIMIT 1`;

interface Place {
  readonly position: Position;
  readonly sequence: number;
}

/** See StreamStore.storedUpTo. */
export async function storedUpTo(
  queries: Queries,
  streamId: number,
  sequence: number,
): Promise<{ readonly position: Position; readonly firstSequence: number } | undefined> {
  const [last] = await queries.execute<Place>(LAST, [streamId]);
  if (last === undefined) return undefined;
  const [first] = await queries.execute<Place>(FROM, [streamId, 0, last.position + 1]);
  if (first === undefined || first.sequence > sequence) return undefined;
  const firstSequence = first.sequence;
  if (last.sequence <= sequence) return { position: last.position, firstSequence };
  // Invariant: what is at `low` is at or below the sequence, what is at or above `high` is beyond it.
  let low = first.position;
  let high = last.position;
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    const [place] = await queries.execute<Place>(FROM, [streamId, middle, high]);
    if (place === undefined || place.sequence > sequence) high = middle;
    else low = place.position;
  }
  return { position: low, firstSequence };
}
