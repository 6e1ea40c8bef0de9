// The one connection to the operator's broker: made when it is needed, made again with back-off when it broke, and a channel of its
// own for each exchange, as the broker closes the channel over which something was published to an exchange that does not exist.

import { lookup } from 'node:dns/promises';
import { isIP, type Socket } from 'node:net';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { type Backoff, backoffMs, JITTER } from '../../domain/backoff.js';
import type { Condition } from '../../domain/condition.js';
import type { Clock } from '../../lib/clock.js';
import { Deadline } from '../../lib/deadline.js';
import { orAbort } from '../../lib/or-abort.js';
import { SharedRun } from '../../lib/shared-run.js';
import { within } from '../../lib/within.js';
import { type BrokerTarget, parseBrokerUrl } from '../../settings/broker-url.js';
import type { Logger } from '../../telemetry.js';
import { AttemptFailure } from '../attempt/attempt-failure.js';
import { firstConnection, type PinnedAddress } from '../connection/first-connection.js';
import { ByteAllowance } from './byte-allowance.js';

const CONNECT_TIMEOUT_MS = 5_000;
const BACKOFF: Backoff = { baseMs: 250, capMs: 15_000, jitter: JITTER.full };
/** How long a polite farewell may take. */
const CLOSE_TIMEOUT_MS = 2_000;
const MAX_CHANNELS = 64;
/** What a broker may say for each message besides its bytes: it may come back as a whole, with its headers. */
const MAX_MESSAGE_BYTES = 16 * 1024;

export interface AmqpConnectionOptions {
  /** The broker's URL: `amqp://` or `amqps://`, with user, password and virtual host. */
  readonly url: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** A channel, and why it closed if it did. */
export interface ExchangeChannel {
  readonly channel: ConfirmChannel;
  /** The broker's words, once the channel is closed. */
  closedBecause: string | undefined;
}

/** A channel that is kept for the next message to its exchange. */
interface KeptChannel {
  readonly opening: Promise<ExchangeChannel>;
  /** Messages that are not confirmed, or wait for the channel to open: it stays open for them. */
  users: number;
}

export class AmqpConnection {
  readonly #options: AmqpConnectionOptions;
  readonly #target: BrokerTarget;
  #model: ChannelModel | undefined;
  readonly #connects = new SharedRun(() => this.#connect());
  /** Channels by exchange, in the order of last use. */
  readonly #channels = new Map<string, KeptChannel>();
  #allowance: ByteAllowance | undefined;
  #failures = 0;
  #lastFailure = '';
  #retryAtMs = 0;
  #blockedBecause: string | undefined;
  #stopped = false;

  constructor(options: AmqpConnectionOptions) {
    this.#options = options;
    this.#target = parseBrokerUrl(options.url);
  }

