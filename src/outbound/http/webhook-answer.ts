// What the answer to a webhook means, and how little of it is read.

import { type ClientRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Millis } from '../../units.js';
import { type Answer, AttemptFailure, retryAfter } from '../attempt/attempt-failure.js';
import { connectionFailure } from '../attempt/connection-failure.js';

/** How long a body is waited for; the status is what counts. */
const BODY_WAIT_MS = 1_000;
/** The bytes of a body that are thrown away, and the pieces that it comes in; where there are more, the connection is closed. */
const MAX_DISCARDED_BYTES = 64 * 1024;
const MAX_PIECES = 1_024;
/** All that may come over the connection for one call, whatever it is: interim answers, head, chunks with extensions, trailers. */
const MAX_ANSWER_BYTES = 128 * 1024;
/** Interim answers (1xx) before the answer. */
const MAX_INTERIM = 16;

/** Statuses below 500 after which the same request may be taken later. */
const RETRYABLE = new Set([408, 425, 429]);
/** The redirects that say of themselves that they last; others may be a page that stands in for a while. None is followed. */
const MOVED_FOR_GOOD = new Set([301, 308]);

/** The status as an outcome. 2xx: delivered. 4xx but 408, 425, 429, and 301, 308: rejected. All else: failed. */
export function answerOfStatus(response: IncomingMessage, nowMs: Millis): Omit<Answer, 'bytes' | 'answeredAtMs'> {
  const code = response.statusCode ?? 0;
  const outcome = outcomeOf(code);
  // Our words for it, not the receiver's: it may put anything there.
  const status = `${code} ${STATUS_CODES[code] ?? ''}`.trim();
  const retryAfterMs = outcome === 'failed' ? parseRetryAfter(response.headers['retry-after'], nowMs) : undefined;
  return {
    outcome,
    reason: code === 410 ? 'gone' : 'answered',
    status,
    statusCode: code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(code >= 300 && code < 400 ? { error: 'redirects are not followed: use the URL that it leads to' } : {}),
  };
}

function outcomeOf(code: number): Answer['outcome'] {
  if (code >= 200 && code < 300) return 'delivered';
  if (MOVED_FOR_GOOD.has(code)) return 'rejected';
  return code >= 400 && code < 500 && !RETRYABLE.has(code) ? 'rejected' : 'failed';
}

/** Retry-After as seconds or as an HTTP date; undefined if it is neither. At most a day. */
export function parseRetryAfter(text: string | undefined, nowMs: Millis): number | undefined {
  if (text === undefined) return undefined;
  const delayMs = /^\d{1,10}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  // Date.parse reads much that is no HTTP date; those end in GMT.
  if (Number.isNaN(delayMs) || !/^\d+$|GMT$/.test(text)) return undefined;
  return retryAfter(delayMs);
}

/**
 * The beginning of the body, at most `keepBytes`. The rest of a small body is thrown away, so that the connection can be used
 * again; a large or slow one is broken off. Never rejects: the status has come, a body that breaks changes nothing.
 */
export function readBeginning(response: IncomingMessage, keepBytes: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let pieces = 0;
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      // No more than an end for one that was read to its end.
      if (!response.complete) response.destroy();
      resolve(Buffer.concat(chunks).subarray(0, keepBytes));
    };
    const timer = setTimeout(finish, BODY_WAIT_MS);
    signal.addEventListener('abort', finish, { once: true });
    response.on('data', (chunk: Buffer) => {
      if (bytes < keepBytes) chunks.push(chunk);
      bytes += chunk.length;
      pieces += 1;
      if (bytes > MAX_DISCARDED_BYTES || pieces > MAX_PIECES) finish();
    });
    response.on('error', finish);
    response.once('close', finish);
    response.once('end', finish);
    if (signal.aborted) finish();
  });
}

/**
 * Breaks off an answer without an end: the time of an attempt alone would let a receiver keep the server busy for as long. Once
 * the head has come, what is cut off is the rest of a body that nobody reads.
 */
export function boundAnswer(request: ClientRequest): void {
  let interim = 0;
  request.on('information', () => {
    interim += 1;
    if (interim > MAX_INTERIM) request.destroy(ENDLESS);
  });
  request.once('socket', (socket: Socket) => {
    let bytes = 0;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) request.destroy(ENDLESS);
    };
    socket.on('data', count);
    request.once('close', () => socket.off('data', count));
  });
}

const ENDLESS = new AttemptFailure('answer', 'the receiver sent more than an answer may have');
const STALE = new AttemptFailure('connection', 'the kept connection was closed');

/** Whether the request met a connection that had been closed while it was kept. */
export function isStaleConnection(error: unknown): boolean {
  return error === STALE;
}

/** What went wrong before an answer, in words that name neither the URL nor what was sent. */
export function requestFailure(error: NodeJS.ErrnoException, reusedSocket: boolean): AttemptFailure {
  if (error instanceof AttemptFailure) return error;
  const { code = '' } = error;
  if (reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE')) return STALE;
  if (code.startsWith('HPE_')) {
    return new AttemptFailure('answer', `not an HTTP answer (${code})`, { cause: error });
  }
  return connectionFailure(error);
}
