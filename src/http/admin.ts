// HTTP beside gRPC, on a port of its own, for what runs and watches the server: liveness, readiness, metrics, health of its
// database. Nothing of the product's data is to be had here.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { listenWords, splitAddress } from '../settings/listen-address.js';
import { type AdminRoutesOptions, adminRoutes } from './admin-routes.js';
import { NewestSockets } from './newest-sockets.js';

/** Connections that are kept; with one more the oldest goes, so that whoever comes is heard. */
const MAX_CONNECTIONS = 256;
/** How often the time limits of requests are looked at; Node's own 30 s let a request of no end last as long. */
const LIMITS_CHECKED_MS = 1_000;

export interface AdminServerOptions extends AdminRoutesOptions {
  /** The address, host:port; port 0 takes a free one. */
  readonly listen: string;
}

/** The error of an address that cannot be listened on. The message is one sentence that names the address. */
export class AdminListenError extends Error {
  override readonly name = 'AdminListenError';
}

export class AdminServer {
  readonly #listen: string;
  readonly #server: Server;

  constructor({ listen, ...options }: AdminServerOptions) {
    this.#listen = listen;
    const listener = getRequestListener(adminRoutes(options).fetch, {
      // What is global is not ours to replace: callbacks and libraries use the same Request.
      overrideGlobalObjects: false,
      // For whoever names no host, as HTTP/1.0 allows and balancers do: the routes are the same for all.
      hostname: 'localhost',
    });
    this.#server = createServer(
      {
        ...{ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000, maxHeaderSize: 8_192 },
        connectionsCheckingInterval: LIMITS_CHECKED_MS,
      },
      listener,
    );
    const sockets = new NewestSockets(MAX_CONNECTIONS);
    this.#server.on('connection', (socket) => sockets.add(socket));
  }

  /** Resolves with the address, its port the real one. Rejects with AdminListenError. */
  async start(): Promise<string> {
    const listen = this.#listen;
    const { host, hostText, port } = splitAddress(listen);
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw new AdminListenError(`cannot listen on ${listen} for HTTP: ${listenWords(code ?? message)}`, { cause });
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
}
