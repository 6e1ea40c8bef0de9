// One line a call, at level debug: what was called, by whom, how it ended, how long it took. Never a payload.

import { type CallContext, ServerError, type ServerMiddleware, type ServerMiddlewareCall, Status } from 'nice-grpc';
import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../telemetry.js';
import { requestIdOf } from './errors.js';

export function accessLogMiddleware({ logger, clock }: { logger: Logger; clock: Clock }): ServerMiddleware {
  return async function* log<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
    const startedAt = clock.monotonicMs();
    let code: Status = Status.CANCELLED;
    try {
      const response = yield* call.next(call.request, context);
      code = Status.OK;
      return response;
    } catch (error) {
      if (error instanceof ServerError) code = error.code;
      throw error;
    } finally {
      const ms = Math.round((clock.monotonicMs() - startedAt) * 1000) / 1000;
      const line = {
        requestId: requestIdOf(context),
        path: call.method.path,
        peer: context.peer,
        code: Status[code],
        ms,
      };
      logger.debug(line, 'call');
    }
  };
}
