// Callback URLs: what may be asked for, and their parts. Whether an address may be called is not known here: that is
// outbound/guard's to say.

import { fieldInvalid } from '../errors.js';

/** Bytes that a whole URL may have. */
export const MAX_CALLBACK_URL_BYTES = 2048;
/** Bytes that an exchange's name and a routing key may have: AMQP's short string. */
const MAX_SHORT_STRING_BYTES = 255;

/** POSTs a CloudEvent. */
export interface HttpCallbackUrl {
  readonly scheme: 'http' | 'https';
  /** The whole URL in its normal form. */
  readonly href: string;
  /** A lower-case name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** What circuits and limits go by, such as `https://example.org:8443`. */
  readonly origin: string;
}

/** Calls `CallbackService/OnEvent`. */
export interface GrpcCallbackUrl {
  readonly scheme: 'grpc' | 'grpcs';
  readonly host: string;
  readonly port: number;
  readonly origin: string;
}

/** Publishes through the operator's broker. */
export interface AmqpCallbackUrl {
  readonly scheme: 'amqp';
  /** Empty: the broker's default exchange, whose routing keys are names of queues. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly origin: string;
}

export type CallbackUrl = HttpCallbackUrl | GrpcCallbackUrl | AmqpCallbackUrl;

/**
 * The parts of a callback URL: `http://…`, `https://…`, `grpc://host:port`, `grpcs://host:port`, `amqp:exchange/routing.key`.
 * Hosts are in their normal form, so that `0x7f.1` is 127.0.0.1 here. Throws FIELD_INVALID for `field`; the text of the URL is
 * never part of the error, as it may hold a token.
 */
export function parseCallbackUrl(text: string, field = 'callback.url'): CallbackUrl {
  if (text === '') throw fieldInvalid(field, 'is required');
  if (Buffer.byteLength(text) > MAX_CALLBACK_URL_BYTES) {
    throw fieldInvalid(field, `has more than ${MAX_CALLBACK_URL_BYTES} bytes`);
  }
  // A URL parser would drop some of these and go on, so that people and programs would read different URLs.
  if (/[\p{Cc}\s\\]/u.test(text)) throw fieldInvalid(field, 'has a space, a backslash or a control character');
  const scheme = /^([a-z]+):/i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'http':
    case 'https':
      return parseHttp(scheme, text, field);
    case 'grpc':
    case 'grpcs':
      return parseGrpc(scheme, text, field);
    case 'amqp':
      return parseAmqp(text.slice('amqp:'.length), field);
    default:
      throw fieldInvalid(field, 'has to begin with https://, http://, grpcs://, grpc:// or amqp:');
  }
}

function parseHttp(scheme: 'http' | 'https', text: string, field: string): HttpCallbackUrl {
  const url = parseUrl(text, scheme, field);
  const port = Number(url.port || (scheme === 'http' ? 80 : 443));
  const host = hostOf(url);
  return { scheme, href: url.href, host, port, path: `${url.pathname}${url.search}`, origin: url.origin };
}

function parseGrpc(scheme: 'grpc' | 'grpcs', text: string, field: string): GrpcCallbackUrl {
  if (!/^grpcs?:\/\/[^/?#]*:\d+\/?$/i.test(text)) throw fieldInvalid(field, `has to be ${scheme}://host:port`);
  // The parser normalises hosts of the schemes that it knows, and of no others.
  const stand = scheme === 'grpc' ? 'http' : 'https';
  const url = parseUrl(text.replace(/^grpcs?/i, stand), stand, field);
  const port = Number(url.port || (stand === 'http' ? 80 : 443));
  return { scheme, host: hostOf(url), port, origin: `${scheme}://${url.hostname}:${port}` };
}

function parseUrl(text: string, scheme: string, field: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') throw fieldInvalid(field, 'is not a URL with a host');
  if (!new RegExp(`^${scheme}://[^/]`, 'i').test(text)) throw fieldInvalid(field, `has to begin with ${scheme}://`);
  if (url.username !== '' || url.password !== '') {
    throw fieldInvalid(field, 'has a user or password: use a header, which is kept encrypted');
  }
  if (text.includes('#')) throw fieldInvalid(field, 'has a fragment, which is never sent');
  if (url.port === '0') throw fieldInvalid(field, 'has port 0');
  // Checked last: a name ends with at most one dot, which stands for the root and is not part of certificates.
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
  if (url.hostname === '' || /(^|\.)(\.|$)/.test(url.hostname)) throw fieldInvalid(field, 'is not a URL with a host');
  return url;
}

function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
}

function parseAmqp(text: string, field: string): AmqpCallbackUrl {
  const form = 'has to be amqp:exchange/routing.key: the broker is the one that the operator configured';
  const slash = text.indexOf('/');
  if (text.startsWith('//') || slash < 0 || /[?#]/.test(text)) throw fieldInvalid(field, form);
  const exchange = decodePart(text.slice(0, slash), field);
  const routingKey = decodePart(text.slice(slash + 1), field);
  if (exchange === '' && routingKey === '') throw fieldInvalid(field, form);
  return { scheme: 'amqp', exchange, routingKey, origin: `amqp:${text}` };
}

/** Percent-encoded characters stand for themselves, so that an exchange's name may hold a slash. */
function decodePart(text: string, field: string): string {
  let part: string;
  try {
    part = decodeURIComponent(text);
  } catch {
    throw fieldInvalid(field, 'has a percent sign that encodes nothing');
  }
  if (Buffer.byteLength(part) > MAX_SHORT_STRING_BYTES || /\p{Cc}/u.test(part)) {
    throw fieldInvalid(
      field,
      `has an exchange or routing key that is not text of at most ${MAX_SHORT_STRING_BYTES} bytes`,
    );
  }
  return part;
}
