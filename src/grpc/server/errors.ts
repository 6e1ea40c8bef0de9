// Every failure becomes a status here, and nowhere else.

import { randomUUID } from 'node:crypto';
import { type CallContext, ServerError, type ServerMiddleware, type ServerMiddlewareCall, Status } from 'nice-grpc';
import { BadRequest, ErrorInfo, RetryInfo, RichServerError } from 'nice-grpc-error-details';
import { MadeleineError, type Violation } from '../../domain/errors.js';
import type { Logger } from '../../telemetry.js';
import { Undecodable } from '../wire/definitions.js';
import { STATUS } from '../wire/status.js';

const REQUEST_ID = 'x-request-id';
export const ERROR_DOMAIN = 'madeleine';

// A status travels in headers, of which many clients take 8 KiB and some hang or break the connection above 64 KiB. Message and
// details are escaped on the way, so that these bounds, in bytes of UTF-8, keep it below the former.
const MAX_MESSAGE_BYTES = 600;
const MAX_VIOLATIONS_BYTES = 2_000;
const MAX_METADATA_VALUE_BYTES = 255;

/** The rich status of a failure that the caller is told about. What is too long for a status is cut. */
export function toRichError(error: MadeleineError): RichServerError {
  const metadata = Object.entries(error.metadata).map(([key, value]) => [key, cut(value, MAX_METADATA_VALUE_BYTES)]);
  const details: (ErrorInfo | BadRequest | RetryInfo)[] = [
    ErrorInfo.fromPartial({ reason: error.reason, domain: ERROR_DOMAIN, metadata: Object.fromEntries(metadata) }),
  ];
  if (error.violations.length > 0) {
    details.push(BadRequest.fromPartial({ fieldViolations: fitting(error.violations) }));
  }
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.floor(error.retryAfterMs / 1000);
    const nanos = Math.round((error.retryAfterMs - seconds * 1000) * 1_000_000);
    details.push(RetryInfo.fromPartial({ retryDelay: { seconds, nanos } }));
  }
  return new RichServerError(STATUS[error.reason], cut(error.message, MAX_MESSAGE_BYTES), details);
}

/** The first violations, as many as fit; at least one, cut if need be. */
function fitting(violations: readonly Violation[]): Violation[] {
  const fit: Violation[] = [];
  let room = MAX_VIOLATIONS_BYTES;
  for (const violation of violations) {
    const field = cut(violation.field, MAX_VIOLATIONS_BYTES / 4);
    const description = cut(violation.description, MAX_VIOLATIONS_BYTES / 4);
    room -= Buffer.byteLength(field) + Buffer.byteLength(description);
    if (room < 0) break;
    fit.push({ field, description });
  }
  return fit;
}

/** The text, or its beginning and an ellipsis. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  let kept = Buffer.from(text.slice(0, maxBytes))
    .subarray(0, maxBytes - 3)
    .toString();
  // What was cut inside of a character decodes to U+FFFD.
  if (kept.endsWith('\ufffd')) kept = kept.slice(0, -1);
  return `${kept}…`;
}

/** Translates what a handler throws, and answers requests that could not be decoded. */
export function errorsMiddleware(logger: Logger): ServerMiddleware {
  return async function* translate<Request, Response>(
    call: ServerMiddlewareCall<Request, Response>,
    context: CallContext,
  ) {
    try {
      return yield* call.requestStream
        ? call.next(decodedOnly(call.request), context)
        : call.next(decoded(call.request), context);
    } catch (error) {
      const requestId = requestIdOf(context);
      context.trailer.set(REQUEST_ID, requestId);
      throw toServerError(error, { path: call.method.path, requestId, logger });
    }
  };
}

function decoded<Request>(request: Request): Request {
  if (request instanceof Undecodable) throw request.refusal;
  return request;
}

async function* decodedOnly<Request>(requests: AsyncIterable<Request>): AsyncIterable<Request> {
  for await (const request of requests) yield decoded(request);
}

interface FailedCall {
  readonly path: string;
  readonly requestId: string;
  readonly logger: Logger;
}

function toServerError(error: unknown, { path, requestId, logger }: FailedCall): unknown {
  if (error instanceof MadeleineError) {
    logger.debug({ requestId, path, reason: error.reason, err: error.cause }, 'call refused');
    return toRichError(error);
  }
  if (error instanceof ServerError || isAbortError(error)) return error;
  logger.error({ requestId, path, err: error }, 'internal error');
  return new ServerError(Status.INTERNAL, `internal error; the server's log has the cause under ${requestId}`);
}

/** The id by which a call is found in the log: the caller's `x-request-id` if it is a decent one, else a new one. */
export function requestIdOf(context: CallContext): string {
  const given = context.metadata.get(REQUEST_ID) ?? '';
  return /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Whether the caller went away: nothing to translate. */
function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
