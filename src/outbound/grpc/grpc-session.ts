// One HTTP/2 connection to a receiver, and calls over it. Everything that comes is counted, whatever kind of frame it is: a receiver
// that goes on answering is broken off, and neither the time of a call nor the library's patience decides when.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { AttemptFailure } from '../attempt/attempt-failure.js';
import { CountedSocket } from '../connection/sockets.js';

/** What may come over a connection for one call, and between calls. */
const MAX_CALL_BYTES = 64 * 1024;
/** What a receiver may answer: an empty message and a status. */
const MAX_BODY_BYTES = 16 * 1024;
const MAX_PIECES = 256;
const MAX_HEADER_BYTES = 16 * 1024;
/** Interim answers (1xx) before the answer. */
const MAX_INTERIM = 16;
/** How long a connection is kept that nothing comes or goes over. */
const IDLE_MS = 60_000;

export interface GrpcReply {
  readonly head: IncomingHttpHeaders;
  /** Undefined where the head was all, or the answer ended without them. */
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly body: Buffer;
}

export class GrpcSession {
  readonly #session: ClientHttp2Session;
  readonly #socket: CountedSocket;
  #calls = 0;
  #made = 0;
  #isRetired = false;

  /** Takes a socket that is connected. `origin` is where it leads to, as HTTP/2 names it. */
  constructor(socket: Socket, origin: string) {
    this.#socket = new CountedSocket(socket, endless);
    this.#allow();
    this.#session = connect(origin, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, maxHeaderListSize: MAX_HEADER_BYTES },
    });
    // Calls hear of it by themselves; without a listener it would end the process.
    this.#session.on('error', () => {});
    this.#session.on('goaway', () => this.retire());
    this.#session.setTimeout(IDLE_MS, () => this.retire());
  }

  /** Whether further calls may be made. */
  get isOpen(): boolean {
    return !this.#isRetired && !this.#session.closed && !this.#session.destroyed;
  }

  /** Whether a call was made over it before. */
  get isUsed(): boolean {
    return this.#made > 0;
  }

  /** Calls under way. */
  get calls(): number {
    return this.#calls;
  }

  /** Makes a call. Rejects with an AttemptFailure, or with the signal's reason. */
  async call(headers: OutgoingHttpHeaders, body: Buffer, signal: AbortSignal): Promise<GrpcReply> {
    signal.throwIfAborted();
    this.#calls += 1;
    this.#made += 1;
    this.#allow();
    const { received } = this.#socket;
    try {
      return await new Call(this.#session.request(headers), body, { signal, isLost: () => this.#isLost }).reply;
    } catch (error) {
      // Nothing at all came for as long as the call lasted: the connection may be dead without anybody's having said so.
      if (signal.aborted && this.#socket.received === received) this.retire();
      throw error instanceof AttemptFailure || signal.aborted ? error : failureOf(error);
    } finally {
      this.#calls -= 1;
      this.#allow();
      if (!this.isOpen) this.retire();
    }
  }

  /** Makes no further calls, and closes it once those under way have ended. */
  retire(): void {
    this.#isRetired = true;
    // A polite close would wait for the other side's, for ever where nobody is there.
    if (this.#calls === 0) this.#session.destroy();
  }

  /** Closes it; calls under way fail. */
  destroy(): void {
    this.#isRetired = true;
    this.#session.destroy();
  }

  get #isLost(): boolean {
    return this.#session.destroyed || this.#socket.destroyed;
  }

  /** What was not used by one call is not saved for later ones. */
  #allow(): void {
    this.#socket.allowed = this.#socket.received + MAX_CALL_BYTES * (this.#calls + 1);
  }
}

interface CallOptions {
  readonly signal: AbortSignal;
  readonly isLost: () => boolean;
}

/** One call: its answer as it comes in, up to what it may have. */
class Call {
  readonly reply: Promise<GrpcReply>;
  readonly #stream: ClientHttp2Stream;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #interim = 0;
  #head: IncomingHttpHeaders | undefined;
  #trailers: IncomingHttpHeaders | undefined;
  #failure: unknown;
  #isComplete = false;

  /** `isLost`: whether there is no connection any more. */
  constructor(stream: ClientHttp2Stream, body: Buffer, { signal, isLost }: CallOptions) {
    this.#stream = stream;
    const onAbort = () => this.#breakOff(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.reply = new Promise<GrpcReply>((resolve, reject) => {
      stream.on('headers', () => this.#onInterim());
      stream.on('response', (head) => {
        this.#head = head;
      });
      stream.on('trailers', (trailers) => {
        this.#trailers = trailers;
      });
      stream.on('data', (piece: Buffer) => this.#onData(piece));
      stream.on('end', () => {
        this.#isComplete = this.#failure === undefined;
        // It is answered, although not all that was sent may have been read.
        if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
      });
      stream.on('error', (error) => {
        this.#failure ??= error;
      });
      stream.once('close', () => {
        signal.removeEventListener('abort', onAbort);
        const head = this.#head;
        if (head === undefined || !this.#isComplete)
          reject(this.#failure ?? (isLost() ? LOST : resetFailure(stream.rstCode)));
        else resolve({ head, trailers: this.#trailers, body: Buffer.concat(this.#pieces) });
      });
    });
    stream.end(framed(body));
  }

  #onInterim(): void {
    this.#interim += 1;
    if (this.#interim > MAX_INTERIM) this.#breakOff(endless());
  }

  #onData(piece: Buffer): void {
    this.#bytes += piece.length;
    this.#pieces.push(piece);
    if (this.#bytes > MAX_BODY_BYTES || this.#pieces.length > MAX_PIECES) this.#breakOff(endless());
  }

  #breakOff(failure: unknown): void {
    this.#failure ??= failure;
    this.#isComplete = false;
    // Not by a polite close alone: that would go on reading until the other side has heard of it.
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#stream.destroy();
  }
}

/** A message as gRPC sends it: not compressed, with its length before it. */
function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function endless(): AttemptFailure {
  return new AttemptFailure('answer', 'the receiver sent more than an answer may have');
}

/** The receiver, or something before it, gave the call up. */
function resetFailure(code: number | undefined): AttemptFailure {
  const name = RESETS[code ?? 0] ?? 'INTERNAL';
  if (code === constants.NGHTTP2_REFUSED_STREAM) return new AttemptFailure('connection', REFUSED, { status: name });
  return new AttemptFailure('answer', `the receiver reset the call (HTTP/2 error ${code ?? 0})`, { status: name });
}

const REFUSED = 'the receiver did not take the call';

/** The statuses of gRPC that resets stand for. */
const RESETS: Readonly<Record<number, string>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: 'UNAVAILABLE',
  [constants.NGHTTP2_CANCEL]: 'CANCELLED',
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: 'RESOURCE_EXHAUSTED',
  [constants.NGHTTP2_INADEQUATE_SECURITY]: 'PERMISSION_DENIED',
};

/** What the library says of a call that had no answer. */
function failureOf(error: unknown): AttemptFailure {
  const { code = '', message = '', cause } = (error ?? {}) as NodeJS.ErrnoException;
  if (cause instanceof AttemptFailure) return cause;
  const reset = /NGHTTP2_([A-Z_]+)/.exec(message)?.[1];
  if (reset !== undefined) {
    return resetFailure((constants as unknown as Record<string, number>)[`NGHTTP2_${reset}`]);
  }
  if (code === 'ERR_HTTP2_ERROR') return new AttemptFailure('answer', 'not an HTTP/2 answer', { cause: error });
  return LOST;
}

const LOST = new AttemptFailure('connection', 'the connection was closed before an answer', { status: 'UNAVAILABLE' });
