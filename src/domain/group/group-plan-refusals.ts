// Why a group refuses what is pushed, or asked of waits. What a refusal tells is stored: of a call that is stored as a whole or not
// at all, what was there before it.

import type { Micros } from '../../units.js';
import { MAX_SHAPES, type Shape } from '../descriptions/shape.js';
import type { ShapeLife } from '../descriptions/shape-life.js';
import { assertNever, fieldError, fieldInvalid, MadeleineError, parkedUnknown } from '../errors.js';
import type { EventDraft } from '../events/event.js';
import { FIRST_EPOCH, type StreamState } from '../events/stream.js';
import { instantText } from '../instant-text.js';
import { pointerOf } from '../json/json-path.js';
import type { Occurrence, ParkedPlace, ParkedState, Push, PushedBefore } from './group-plan-types.js';

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

/** The push is of another epoch of the stream than the one that it is in; `stored` as for `streamOwned`. */
export function epochFenced(
  { context, stream }: EventDraft,
  streamEpoch: number,
  stored: StreamState | undefined,
): MadeleineError {
  const epoch = stored?.epoch ?? FIRST_EPOCH;
  const owner = stored === undefined ? {} : { owner: stored.owner };
  return new MadeleineError('EPOCH_FENCED', `the stream "${stream}" is in epoch ${epoch}, not in ${streamEpoch}`, {
    violations: [{ field: 'stream_epoch', description: 'is not the epoch of the stream' }],
    metadata: { context, stream, epoch: String(epoch), ...owner },
  });
}

/** A stream is not handed over, as it has another owner than the one who was named. */
export function ownedByAnother({ context, name, owner, epoch }: StreamState): MadeleineError {
  return new MadeleineError('STREAM_OWNED', `the stream "${name}" belongs to "${owner}"`, {
    violations: [{ field: 'owner', description: 'does not own the stream' }],
    metadata: { context, stream: name, owner, epoch: String(epoch) },
  });
}

/** Why no event can take this place in the list of parked ones. */
export function notReplaceable({ position }: ParkedPlace, state: Exclude<ParkedState, 'parked'>): MadeleineError {
  switch (state) {
    case 'empty':
      return parkedUnknown(position);
    case 'replaying':
      return fieldError('WRONG_STATE', 'position', 'is of an event that is being replayed');
    case 'lost':
      return new MadeleineError('OWNED_ELSEWHERE', 'the consumer went to another instance', { retryAfterMs: 100 });
    case 'outdated':
      return new MadeleineError('OVERLOADED', 'something was erased meanwhile', { retryAfterMs: 100 });
    default:
      return assertNever(state);
  }
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

export function isOver(): MadeleineError {
  const description = 'is of an event that has expired: only awaited and occurred ones can be invalidated';
  return fieldError('WRONG_STATE', 'id', description);
}

export function isTransfer(): MadeleineError {
  const description = 'is of the transfer of a stream: only awaited and occurred events can be invalidated';
  return fieldError('WRONG_STATE', 'id', description);
}

export function isOfServer(): MadeleineError {
  return fieldError('WRONG_STATE', 'id', 'is of an event of the server itself: what it tells stays as it is');
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

/** The index of its description was given back after it was prepared for the push; the error of a push that met that again and again. */
export function unindexed(): MadeleineError {
  return new MadeleineError('SEARCH_TOO_WIDE', 'the index of this description is being made anew', {
    retryAfterMs: 1_000,
  });
}

export function unknownShape(): MadeleineError {
  return new MadeleineError('SHAPE_UNKNOWN', 'no topic watches a shape of this id');
}

export function shapeInUse(why: string): MadeleineError {
  return new MadeleineError('SHAPE_IN_USE', `the shape is in use: ${why}`);
}

/** A shape that takes a place in its topic, and when it leaves it unless it is used again. */
interface TakenPlace extends ShapeLife {
  readonly id: number;
  readonly shape: Shape;
  readonly freeAt: Micros;
}

/** `taken`: those who have the places, the first to leave first. */
export function tooManyShapes(
  { context, topic }: { readonly context: string; readonly topic: string },
  taken: readonly TakenPlace[],
): MadeleineError {
  const count = `the topic "${topic}" has ${MAX_SHAPES} shapes of descriptions already`;
  const each = taken.map((place) => [`shape_${place.id}`, placeText(place)]);
  const when = each.length === 0 ? '' : `: ${each.map(([key, text]) => `${key} ${text}`).join('; ')}`;
  return new MadeleineError('TOO_MANY_SHAPES', `${count}${when}`, {
    violations: [{ field: 'event.description', description: 'has other paths than all of them; DropShape makes room' }],
    metadata: { context, topic, shapes: String(MAX_SHAPES), ...Object.fromEntries(each) },
  });
}

/** Characters of the paths of one shape: there are 16, and an error has to stay short. */
const MAX_PATHS_TEXT = 60;

/** What is awaited may end before its deadline. */
function placeText({ shape, freeAt, awaitedUntil }: TakenPlace): string {
  return `${pathsText(shape)} ${freeAt === awaitedUntil ? 'awaited, free by' : 'free at'} ${instantText(freeAt)}`;
}

function pathsText({ paths }: Shape): string {
  const text = paths.map(pointerOf).join(',');
  return text.length <= MAX_PATHS_TEXT ? text : `${text.slice(0, MAX_PATHS_TEXT)}…`;
}

/** Why an awaited event gets no cawin with this deadline. */
export function pastDeadline(): MadeleineError {
  return fieldInvalid('expires_at', 'has passed');
}
