// Sockets to one checked address each, waited for until they can be used, and the bytes that come over them counted.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Resolves when the socket is ready, with TLS if it has that; destroys it at the signal's abort. */
export function readySocket<S extends Socket>(
  socket: S,
  ready: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  // Whoever uses it hears of its errors by listeners of their own; without any, one would end the process.
  socket.on('error', () => {});
  return new Promise((resolve, reject) => {
    const end = () => {
      socket.off(ready, onReady);
      socket.off('error', onError);
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    const onReady = () => {
      end();
      resolve(socket);
    };
    const onError = (error: Error) => {
      end();
      reject(error);
    };
    const onClose = () => onError(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    const onAbort = () => {
      end();
      socket.destroy();
      reject(signal.reason);
    };
    socket.on(ready, onReady);
    socket.on('error', onError);
    socket.on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** A socket for a library that would read it out of our sight: every byte is counted before it is passed on. */
export class CountedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #excess: () => Error;
  #isWanted = false;
  /** Bytes that came so far. */
  received = 0;
  /** Bytes that may come before it is broken off. */
  allowed = 0;

  /** `excess` makes the error that it is broken off with. */
  constructor(socket: Socket, excess: () => Error) {
    super();
    this.#socket = socket;
    this.#excess = excess;
    socket.on('readable', () => this.#pass());
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#isWanted = true;
    this.#pass();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  #pass(): void {
    while (this.#isWanted && !this.destroyed) {
      const chunk: Buffer | null = this.#socket.read();
      if (chunk === null) return;
      this.received += chunk.length;
      if (this.received > this.allowed) this.destroy(this.#excess());
      else this.#isWanted = this.push(chunk);
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
