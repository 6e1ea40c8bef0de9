// Receivers that say whatever a test wants: bytes over a socket, or HTTP/2 streams without a library that keeps the rules of gRPC.

import { once } from 'node:events';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Bytes over a socket. */
export class RawReceiver {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  /** Bytes that the other side took. */
  taken = 0;

  /** `answer` is called at the first bytes of each connection. */
  constructor(answer: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.taken += socket.bytesWritten - socket.writableLength;
        this.sockets.delete(socket);
      });
      socket.once('data', () => answer(socket));
      socket.resume();
    });
  }

  async start(port = 0, host = '127.0.0.1'): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Writes the bytes again and again, as fast as they are taken, until the socket is closed. */
export function writeForever(socket: Socket, bytes: Buffer | string): void {
  const block = Buffer.from(bytes.toString('latin1').repeat(Math.ceil(16_384 / bytes.length)), 'latin1');
  const write = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', write);
  write();
}

/** A receiver that speaks HTTP/2 and answers every stream as it is told. */
export class Http2Receiver {
  readonly #server: Http2Server = createHttp2Server();
  readonly #sockets = new Set<Socket>();
  received = 0;
  respond: (stream: ServerHttp2Stream) => void;

  constructor(respond: (stream: ServerHttp2Stream) => void) {
    this.respond = respond;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('session', (session) => session.on('error', () => {}));
    this.#server.on('stream', (stream) => {
      this.received += 1;
      stream.on('error', () => {});
      stream.resume();
      this.respond(stream);
    });
  }

  async start(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `grpc://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** One empty message, as gRPC sends it. */
export const EMPTY_MESSAGE = Buffer.alloc(5);

/** Answers as gRPC does: a head, messages, and trailers. */
export function answerGrpc(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders, body = EMPTY_MESSAGE): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}