  /** How the connection is; it is made when the first message needs it. */
  get condition(): Condition {
    if (this.#blockedBecause !== undefined)
      return { state: 'down', detail: `it takes no messages: ${this.#blockedBecause}` };
    if (this.#model !== undefined) return { state: 'up', detail: 'connected' };
    if (this.#lastFailure !== '') return { state: 'down', detail: this.#lastFailure };
    return { state: 'idle', detail: 'no callback has needed it' };
  }

  /**
   * Uses the channel of an exchange, which stays open meanwhile, for a message of so many bytes. Rejects with an AttemptFailure
   * (broker) at once while a new connection is not due, with the signal's reason, or with what the use rejects with.
   */
  async use<T>(
    exchange: string,
    bytes: number,
    signal: AbortSignal,
    use: (channel: ExchangeChannel) => Promise<T>,
  ): Promise<T> {
    const model = await orAbort(this.#connected(), signal);
    if (this.#blockedBecause !== undefined) {
      throw new AttemptFailure('broker', `the broker takes no messages: ${this.#blockedBecause}`);
    }
    const kept = this.#channels.get(exchange) ?? { opening: this.#open(model, exchange), users: 0 };
    this.#channels.delete(exchange);
    this.#channels.set(exchange, kept);
    kept.users += 1;
    this.#expect(model, bytes + MAX_MESSAGE_BYTES);
    try {
      return await use(await orAbort(kept.opening, signal));
    } finally {
      kept.users -= 1;
      this.#expect(model, -bytes - MAX_MESSAGE_BYTES);
      this.#closeUnused();
    }
  }

  /** Says farewell to the broker, for two seconds at most. What is not confirmed by then fails. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const model = this.#model;
    if (model === undefined) return;
    const isClosed = Promise.race([model.close(), closed(model)]).catch(() => {});
    // A broker that does not answer is not waited for, nor does the library notice that its socket is destroyed.
    await within(this.#options.clock, CLOSE_TIMEOUT_MS, isClosed, () => destroy(model));
  }

  #connected(): Promise<ChannelModel> {
    if (this.#stopped) return Promise.reject(new AttemptFailure('cancelled', 'the server stops'));
    if (this.#model !== undefined) return Promise.resolve(this.#model);
    if (!this.#connects.isIdle) return this.#connects.join();
    const waitMs = this.#retryAtMs - this.#options.clock.monotonicMs();
    if (waitMs > 0) {
      const message = `the broker is away (${this.#lastFailure})`;
      return Promise.reject(new AttemptFailure('broker', message, { retryAfterMs: Math.ceil(waitMs) }));
    }
    return this.#connects.join();
  }

  async #connect(): Promise<ChannelModel> {
    try {
      const model = await this.#dial();
      this.#watch(model);
      if (this.#stopped) {
        destroy(model);
        throw new Error('the server stops');
      }
      this.#model = model;
      this.#failures = 0;
      this.#options.logger.info({}, 'connected to the broker');
      return model;
    } catch (error) {
      this.#postpone(error);
      throw new AttemptFailure('broker', `the broker cannot be reached (${this.#lastFailure})`, { cause: error });
    }
  }

  /** Connects to the first of the broker's addresses that takes us. All of it has the one time. */
  async #dial(): Promise<ChannelModel> {
    const { clock } = this.#options;
    const late = () => Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' });
    const deadline = new Deadline(clock, CONNECT_TIMEOUT_MS, { late });
    try {
      const addresses = await orAbort(addressesOf(this.#target.hostname), deadline.signal);
      return await firstConnection({
        addresses,
        connect: (address, signal) => openAt(this.#target, address, signal),
        discard: destroy,
        ...{ timeMs: CONNECT_TIMEOUT_MS, signal: deadline.signal },
      });
    } finally {
      deadline.dispose();
    }
  }

  #expect(model: ChannelModel, bytes: number): void {
    if (this.#model === model) this.#allowance?.expect(bytes, socketOf(model).bytesRead);
  }

  #watch(model: ChannelModel): void {
    let cause = 'the connection was closed';
    const socket = socketOf(model);
    const allowance = new ByteAllowance(this.#options.clock, socket.bytesRead);
    this.#allowance = allowance;
    socket.on('readable', () => {
      if (!allowance.allows(socket.bytesRead)) socket.destroy(new Error('the broker sent more than anybody asked for'));
    });
    // Without a listener an error would end the process; `close` follows it.
    model.on('error', (error: Error) => {
      cause = error.message;
    });
    model.on('close', () => {
      this.#model = undefined;
      this.#blockedBecause = undefined;
      this.#channels.clear();
      if (!this.#stopped) this.#postpone(new Error(cause));
    });
    model.on('blocked', (reason) => {
      this.#blockedBecause = reason;
      this.#options.logger.warn({ reason: this.#blockedBecause }, 'the broker takes no messages');
    });
    model.on('unblocked', () => {
      this.#blockedBecause = undefined;
    });
  }

  #postpone(error: unknown): void {
    const { clock, random, logger } = this.#options;
    this.#failures += 1;
    this.#lastFailure = this.#wordsOf(error);
    const waitMs = backoffMs(BACKOFF, this.#failures, random);
    this.#retryAtMs = clock.monotonicMs() + waitMs;
    logger.warn({ error: this.#lastFailure, waitMs }, 'no connection to the broker');
  }

  /** The library's words without the URL's password, should it ever repeat it. */
  #wordsOf(error: unknown): string {
    const { code = '', message = '' } = (error ?? {}) as NodeJS.ErrnoException;
    const { password } = this.#target;
    const words = message === '' ? code || 'unknown' : message;
    return password === '' ? words : words.replaceAll(password, '[redacted]');
  }

  #open(model: ChannelModel, exchange: string): Promise<ExchangeChannel> {
    const opening = openChannel(model, () => {
      if (this.#channels.get(exchange)?.opening === opening) this.#channels.delete(exchange);
    });
    return opening;
  }

  /** Closes channels beyond the bound. Those in use stay, even where there are too many: messages are bounded elsewhere. */
  #closeUnused(): void {
    for (const [exchange, { opening, users }] of this.#channels) {
      if (this.#channels.size <= MAX_CHANNELS) return;
      if (users > 0) continue;
      this.#channels.delete(exchange);
      // What goes wrong with a channel that nobody uses any more concerns nobody.
      opening.then(({ channel }) => channel.close()).catch(() => {});
    }
  }
}

const CLIENT_PROPERTIES = { product: 'madeleine', connection_name: 'madeleine callbacks' };

async function openChannel(model: ChannelModel, onClose: () => void): Promise<ExchangeChannel> {
  try {
    const channel = await model.createConfirmChannel();
    const result: ExchangeChannel = { channel, closedBecause: undefined };
    channel.on('error', (error: Error) => {
      result.closedBecause = error.message;
    });
    channel.on('close', () => {
      result.closedBecause ??= 'the connection to the broker was closed';
      onClose();
    });
    return result;
  } catch (error) {
    onClose();
    throw new AttemptFailure('broker', 'the broker opened no channel', { cause: error });
  }
}

function closed(model: ChannelModel): Promise<void> {
  return new Promise((resolve) => {
    model.on('close', () => resolve());
  });
}

/** Breaks a connection off, for which the library has no way. */
function destroy(model: ChannelModel): void {
  socketOf(model).destroy();
}

/** The socket of a connection, of which the library's types say nothing. */
function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { readonly stream: Socket }).stream;
}

async function addressesOf(host: string): Promise<readonly PinnedAddress[]> {
  if (isIP(host) !== 0) return [{ address: host, family: isIP(host) === 6 ? 6 : 4 }];
  const found = await lookup(host, { all: true, verbatim: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/** Opens a connection at one address. The signal destroys it until it is open, whatever the broker says meanwhile. */
async function openAt(target: BrokerTarget, { address }: PinnedAddress, signal: AbortSignal): Promise<ChannelModel> {
  const broken = new AbortController();
  const onAbort = () => broken.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const options = { noDelay: true, clientProperties: CLIENT_PROPERTIES, signal: broken.signal };
    // What a certificate has to be for is the name.
    const identity = isIP(target.hostname) === 0 ? { servername: target.hostname } : {};
    return await connect({ ...target, hostname: address }, { ...options, ...identity });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
