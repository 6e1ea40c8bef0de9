// The HTTP/2 server under grpc-js, where grpc-js has no words for what it is to do. Node ends a connection, and every call on it,
// for what single calls do too often. Many clients may share one (a proxy makes one of theirs): here a call is refused alone, and
// a connection that comes near Node's limits is handed over to a new one in order, on which no call is lost.

import http2, { type Http2Server, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';
import { type BeginCall, CallTurns } from './call-turns.js';

/**
 * Node counts refused and malformed requests over the whole life of a connection, and ends it at 1,000 and 100 of them. Each costs
 * its sender as much as the server; they never add up to a reason to end what else is open.
 */
const NEVER = 2 ** 32 - 1;
const OPTIONS = { maxSessionInvalidFrames: NEVER, maxSessionRejectedStreams: NEVER };

/**
 * Cancellations that Node's HTTP/2 takes on a connection before it ends it: so many at once, and so many more with each second.
 * Node 20 has no option for them.
 */
const NODE_RESETS = { atOnce: 1_000, aSecond: 33 };
/** Kept back: Node counts in whole seconds. */
const RESERVE = 100;
/** How long after it was told to go elsewhere a client may still begin calls: what it had sent by then is not lost. */
const HAND_OVER_MS = 2_000;
/** Greater than the number of any call: none is refused yet. */
const NO_CALL = 2 ** 31 - 1;
/** What a cancellation counts here: those that cross the end of their call are not seen, and counted by Node all the same. */
const RESET_COST = 2;

/** How many cancellations a connection may still have. */
export class ResetBudget {
  #left = NODE_RESETS.atOnce - RESERVE;
  #countedAtMs: Millis;

  constructor(nowMs: Millis) {
    this.#countedAtMs = nowMs;
  }

  /** Takes note of a cancellation; false when the connection is better handed over. */
  take(nowMs: Millis): boolean {
    const gained = ((nowMs - this.#countedAtMs) / 1000) * NODE_RESETS.aSecond;
    this.#countedAtMs = nowMs;
    this.#left = Math.min(NODE_RESETS.atOnce - RESERVE, this.#left + gained) - RESET_COST;
    return this.#left > 0;
  }
}

/** Counts the cancellations of one server's connections. */
class ResetWatch {
  readonly #clock: Clock;
  readonly #budgets = new WeakMap<Http2Session, ResetBudget>();
  readonly #handedOver = new WeakSet<Http2Session>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches a new stream of the session, which a stream forgets when it ends. */
  watch(session: Http2Session, stream: ServerHttp2Stream): void {
    // Told while Node still reads what came: many cancellations may come as one.
    stream.on('aborted', () => this.#count(session));
    // A request that had not ended when it was answered is cut off, by Node or by its sender: that may cross, and is counted by Node.
    stream.on('finish', () => {
      if (!stream.aborted && stream.state.remoteClose === 0) this.#count(session);
    });
  }

  #count(session: Http2Session): void {
    if (session.destroyed || this.#handedOver.has(session)) return;
    const now = this.#clock.monotonicMs();
    const budget = this.#budgets.get(session) ?? new ResetBudget(now);
    this.#budgets.set(session, budget);
    if (!budget.take(now)) this.#handOver(session);
  }

  /** Tells the client to go on with a new connection: what is open goes on, and from now on Node counts no more. */
  #handOver(session: Http2Session): void {
    this.#handedOver.add(session);
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, NO_CALL);
    this.#clock.after(HAND_OVER_MS, () => session.close()).unref();
  }
}

/** Connections that are taken: of one address half of all. */
export const MAX_CONNECTIONS = { address: 4_000, all: 8_000 } as const;

/** The error of a connection that is refused; without one Node forgets the code. */
const TOO_MANY = new Error('too many connections');

/** Counts connections by address. */
export class ConnectionCount {
  readonly #counts = new Map<string, number>();
  #all = 0;

  /** Takes note of one more, unless it is one too many. */
  add(address: string): boolean {
    const count = this.#counts.get(address) ?? 0;
    if (count >= MAX_CONNECTIONS.address || this.#all >= MAX_CONNECTIONS.all) return false;
    this.#counts.set(address, count + 1);
    this.#all += 1;
    return true;
  }

  remove(address: string): void {
    const left = (this.#counts.get(address) ?? 1) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
    this.#all -= 1;
  }

  /** Counts a connection for as long as it lives, or ends it. */
  watch(session: Http2Session): void {
    const address = session.socket?.remoteAddress ?? '';
    if (this.add(address)) session.once('close', () => this.remove(address));
    // Not at once: grpc-js hears of the session after us, and reads of its socket, which one that is destroyed has no more.
    else setImmediate(() => session.destroy(TOO_MANY, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM));
  }
}

/** The clocks of the servers that are being made. */
const making: Clock[] = [];
const { createServer } = http2;

// grpc-js makes its server with this function of the module, with options of its own, and shows it to nobody.
Object.assign(http2, {
  createServer: (...[options, handler]: Parameters<typeof createServer>): Http2Server => {
    const clock = making.at(-1);
    if (clock === undefined) return createServer(options, handler);
    const watch = new ResetWatch(clock);
    const connections = new ConnectionCount();
    const server = createServer({ ...options, ...OPTIONS }, handler);
    const turns = new CallTurns(clock, (stream: ServerHttp2Stream, headers, flags, rawHeaders) => {
      server.emit('stream', stream, headers, flags, rawHeaders);
    });
    return server.on('session', (session) => {
      const caller = session.socket?.remoteAddress ?? '';
      const take: BeginCall<ServerHttp2Stream> = (stream, headers, flags, rawHeaders) => {
        watch.watch(session, stream);
        turns.take(caller, stream, headers, flags, rawHeaders);
      };
      connections.watch(session);
      // In place of Node's listener, by which the server hears of each stream at once.
      session.removeAllListeners('stream').on('stream', take);
    });
  },
});

/** Runs what makes a server of HTTP/2, which then has the options and is watched. */
export async function withHttp2Bounds<T>(clock: Clock, make: () => Promise<T>): Promise<T> {
  making.push(clock);
  try {
    return await make();
  } finally {
    making.pop();
  }
}
