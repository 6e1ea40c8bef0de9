// The truncation of a stream, as the plan of a group decides it: the events go later, in batches of their own.

import { MadeleineError, streamUnknown } from '../errors.js';
import type { StreamState } from '../events/stream.js';
import type { Refused } from './group-outcomes.js';
import type { TruncateUnit } from './group-plan-types.js';

/** What the unit does to the stream as it is: refused; nothing, as it was done before; or the stream is truncated. */
export function decideTruncation(
  { context, stream: name, upTo }: TruncateUnit,
  stream: StreamState | undefined,
): Refused | { readonly kind: 'done' | 'due'; readonly stream: StreamState } {
  if (stream === undefined) return { kind: 'refused', error: streamUnknown(context, name) };
  if (upTo > stream.lastSequence) return { kind: 'refused', error: beyondLast(upTo, stream) };
  if (upTo <= stream.truncatedTo) return { kind: 'done', stream };
  return { kind: 'due', stream: { ...stream, truncatedTo: upTo } };
}

/** The refusal of a truncation beyond the last event of the stream. */
export function beyondLast(upTo: number, { lastSequence }: Pick<StreamState, 'lastSequence'>): MadeleineError {
  const description = `is ${upTo}, the last sequence of the stream is ${lastSequence}`;
  return new MadeleineError('WRONG_STATE', `up_to_sequence ${description}`, {
    violations: [{ field: 'up_to_sequence', description }],
    metadata: { last_sequence: String(lastSequence) },
  });
}
