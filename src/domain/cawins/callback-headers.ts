// Headers that a caller wants to be sent along with a callback: HTTP headers, gRPC metadata or AMQP message headers. They often
// carry credentials, so no error of ours repeats a value.

import { fieldInvalid } from '../errors.js';

export const MAX_CALLBACK_HEADERS = 32;
const MAX_NAME_BYTES = 128;
const MAX_VALUE_BYTES = 4096;
const MAX_TOTAL_BYTES = 8192;

/** Names that all three protocols can carry: a part of HTTP's tokens. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
/** Printable ASCII without a space at the edges: neither a line break nor anything that an intermediary would change. */
const VALUE = /^[!-~](?:[ -~]*[!-~])?$/;

/**
 * What the server sets itself, what belongs to one connection only, what would change the meaning of the call, its body or its answer,
 * and what a broker takes as an order. All of it for every protocol: the URL may become another one.
 */
const RESERVED = new Set([
  ...['host', 'user-agent', 'accept', 'accept-encoding', 'date', 'expect', 'range', 'traceparent', 'tracestate'],
  // HTTP, from hop to hop.
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'max-forwards'],
  ...['via', 'forwarded', 'early-data', 'alt-used'],
  // HTTP: another method than the one that is sent.
  ...['x-http-method', 'x-http-method-override', 'x-method-override'],
  // AMQP: RabbitMQ routes by these, delays, drops, counts deaths, or closes the channel where they are texts.
  ...['cc', 'bcc', 'x-delay', 'x-death', 'x-match', 'x-expires', 'x-received-from', 'x-routing-trace'],
  ...['x-deduplication-header', 'x-cache-ttl', 'x-hash', 'x-delivery-count', 'x-acquired-count'],
]);
/** Families of names with a meaning of their own. */
const RESERVED_PREFIX =
  /^(webhook-|ce-|cloudevents|grpc-|madeleine-|x-forwarded-|sec-|content-|proxy-|if-|access-control-|x-first-death|x-last-death|x-stream-|x-opt-|x-message-ttl|x-dead-letter-|x-max-|x-single-active-|x-queue-|x-quorum-|x-amqp-|x-basic-|qpid\.|jms|amqp|timestamp_in_ms)/;

/** Whether a header is not the caller's to set. */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  // gRPC would take the value of a name in -bin as base64.
  return RESERVED.has(lower) || RESERVED_PREFIX.test(lower) || lower.endsWith('-bin');
}

/** Whether a text can be the value of a header in every protocol. */
export function isHeaderValue(value: string): boolean {
  return VALUE.test(value) && value.length <= MAX_VALUE_BYTES;
}

/** Throws FIELD_INVALID for the first header that cannot be sent; `field` is the map's path in the request. */
export function assertCallbackHeaders(headers: Readonly<Record<string, string>>, field = 'callback.headers'): void {
  const entries = Object.entries(headers);
  if (entries.length > MAX_CALLBACK_HEADERS) throw fieldInvalid(field, `has more than ${MAX_CALLBACK_HEADERS} members`);
  const seen = new Set<string>();
  let bytes = 0;
  for (const [name, value] of entries) {
    const problem = headerProblem(name, value) ?? (seen.has(name.toLowerCase()) ? 'is there twice' : undefined);
    // A name that is none could be anything, a credential too.
    if (problem !== undefined) throw fieldInvalid(NAME.test(name) ? `${field}[${name}]` : field, problem);
    seen.add(name.toLowerCase());
    bytes += name.length + value.length;
  }
  if (bytes > MAX_TOTAL_BYTES) throw fieldInvalid(field, `has more than ${MAX_TOTAL_BYTES} bytes`);
}

function headerProblem(name: string, value: string): string | undefined {
  if (!NAME.test(name) || name.length > MAX_NAME_BYTES) {
    return `a name has to be 1 to ${MAX_NAME_BYTES} letters, digits, hyphens, dots and underscores`;
  }
  if (isReservedHeader(name))
    return 'is set by the server, or has a meaning of its own in a protocol that callbacks use';
  if (!isHeaderValue(value)) {
    return `has to be 1 to ${MAX_VALUE_BYTES} characters of printable ASCII without a space at the edges`;
  }
  return undefined;
}
