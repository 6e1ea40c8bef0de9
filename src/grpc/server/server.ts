// The gRPC server: services, health, reflection, limits, keep-alive, and how it ends.

import { readFileSync } from 'node:fs';
import { createServer, type Server, type ServerMiddleware } from 'nice-grpc';
import { errorDetailsServerMiddleware } from 'nice-grpc-error-details';
import { prometheusServerMiddleware } from 'nice-grpc-prometheus';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';
import { ServerReflectionService } from 'nice-grpc-server-reflection';
import type { Clock } from '../../lib/clock.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { within } from '../../lib/within.js';
import { listenWords } from '../../settings/listen-address.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { ServerDefinition } from '../wire/definitions.js';
import { accessLogMiddleware } from './access-log.js';
import { drainMiddleware } from './drain.js';
import { errorsMiddleware } from './errors.js';
import { takeFarDeadlines } from './far-deadlines.js';
import { withHttp2Bounds } from './http2-server.js';
import { Reflection } from './reflection.js';
import { type InterceptedCall, tellTimeLeft } from './time-left.js';
import { tellWritten } from './written-messages.js';

/** Bytes that a request may have; above them gRPC itself answers RESOURCE_EXHAUSTED. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
const KEEPALIVE_TIME_MS = 25_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** The error of an address that cannot be listened on: one sentence that names it. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

export interface RegisteredService {
  readonly name: string;
  readonly definition: ServerDefinition;
  /** Methods by the names of the definition. */
  readonly implementation: object;
}

export interface GrpcServerOptions {
  readonly services: readonly RegisteredService[];
  /** Calls of one connection that may be open at once. */
  readonly maxStreams: number;
  /** Aborts when the server drains. */
  readonly draining: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger & { isLevelEnabled?(level: string): boolean };
}

export class GrpcServer {
  readonly #server: Server;
  readonly #health = HealthState();
  readonly #services: readonly string[];
  readonly #clock: Clock;

  constructor({ services, maxStreams, draining, clock, logger }: GrpcServerOptions) {
    this.#clock = clock;
    this.#services = ['', ...services.map(({ name }) => name)];
    this.setServing(false);
    takeFarDeadlines();
    // No `grpc-node.max_session_memory`: Node 20 never takes off what a call that is cut off had not sent yet (half a megabyte a
    // reader, measured), so that any limit ends in refusing every call of a connection that did nothing wrong.
    const server: Server = createServer({
      'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
      'grpc.max_concurrent_streams': maxStreams,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.keepalive_permit_without_calls': 1,
      interceptors: [tellWritten, (...call: InterceptedCall) => tellTimeLeft(clock, ...call)],
    });
    // `use` returns a server that runs the middleware; the one it is called on does not.
    this.#server = middlewares({ logger, clock, draining }).reduce(
      (wrapped, middleware) => wrapped.use(middleware),
      server,
    );
    for (const { definition, implementation } of services) this.#add(definition, implementation);
    this.#server.add(HealthDefinition, HealthServiceImpl(this.#health));
    this.#addReflection(services.map(({ name }) => name));
  }

  /** Begins to accept; resolves with the port. Rejects with ListenError. */
  async listen(address: string): Promise<number> {
    try {
      return await withHttp2Bounds(this.#clock, () => this.#server.listen(address));
    } catch (cause) {
      throw new ListenError(`cannot listen on ${address} for gRPC: ${listenWords(codeOf(cause))}`, { cause });
    }
  }

  /** What the health service answers, overall and for each service. */
  setServing(serving: boolean): void {
    for (const service of this.#services) this.#health.setStatus(serving ? 'healthy' : 'unhealthy', service);
  }

  /** Accepts no more; gives open calls the time to end, then cuts them. */
  async stop(graceMs: Millis): Promise<void> {
    // After a forced shutdown the graceful one may never resolve: a client can leave a stream behind that it does not read.
    await within(this.#clock, graceMs, this.#server.shutdown(), () => this.#server.forceShutdown());
  }

  #add(definition: ServerDefinition, implementation: object): void {
    // The definition is built from the generated one at run time: its methods are those of the implementation by construction.
    this.#server.add(definition as never, implementation as never);
  }

  /** Adds reflection v1, and the same under its former name for tools that know only that. */
  #addReflection(services: readonly string[]): void {
    const descriptors = readFileSync(new URL('generated/descriptor.binpb', PACKAGE_ROOT));
    const implementation = new Reflection(descriptors, [...services, 'grpc.health.v1.Health']);
    this.#server.add(ServerReflectionService, implementation);
    const alpha = Object.entries(ServerReflectionService).map(([method, definition]) => {
      return [method, { ...definition, path: definition.path.replace('.v1.', '.v1alpha.') }];
    });
    this.#server.add(Object.fromEntries(alpha) as typeof ServerReflectionService, implementation);
  }
}

/** The system's code, which the library has in the middle of a sentence of its own. */
function codeOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return /\bE[A-Z_]{3,}\b/.exec(text)?.[0] ?? text;
}

/** The middleware, outermost first. What a handler throws is translated innermost, so that metrics see the status that goes out. */
function middlewares(options: Pick<GrpcServerOptions, 'logger' | 'clock' | 'draining'>): ServerMiddleware[] {
  const accessLog = options.logger.isLevelEnabled?.('debug') === true ? [accessLogMiddleware(options)] : [];
  return [
    prometheusServerMiddleware(),
    ...accessLog,
    errorDetailsServerMiddleware as ServerMiddleware,
    errorsMiddleware(options.logger),
    drainMiddleware(options),
  ];
}
