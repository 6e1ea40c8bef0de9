// What the answer to a webhook means, and how little of it is read.

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Millis } from '../../units.js';
import { type Answer, AttemptFailure, retryAfter } from '../attempt/attempt-failure.js';

/** How long a body is waited for; the status is what counts. */
const BODY_WAIT_MS = 1_000;
/** The bytes of a body that are thrown away; where there are more, the connection is closed. */
const MAX_DISCARDED_BYTES = 64 * 1024;

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
      if (bytes > MAX_DISCARDED_BYTES) finish();
    });
    response.on('error', finish);
    response.once('close', finish);
    response.once('end', finish);
    if (signal.aborted) finish();
  });
}

const STALE = new AttemptFailure('connection', 'the kept connection was closed');

/** Whether the request met a connection that had been closed while it was kept. */
export function isStaleConnection(error: unknown): boolean {
  return error === STALE;
}

/** What went wrong before an answer, in words that name neither the URL nor what was sent. */
export function connectionFailure(error: NodeJS.ErrnoException, reusedSocket: boolean): AttemptFailure {
  const code = error.code ?? '';
  if (reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE')) return STALE;
  if (code.startsWith('HPE_')) {
    return new AttemptFailure('answer', `not an HTTP answer (${code})`, { cause: error });
  }
  const known = CONNECTION_FAILURES[code];
  if (known !== undefined) return new AttemptFailure('connection', known, { cause: error });
  if (isTlsCode(code)) return new AttemptFailure('tls', `${code}: ${error.message}`, { cause: error });
  return new AttemptFailure('connection', `the connection failed (${code || error.name})`, { cause: error });
}

const CONNECTION_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer',
  EPIPE: 'the connection was closed before an answer',
  ETIMEDOUT: 'no connection within the time',
  EHOSTUNREACH: 'the host is not reachable',
  ENETUNREACH: 'the network is not reachable',
};

/** OpenSSL's verdicts on certificates have no prefix in common. */
function isTlsCode(code: string): boolean {
  return /CERT|TLS|SSL|EPROTO|CRL|SIGNATURE|ISSUER|INVALID_CA|CHAIN/.test(code);
}
