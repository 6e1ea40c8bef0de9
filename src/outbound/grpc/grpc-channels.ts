// Connections for gRPC callbacks, kept for the next call: one channel for each receiver and set of checked addresses, the longest
// unused closed first. A channel dials addresses only, never names.

import { isIP } from 'node:net';
import { ChannelCredentials, Client, type ClientOptions } from '@grpc/grpc-js';
import type { GrpcCallbackUrl } from '../../domain/cawins/callback-url.js';
import type { PinnedAddress } from '../guard/address-guard.js';

/** Channels kept; each holds at most one connection, which closes by itself when nothing is sent for a minute. */
const MAX_CHANNELS = 256;
const IDLE_MS = 60_000;
/** What a receiver may answer: an empty message and a status. */
const MAX_ANSWER_BYTES = 16 * 1024;

export interface GrpcChannelsOptions {
  /** Certificates of authorities in PEM, in place of the runtime's. */
  readonly ca?: string;
}

/** A client lent for one call. */
export interface LentClient {
  readonly client: Client;
  /** Gives it back; once. */
  release(): void;
}

class Channel {
  readonly client: Client;
  users = 0;

  constructor(client: Client) {
    this.client = client;
  }
}

export class GrpcChannels {
  readonly #secure: ChannelCredentials;
  /** Channels in the order of last use. */
  readonly #channels = new Map<string, Channel>();

  constructor({ ca }: GrpcChannelsOptions = {}) {
    this.#secure = ChannelCredentials.createSsl(ca === undefined ? null : Buffer.from(ca));
  }

  lend(url: GrpcCallbackUrl, addresses: readonly PinnedAddress[]): LentClient {
    const target = targetOf(url.port, addresses);
    const key = `${url.origin} ${target}`;
    const channel = this.#channels.get(key) ?? new Channel(this.#dial(url, target));
    this.#channels.delete(key);
    this.#channels.set(key, channel);
    channel.users += 1;
    this.#closeUnused();
    return {
      client: channel.client,
      release: () => {
        channel.users -= 1;
      },
    };
  }

  /** Closes every channel; calls under way end with an error. */
  stop(): void {
    for (const { client } of this.#channels.values()) client.close();
    this.#channels.clear();
  }

  #dial({ scheme, host, port }: GrpcCallbackUrl, target: string): Client {
    const credentials = scheme === 'grpcs' ? this.#secure : ChannelCredentials.createInsecure();
    return new Client(target, credentials, { ...CHANNEL_OPTIONS, ...identityOptions(host, port) });
  }

  /** Closes channels beyond the bound. Those in use stay, even where there are too many: calls are bounded elsewhere. */
  #closeUnused(): void {
    for (const [key, channel] of this.#channels) {
      if (this.#channels.size <= MAX_CHANNELS) return;
      if (channel.users > 0) continue;
      this.#channels.delete(key);
      channel.client.close();
    }
  }
}

const CHANNEL_OPTIONS: ClientOptions = {
  // A proxy of the environment would resolve and dial by itself, past the guard.
  'grpc.enable_http_proxy': 0,
  // Attempts are counted and logged: none is made behind our back.
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': MAX_ANSWER_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.client_idle_timeout_ms': IDLE_MS,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // The runner has the back-off that counts; a channel's own would answer for a receiver that is back already.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.primary_user_agent': 'madeleine',
};

/** What the other side has to prove to be, and is told to be: the name, not the address. */
function identityOptions(host: string, port: number): ClientOptions {
  if (isIP(host) !== 0) return { 'grpc.default_authority': isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}` };
  return { 'grpc.default_authority': `${host}:${port}`, 'grpc.ssl_target_name_override': host };
}

/** The library's form of a list of addresses, which are of one family: IPv4 if there are any. */
function targetOf(port: number, addresses: readonly PinnedAddress[]): string {
  const v4 = addresses.filter(({ family }) => family === 4);
  if (v4.length > 0)
    return `ipv4:${v4
      .map(({ address }) => `${address}:${port}`)
      .sort()
      .join(',')}`;
  return `ipv6:${addresses
    .map(({ address }) => `[${address}]:${port}`)
    .sort()
    .join(',')}`;
}
