// A receiver of webhooks: a real HTTP(S) server on loopback that keeps what it was sent and answers as it is told.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Certificate } from './certificates.js';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Port that the call came from: the same one, the same connection. */
  readonly fromPort: number;
  /** Name that TLS was asked for. */
  readonly serverName: string | false | undefined;
}

export type Responder = (response: ServerResponse, received: Received) => void;

export class HttpReceiver {
  readonly #certificate: Certificate | undefined;
  readonly #host: string;
  readonly #server;
  readonly #sockets = new Set<Socket>();
  readonly received: Received[] = [];
  /** Connections that were ever opened. */
  connections = 0;
  respond: Responder = (response) => response.end('thanks');

  constructor(options: { readonly certificate?: Certificate; readonly host?: string } = {}) {
    this.#certificate = options.certificate;
    this.#host = options.host ?? '127.0.0.1';
    const take = (request: IncomingMessage, response: ServerResponse) => void this.#take(request, response);
    this.#server = this.#certificate === undefined ? createServer(take) : createSecureServer(this.#certificate, take);
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async start(port = 0): Promise<void> {
    this.#server.listen(port, this.#host);
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Its URL by its address, or by a name. */
  url(path = '/', host = this.#host): string {
    return `${this.#certificate === undefined ? 'http' : 'https'}://${host}:${this.port}${path}`;
  }

  /** Bytes that were sent to all callers so far, over connections that are still open. */
  get openConnections(): readonly Socket[] {
    return [...this.#sockets];
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // The caller broke off.
      return;
    }
    const { method = '', url: path = '', headers, socket } = request;
    const serverName = (socket as { servername?: string | false }).servername;
    const received = {
      method,
      path,
      headers,
      body: Buffer.concat(chunks),
      fromPort: socket.remotePort ?? 0,
      serverName,
    };
    this.received.push(received);
    this.respond(response, received);
  }
}
