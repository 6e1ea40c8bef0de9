// Why a group refuses what is asked of waits.

import { fieldInvalid, MadeleineError } from '../errors.js';
import type { Occurrence } from './group-plan-types.js';

export function unknownEvent(): MadeleineError {
  return new MadeleineError('EVENT_UNKNOWN', 'there is no such event');
}

export function isOver(): MadeleineError {
  return fieldInvalid('id', 'is of an event that has expired: only awaited and occurred ones can be invalidated');
}

/** `isTaken`: the description was not given, it was taken from the payload. */
export function alreadyOccurred({ eventId, position }: Occurrence, isTaken: boolean): MadeleineError {
  const violation = isTaken
    ? { field: 'event.payload', description: `has what identifies event ${eventId}` }
    : { field: 'event.description', description: `is that of event ${eventId}` };
  return new MadeleineError('ALREADY_OCCURRED', `an event with an equal description has occurred already: ${eventId}`, {
    violations: [violation],
    metadata: { event_id: String(eventId), position: String(position) },
  });
}

/** Why an awaited event gets no cawin with this deadline. */
export function pastDeadline(): MadeleineError {
  return fieldInvalid('expires_at', 'has passed');
}
