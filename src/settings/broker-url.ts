// MADELEINE_AMQP_URL: amqp://user:password@host:port/vhost, with the parameters that the library knows.

import { numberParameter, parseServerUrl, problemOf, type UrlForm } from './server-url.js';

export interface BrokerTarget {
  readonly protocol: 'amqp' | 'amqps';
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** Seconds. */
  readonly heartbeat: number;
  readonly channelMax: number;
  /** Bytes. */
  readonly frameMax: number;
}

const FORM: UrlForm = {
  schemes: ['amqp', 'amqps'],
  parameters: ['heartbeat', 'channelMax', 'frameMax'],
  example: 'amqp://user:password@host:port/vhost',
};

/** A broker that says nothing for twice this long is gone. */
const HEARTBEAT_S = 10;
const ANY_CHANNELS = 0;
const FRAME_BYTES = 131_072;
/** What the protocol calls the least, and what fits its field. */
const FRAME_BOUNDS = [4096, 2 ** 31 - 1] as const;

/** Reads the URL. Throws UrlProblem. */
export function parseBrokerUrl(text: string): BrokerTarget {
  const url = parseServerUrl(text, FORM);
  const isSecure = url.scheme === 'amqps';
  // As RabbitMQ's own clients have it: nobody named is the guest, of the broker's own host.
  const isNobody = url.user === '' && url.password === '';
  return {
    protocol: isSecure ? 'amqps' : 'amqp',
    hostname: url.host,
    port: url.port ?? (isSecure ? 5671 : 5672),
    username: isNobody ? 'guest' : url.user,
    password: isNobody ? 'guest' : url.password,
    vhost: encodeURIComponent(url.path === '' ? '/' : url.path),
    heartbeat: numberParameter(url, 'heartbeat', [0, 65_535]) ?? HEARTBEAT_S,
    channelMax: numberParameter(url, 'channelMax', [0, 65_535]) ?? ANY_CHANNELS,
    frameMax: numberParameter(url, 'frameMax', FRAME_BOUNDS) ?? FRAME_BYTES,
  };
}

/** What is wrong with the URL; undefined when nothing is. */
export function brokerUrlProblem(text: string): string | undefined {
  return problemOf(() => parseBrokerUrl(text));
}
