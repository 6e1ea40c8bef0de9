// Why a group refuses what is pushed, or asked of waits. What a refusal tells is stored: of a call that is stored as a whole or not
// at all, what was there before it.

import { fieldError, fieldInvalid, MadeleineError } from '../errors.js';
import type { EventDraft } from '../events/event.js';
import type { StreamState } from '../events/stream.js';
import type { Occurrence, Push, PushedBefore } from './group-plan-types.js';

/** `before`: undefined for another event of the same call. */
export function idReused({ messageId }: Push, before: PushedBefore | undefined): MadeleineError {
  const where = before && { event_id: String(before.eventId), position: String(before.position) };
  return new MadeleineError('MESSAGE_ID_REUSED', 'the message id was used before, for other content', {
    violations: [{ field: 'event.message_id', description: 'was used before, for other content' }],
    metadata: { message_id: messageId, ...where },
  });
}

/** `stored`: undefined if it would have been begun by another event of the same call. */
export function streamOwned({ context, stream }: EventDraft, stored: StreamState | undefined): MadeleineError {
  const owner = stored?.owner;
  const whose = owner === undefined ? 'the issuer of another event of this call' : `"${owner}"`;
  return new MadeleineError('STREAM_OWNED', `the stream "${stream}" belongs to ${whose}`, {
    violations: [{ field: 'event.issuer', description: 'does not own the stream' }],
    metadata: { context, stream, ...(owner === undefined ? {} : { owner }) },
  });
}

export function sequenceConflict(
  { context, stream }: EventDraft,
  expectedSequence: number,
  stored: StreamState | undefined,
): MadeleineError {
  const actual = stored?.lastSequence ?? 0;
  return new MadeleineError('SEQUENCE_CONFLICT', `the stream "${stream}" is at sequence ${actual}`, {
    metadata: { context, stream, expected_sequence: String(expectedSequence), actual_sequence: String(actual) },
  });
}

export function unknownEvent(): MadeleineError {
  return new MadeleineError('EVENT_UNKNOWN', 'there is no such event');
}

export function isOver(): MadeleineError {
  const description = 'is of an event that has expired: only awaited and occurred ones can be invalidated';
  return fieldError('WRONG_STATE', 'id', description);
}

/** `isTaken`: the description was not given, it was taken from the payload. */
export function alreadyOccurred({ eventId, position }: Occurrence, isTaken: boolean): MadeleineError {
  return new MadeleineError('ALREADY_OCCURRED', `an event with an equal description has occurred already: ${eventId}`, {
    violations: [equalTo(`event ${eventId}`, isTaken)],
    metadata: { event_id: String(eventId), position: String(position) },
  });
}

/** An event of the same call, which is not stored either, has an equal description; see `alreadyOccurred`. */
export function equalInCall(isTaken: boolean): MadeleineError {
  const other = 'another event of this call';
  return new MadeleineError('ALREADY_OCCURRED', `${other} has an equal description`, {
    violations: [equalTo(other, isTaken)],
  });
}

function equalTo(other: string, isTaken: boolean) {
  return isTaken
    ? { field: 'event.payload', description: `has what identifies ${other}` }
    : { field: 'event.description', description: `is that of ${other}` };
}

/** Why an awaited event gets no cawin with this deadline. */
export function pastDeadline(): MadeleineError {
  return fieldInvalid('expires_at', 'has passed');
}
