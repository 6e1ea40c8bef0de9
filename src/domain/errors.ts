// The closed catalogue of what can go wrong, in the product's words. No gRPC here: `grpc/wire/status.ts` holds the
// exhaustive table from reason to status, so that a new reason does not compile until it has one.

import type { EventId, Millis, Position } from '../units.js';

/** Reasons as they go out in google.rpc.ErrorInfo. Each is explained in docs/errors.md. */
export type ErrorReason =
  | 'FIELD_INVALID'
  | 'DESCRIPTION_NOT_CONTAINED'
  | 'PAYLOAD_TOO_LARGE'
  | 'SCHEMA_REJECTED'
  | 'SCHEMA_INVALID'
  | 'PAGE_TOKEN_INVALID'
  | 'EVENT_UNKNOWN'
  | 'TOPIC_UNKNOWN'
  | 'TOPIC_UNREGISTERED'
  | 'CONTEXT_UNKNOWN'
  | 'STREAM_UNKNOWN'
  | 'CONSUMER_UNKNOWN'
  | 'CAWIN_UNKNOWN'
  | 'SHAPE_UNKNOWN'
  | 'SCHEMA_UNKNOWN'
  | 'PARKED_UNKNOWN'
  | 'SNAPSHOT_UNKNOWN'
  | 'ALREADY_OCCURRED'
  | 'MESSAGE_ID_REUSED'
  | 'REQUEST_ID_REUSED'
  | 'TOPIC_DIFFERS'
  | 'STREAM_OWNED'
  | 'SETTINGS_DIFFER'
  | 'POSITION_BEYOND_HEAD'
  | 'CALLBACK_NOT_ALLOWED'
  | 'TOO_MANY_SHAPES'
  | 'SCHEMA_INCOMPATIBLE'
  | 'WRONG_STATE'
  | 'SHAPE_IN_USE'
  | 'SEQUENCE_CONFLICT'
  | 'EPOCH_FENCED'
  | 'MEMBER_REPLACED'
  | 'OVERLOADED'
  | 'QUOTA'
  | 'SEARCH_TOO_WIDE'
  | 'STORAGE_UNAVAILABLE'
  | 'DRAINING'
  | 'OWNED_ELSEWHERE';

/** A field at fault: its path in the request, such as `events[3].event.topic`, and what is wrong with it. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

export interface MadeleineErrorDetails {
  /** The fields at fault. */
  readonly violations?: readonly Violation[];
  /** Facts for programs, such as the owner of a stream. Never a payload, never a secret. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Set where repeating the same request is safe: how long to wait before. */
  readonly retryAfterMs?: Millis;
  /** The cause, for the log only; it never leaves the process. */
  readonly cause?: unknown;
}

/** A failure that the caller is told about. Anything else that is thrown is answered as INTERNAL. */
export class MadeleineError extends Error {
  override readonly name = 'MadeleineError';
  readonly reason: ErrorReason;
  readonly violations: readonly Violation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: Millis | undefined;

  constructor(reason: ErrorReason, message: string, details: MadeleineErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.violations = details.violations ?? [];
    this.metadata = details.metadata ?? {};
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** One field is at fault: the message names it, and it is the one violation. */
export function fieldError(
  reason: ErrorReason,
  field: string,
  description: string,
  details: Omit<MadeleineErrorDetails, 'violations'> = {},
): MadeleineError {
  return new MadeleineError(reason, `${field}: ${description}`, { ...details, violations: [{ field, description }] });
}

/** One field is wrong: INVALID_ARGUMENT with one violation. */
export function fieldInvalid(field: string, description: string): MadeleineError {
  return fieldError('FIELD_INVALID', field, description);
}

/** The server is about to stop: whoever connects again, behind a balancer to another one, may repeat the request. */
export function drainingError(): MadeleineError {
  return new MadeleineError('DRAINING', 'the server is about to stop', { retryAfterMs: 500 });
}

/** No event has the id, as its own or as that of what it satisfied. */
export function eventUnknown(id: EventId | bigint): MadeleineError {
  return new MadeleineError('EVENT_UNKNOWN', `there is no event ${id}`, { metadata: { event_id: String(id) } });
}

/** No event of the context was pushed with the message id. */
export function messageUnknown(context: string, messageId: string): MadeleineError {
  return new MadeleineError(
    'EVENT_UNKNOWN',
    `there is no event with message id "${messageId}" in context "${context}"`,
    {
      metadata: { context, message_id: messageId },
    },
  );
}

/** No event was ever pushed to the stream. */
export function streamUnknown(context: string, stream: string): MadeleineError {
  return new MadeleineError('STREAM_UNKNOWN', `there is no stream "${stream}" in context "${context}"`, {
    metadata: { context, stream },
  });
}

/** A consumer has nothing parked at the position: it never had, or that was discarded, acknowledged or replaced since. */
export function parkedUnknown(position: Position): MadeleineError {
  return new MadeleineError('PARKED_UNKNOWN', `no event is parked at position ${position}`, {
    metadata: { position: String(position) },
  });
}

/** A consumer has no snapshot of the name: it never had, or that was deleted. */
export function snapshotUnknown(name: string): MadeleineError {
  return new MadeleineError('SNAPSHOT_UNKNOWN', `the consumer has no snapshot "${name}"`, {
    metadata: { snapshot: name },
  });
}

/** The database is away or does not answer; the request may be repeated with the same ids. */
export function storageUnavailable(cause: unknown): MadeleineError {
  return new MadeleineError('STORAGE_UNAVAILABLE', 'the database does not answer at present', {
    retryAfterMs: 1000,
    cause,
  });
}

/** A broken invariant: a bug of ours, answered as INTERNAL. */
export function bug(message: string): Error {
  return new Error(`invariant broken: ${message}`);
}

/** Ends a switch over a union: does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw bug(`unexpected ${JSON.stringify(value)}`);
}
