// Connections for gRPC callbacks, kept for the next call: one channel for each receiver and set of checked addresses, the longest
// unused closed first. A channel dials addresses only, never names.

import type { OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { GrpcCallbackUrl } from '../../domain/cawins/callback-url.js';
import { orAbort } from '../../lib/or-abort.js';
import type { Millis } from '../../units.js';
import { AttemptFailure } from '../attempt/attempt-failure.js';
import { connectionFailure } from '../attempt/connection-failure.js';
import { firstConnection, type PinnedAddress } from '../connection/first-connection.js';
import { readySocket } from '../connection/sockets.js';
import { type GrpcReply, GrpcSession } from './grpc-session.js';

/** Channels kept; each holds at most one connection for further calls. */
const MAX_CHANNELS = 256;

export interface GrpcChannelsOptions {
  /** Certificates of authorities in PEM, in place of the runtime's. */
  readonly ca?: string;
}

export interface GrpcRequest {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  /** The time for all of it; the signal is what ends it. */
  readonly timeMs: Millis;
}

export class GrpcChannels {
  readonly #options: GrpcChannelsOptions;
  /** Channels in the order of last use. */
  readonly #channels = new Map<string, Channel>();
  #isStopped = false;

  constructor(options: GrpcChannelsOptions) {
    this.#options = options;
  }

  /** Makes a call to one of the addresses. Rejects with an AttemptFailure, or with the signal's reason. */
  async call(
    url: GrpcCallbackUrl,
    addresses: readonly PinnedAddress[],
    request: GrpcRequest,
    signal: AbortSignal,
  ): Promise<GrpcReply> {
    if (this.#isStopped) throw new AttemptFailure('cancelled', 'the server stops');
    const key = `${url.origin} ${addresses
      .map(({ address }) => address)
      .sort()
      .join()}`;
    const channel = this.#channels.get(key) ?? new Channel(url, addresses, this.#options);
    this.#channels.delete(key);
    this.#channels.set(key, channel);
    this.#closeUnused();
    return channel.call(request, signal);
  }

  /** Closes every channel; calls under way end with an error. */
  stop(): void {
    this.#isStopped = true;
    for (const channel of this.#channels.values()) channel.destroy();
    this.#channels.clear();
  }

  /** Closes channels beyond the bound. Those in use stay, even where there are too many: calls are bounded elsewhere. */
  #closeUnused(): void {
    for (const [key, channel] of this.#channels) {
      if (this.#channels.size <= MAX_CHANNELS) return;
      if (channel.users > 0) continue;
      this.#channels.delete(key);
      channel.destroy();
    }
  }
}

/** A connection that is being made, for all who wait for it: it is given up when nobody does any more. */
interface Opening {
  readonly session: Promise<GrpcSession>;
  readonly over: AbortController;
  waiting: number;
}

/** The connection to one receiver, made when it is needed. */
class Channel {
  readonly #url: GrpcCallbackUrl;
  readonly #addresses: readonly PinnedAddress[];
  readonly #options: GrpcChannelsOptions;
  #session: GrpcSession | undefined;
  #opening: Opening | undefined;
  users = 0;

  constructor(url: GrpcCallbackUrl, addresses: readonly PinnedAddress[], options: GrpcChannelsOptions) {
    this.#url = url;
    this.#addresses = addresses;
    this.#options = options;
  }

  async call(request: GrpcRequest, signal: AbortSignal): Promise<GrpcReply> {
    this.users += 1;
    try {
      const session = await this.#open(request, signal);
      const { isUsed } = session;
      try {
        return await session.call(request.headers, request.body, signal);
      } catch (error) {
        if (!isUsed || !(error instanceof AttemptFailure) || error.reason !== 'connection') throw error;
      }
      // A kept connection that was closed by the other side a moment ago is no failure of the receiver.
      session.retire();
      return await (await this.#open(request, signal)).call(request.headers, request.body, signal);
    } finally {
      this.users -= 1;
    }
  }

  destroy(): void {
    this.#opening?.over.abort(new AttemptFailure('cancelled', 'the server stops'));
    this.#session?.destroy();
  }

  async #open({ timeMs }: GrpcRequest, signal: AbortSignal): Promise<GrpcSession> {
    if (this.#session?.isOpen === true) return this.#session;
    this.#opening ??= this.#start(timeMs);
    const opening = this.#opening;
    opening.waiting += 1;
    try {
      return await orAbort(opening.session, signal);
    } finally {
      opening.waiting -= 1;
      if (opening.waiting === 0) this.#giveUp(opening);
    }
  }

  /** Ends what nobody waits for any more; it may be ready. */
  #giveUp(opening: Opening): void {
    if (this.#opening === opening) this.#opening = undefined;
    opening.over.abort(new AttemptFailure('cancelled', 'nobody waits for it'));
  }

  #start(timeMs: Millis): Opening {
    const over = new AbortController();
    const session = this.#connect(timeMs, over.signal);
    const opening = { session, over, waiting: 0 };
    const end = () => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    // Nobody may be left who hears of its failure.
    session.then(end, end);
    return opening;
  }

  async #connect(timeMs: Millis, signal: AbortSignal): Promise<GrpcSession> {
    const { scheme, host, port } = this.#url;
    const ready = scheme === 'grpcs' ? 'secureConnect' : 'connect';
    try {
      const socket = await firstConnection({
        addresses: this.#addresses,
        connect: (address, over) => readySocket(this.#dial(address), ready, over),
        discard: (late) => late.destroy(),
        ...{ timeMs, signal },
      });
      const authority = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
      this.#session = new GrpcSession(socket, `${scheme === 'grpcs' ? 'https' : 'http'}://${authority}`);
      return this.#session;
    } catch (error) {
      if (error instanceof AttemptFailure) throw error;
      const failure = connectionFailure(error as NodeJS.ErrnoException);
      throw new AttemptFailure(failure.reason, failure.message, { status: 'UNAVAILABLE', cause: error });
    }
  }

  #dial({ address }: PinnedAddress): Socket {
    const { scheme, host, port } = this.#url;
    if (scheme === 'grpc') return connectTcp({ host: address, port, noDelay: true });
    const { ca } = this.#options;
    // What the other side has to prove to be: the name, not the address.
    const servername = isIP(host) === 0 ? host : '';
    const trust = ca === undefined ? {} : { ca };
    return connectTls({ host: address, port, servername, ALPNProtocols: ['h2'], ...trust }).setNoDelay(true);
  }
}
