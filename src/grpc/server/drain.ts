// Ends the streams of libraries, health and reflection, when the server drains; ours end by themselves.

import type { CallContext, ServerMiddleware, ServerMiddlewareCall } from 'nice-grpc';
import { drainingError } from '../../domain/errors.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { orAbort } from '../../lib/or-abort.js';

/** How long a stream may still say something then, such as that the server serves no more. */
const LAST_WORDS_MS = 100;

export interface DrainMiddlewareOptions {
  readonly clock: Clock;
  readonly draining: AbortSignal;
}

/** Makes the middleware; without it such a stream would be waited for, and then cut without a reason. */
export function drainMiddleware(options: DrainMiddlewareOptions): ServerMiddleware {
  return async function* drain<Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
    if (!call.responseStream || !call.method.path.startsWith('/grpc.')) return yield* call.next(call.request, context);
    const end = new DrainEnd(options);
    const messages = call.next(call.request, context);
    try {
      for (;;) {
        const next = await orAbort(messages.next(), end.signal);
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      end.release();
    }
  };
}

/** The end of one stream by the drain. */
class DrainEnd {
  readonly #options: DrainMiddlewareOptions;
  readonly #end = new AbortController();
  #timer: Timer | undefined;
  readonly #onDrain = () => {
    this.#timer = this.#options.clock.after(LAST_WORDS_MS, () => this.#end.abort(drainingError()));
  };

  constructor(options: DrainMiddlewareOptions) {
    this.#options = options;
    if (options.draining.aborted) this.#onDrain();
    else options.draining.addEventListener('abort', this.#onDrain);
  }

  /** Aborts with DRAINING. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  release(): void {
    this.#options.draining.removeEventListener('abort', this.#onDrain);
    this.#timer?.stop();
  }
}
