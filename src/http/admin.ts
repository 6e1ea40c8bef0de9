// HTTP beside gRPC, on a port of its own, for what runs and watches the server: liveness, readiness, metrics, health of its
// database. Nothing of
// the product's data is to be had here.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { systemClock } from '../lib/clock.js';
import { within } from '../lib/within.js';
import type { Logger } from '../telemetry.js';

/** How long the readiness function may take before the answer is "not ready". */
const READINESS_TIMEOUT_MS = 2_000;
const MAX_CONNECTIONS = 256;

export interface AdminServerOptions {
  /** The address, host:port; port 0 takes a free one. */
  readonly listen: string;
  /** Why this instance should get no calls now, a short sentence each; none: it is ready. */
  readonly readiness: () => Promise<readonly string[]> | readonly string[];
  /** What the server finds of its database, as JSON; no secrets. */
  readonly inspection: () => Promise<object>;
  /** The registries whose metrics are given out together. Two must not have a metric of the same name. */
  readonly registries: readonly Registry[];
  readonly logger: Logger;
}

/** The error of an address that cannot be listened on. The message is one sentence that names the address. */
export class AdminListenError extends Error {
  override readonly name = 'AdminListenError';
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #routes: Readonly<Record<string, () => Promise<Reply> | Reply>> = {
    '/livez': () => text(200, 'ok'),
    '/readyz': () => this.#readiness(),
    '/metrics': () => this.#metrics(),
    '/doctor': async () => json(200, await this.#options.inspection()),
  };

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Resolves with the address, its port the real one. Rejects with AdminListenError. */
  async start(): Promise<string> {
    const { listen } = this.#options;
    const { host, hostText, port } = splitAddress(listen);
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      const why = code === 'EADDRINUSE' ? 'another program uses it' : String(code ?? cause);
      throw new AdminListenError(`cannot listen on ${listen} for HTTP: ${why}`, { cause });
    }
    return `${hostText}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection; answers take no time worth waiting for. Resolves at once where it does not listen. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#reply(request);
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    });
    // Node leaves the body out of an answer to HEAD, and keeps its length.
    response.end(body);
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const [path = ''] = (request.url ?? '').split('?');
    const route = Object.hasOwn(this.#routes, path) ? this.#routes[path] : undefined;
    if (!route) return text(404, 'not found: there are /livez, /readyz, /metrics and /doctor');
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD');
    try {
      return await route();
    } catch (error) {
      this.#options.logger.error({ err: error, path }, 'admin request failed');
      return text(500, 'failed: the reason is in the log');
    }
  }

  async #readiness(): Promise<Reply> {
    const reasons = await this.#reasons();
    return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
  }

  async #reasons(): Promise<readonly string[]> {
    try {
      return await within(systemClock, READINESS_TIMEOUT_MS, this.#options.readiness(), () => [
        'the check did not end in time',
      ]);
    } catch (error) {
      this.#options.logger.error({ err: error }, 'readiness check failed');
      return ['the check failed: the reason is in the log'];
    }
  }

  async #metrics(): Promise<Reply> {
    const merged = Registry.merge([...this.#options.registries]);
    return { status: 200, type: merged.contentType, body: await merged.metrics() };
  }
}

function json(status: number, value: object): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

function text(status: number, body: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

/** Splits host and port. `host` is for the system, without the brackets that an IPv6 address has in a text. */
function splitAddress(address: string): { host: string; hostText: string; port: number } {
  const colon = address.lastIndexOf(':');
  const hostText = address.slice(0, colon);
  return { host: hostText.replace(/^\[|\]$/g, ''), hostText, port: Number(address.slice(colon + 1)) };
}
