// Connections of webhooks: to checked addresses, kept for the next call to the same ones, and closed when a receiver sends something
// that nobody asked for.

import http, { type ClientRequest, type ClientRequestArgs } from 'node:http';
import https from 'node:https';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Millis } from '../../units.js';
import { firstConnection, type PinnedAddress } from '../connection/first-connection.js';
import { readySocket } from '../connection/sockets.js';

/** How long a connection is kept that nothing is sent over. */
const IDLE_MS = 10_000;
/** Idle connections kept of one receiver. */
const MAX_IDLE_SOCKETS = 64;
const AGENT_OPTIONS: http.AgentOptions = { keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_MS };

/** How a request's connection is made, where none is kept. */
export interface Way {
  readonly addresses: readonly PinnedAddress[];
  readonly timeMs: Millis;
  readonly signal: AbortSignal;
}

/** A request's options with its way, which reaches the agent with them. */
export type WayOptions<O extends ClientRequestArgs> = O & { readonly way: Way };

type Created = (error: Error | null, stream: Duplex) => void;

/** Connections in the clear. */
export class WebhookAgent extends http.Agent {
  constructor(options: http.AgentOptions = {}) {
    super({ ...AGENT_OPTIONS, ...options });
  }

  override createConnection(options: ClientRequestArgs, created?: Created): undefined {
    const open = ({ address }: PinnedAddress) => connect({ host: address, port: Number(options.port), noDelay: true });
    make(wayOf(options), 'connect', open, created);
  }

  override getName(options: ClientRequestArgs): string {
    return `${super.getName(options)} ${addressesText(options)}`;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return watched(socket, super.keepSocketAlive(socket));
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off('data', destroyed);
    super.reuseSocket(socket, request);
  }
}

/** Connections with TLS, whose sessions are resumed. */
export class SecureWebhookAgent extends https.Agent {
  constructor(options: http.AgentOptions = {}) {
    super({ ...AGENT_OPTIONS, ...options });
  }

  override createConnection(options: https.RequestOptions, created?: Created): undefined {
    // The server's name is among the options: only where to is another one.
    const open = ({ address }: PinnedAddress) => super.createConnection({ ...options, host: address }) as Socket;
    make(wayOf(options), 'secureConnect', open, created);
  }

  override getName(options: https.RequestOptions): string {
    return `${super.getName(options)} ${addressesText(options)}`;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return watched(socket, super.keepSocketAlive(socket));
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off('data', destroyed);
    super.reuseSocket(socket, request);
  }
}

function make(
  way: Way,
  ready: 'connect' | 'secureConnect',
  open: (address: PinnedAddress) => Socket,
  created: Created = () => {},
): void {
  firstConnection({
    ...way,
    connect: (address, signal) => readySocket(open(address), ready, signal),
    discard: (socket) => socket.destroy(),
  }).then(
    (socket) => created(null, socket),
    // The library looks at the error alone.
    (error: Error) => created(error, new Socket()),
  );
}

function wayOf(options: ClientRequestArgs): Way {
  return (options as WayOptions<ClientRequestArgs>).way;
}

/** A connection is kept for those who may connect to the same addresses only. */
function addressesText(options: ClientRequestArgs): string {
  return wayOf(options)
    .addresses.map(({ address }) => address)
    .sort()
    .join();
}

/** The library's answer, whether a connection is kept, of one that will be closed when anything comes over it meanwhile. */
function watched(socket: Duplex, isKept: unknown): boolean {
  if (isKept === true) socket.on('data', destroyed);
  return isKept === true;
}

function destroyed(this: Duplex): void {
  this.destroy();
}
