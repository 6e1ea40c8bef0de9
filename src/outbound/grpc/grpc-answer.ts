// What a receiver's answer over gRPC means. It may be anything: whatever is no gRPC is told as such, in our words.

import type { IncomingHttpHeaders } from 'node:http2';
import { status as Status } from '@grpc/grpc-js';
import { RetryInfo } from 'nice-grpc-error-details';
import { Status as RichStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { type Answer, AttemptFailure, retryAfter } from '../attempt/attempt-failure.js';
import type { GrpcReply } from './grpc-session.js';

/** The statuses after which the same call will never be taken. */
const REJECTING: ReadonlySet<number> = new Set([
  ...[Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.ALREADY_EXISTS, Status.PERMISSION_DENIED],
  ...[Status.UNAUTHENTICATED, Status.FAILED_PRECONDITION, Status.OUT_OF_RANGE, Status.UNIMPLEMENTED],
]);

/** The statuses of HTTP that a gateway answers with where no gRPC answer came; others are UNKNOWN. */
const OF_HTTP: Readonly<Record<number, Status>> = {
  400: Status.INTERNAL,
  401: Status.UNAUTHENTICATED,
  403: Status.PERMISSION_DENIED,
  404: Status.UNIMPLEMENTED,
  429: Status.UNAVAILABLE,
  502: Status.UNAVAILABLE,
  503: Status.UNAVAILABLE,
  504: Status.UNAVAILABLE,
};

/** Returns what the attempt log keeps of a reply. Throws an AttemptFailure (answer) where it is none of gRPC. */
export function answerOf(reply: GrpcReply): Omit<Answer, 'answeredAtMs'> {
  const end = reply.trailers ?? reply.head;
  const text = end['grpc-status'];
  if (text === undefined) return answerOfHttp(Number(reply.head[':status']));
  // The whole range and no more: a number is stored, and shown by its name.
  const code = typeof text === 'string' && /^(\d|1[0-6])$/.test(text) ? Number(text) : undefined;
  if (code === undefined) throw notGrpc('a gRPC status that there is none of');
  if (code === Status.OK && !isOneMessage(reply.body)) throw notGrpc('not one message with its status OK');
  return answerOfStatus(code, code === Status.OK ? Buffer.alloc(0) : detailsOf(end), end);
}

function answerOfHttp(httpStatus: number): Omit<Answer, 'answeredAtMs'> {
  if (httpStatus === 200) throw notGrpc('without a gRPC status');
  const details = `answered with HTTP status ${Number.isInteger(httpStatus) ? httpStatus : 0}`;
  return answerOfStatus(OF_HTTP[httpStatus] ?? Status.UNKNOWN, Buffer.from(details), {});
}

function answerOfStatus(code: Status, bytes: Buffer, end: IncomingHttpHeaders): Omit<Answer, 'answeredAtMs'> {
  const outcome = code === Status.OK ? 'delivered' : REJECTING.has(code) ? 'rejected' : 'failed';
  const retryAfterMs = outcome === 'failed' ? retryInfoMs(end) : undefined;
  return {
    outcome,
    reason: 'answered',
    status: Status[code],
    statusCode: code,
    bytes,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function notGrpc(words: string): AttemptFailure {
  const named = { status: Status[Status.UNKNOWN], statusCode: Status.UNKNOWN };
  return new AttemptFailure('answer', `the receiver answered with ${words}`, named);
}

/** Whether the body is one message, in whatever form: what it says is nothing that anybody needs. */
function isOneMessage(body: Buffer): boolean {
  return body.length >= 5 && body.readUInt32BE(1) === body.length - 5;
}

/** The status's words, percent-encoded as gRPC has them; taken as they are where they are not. */
function detailsOf(end: IncomingHttpHeaders): Buffer {
  const text = end['grpc-message'];
  if (typeof text !== 'string') return Buffer.alloc(0);
  try {
    return Buffer.from(decodeURIComponent(text));
  } catch {
    // URIError: a percent sign that encodes nothing.
    return Buffer.from(text, 'latin1');
  }
}

/** The delay of a google.rpc.RetryInfo in the status's details. */
function retryInfoMs(end: IncomingHttpHeaders): number | undefined {
  const text = end['grpc-status-details-bin'];
  if (typeof text !== 'string') return undefined;
  try {
    const { details } = RichStatus.decode(Buffer.from(text, 'base64'));
    const found = details.find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.RetryInfo'));
    const delay = found && RetryInfo.decode(found.value).retryDelay;
    return delay && retryAfter(Number(delay.seconds) * 1000 + delay.nanos / 1_000_000);
  } catch {
    // What the receiver put there is its own affair; the status alone counts then.
    return undefined;
  }
}
