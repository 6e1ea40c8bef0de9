// Every failure becomes a status here, and nowhere else.

import { randomUUID } from 'node:crypto';
import { type CallContext, ServerError, type ServerMiddleware, type ServerMiddlewareCall, Status } from 'nice-grpc';
import { BadRequest, ErrorInfo, RetryInfo, RichServerError } from 'nice-grpc-error-details';
import { MadeleineError } from '../../domain/errors.js';
import type { Logger } from '../../telemetry.js';
import { Undecodable } from '../wire/definitions.js';
import { shortError } from '../wire/short-error.js';
import { STATUS } from '../wire/status.js';

const REQUEST_ID = 'x-request-id';
export const ERROR_DOMAIN = 'madeleine';

/** The rich status of a failure that the caller is told about. What is too long for a status is cut. */
export function toRichError(error: MadeleineError): RichServerError {
  const { message, violations, metadata } = shortError(error);
  const details: (ErrorInfo | BadRequest | RetryInfo)[] = [
    ErrorInfo.fromPartial({ reason: error.reason, domain: ERROR_DOMAIN, metadata }),
  ];
  if (violations.length > 0) details.push(BadRequest.fromPartial({ fieldViolations: violations }));
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.floor(error.retryAfterMs / 1000);
    const nanos = Math.round((error.retryAfterMs - seconds * 1000) * 1_000_000);
    details.push(RetryInfo.fromPartial({ retryDelay: { seconds, nanos } }));
  }
  return new RichServerError(STATUS[error.reason], message, details);
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
