// The one connection to the operator's broker: made when it is needed, made again with back-off when it broke, and a channel of its
// own for each exchange, as the broker closes the channel over which something was published to an exchange that does not exist.

import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { type Backoff, backoffMs, JITTER } from '../../domain/backoff.js';
import type { Clock } from '../../lib/clock.js';
import { orAbort } from '../../lib/or-abort.js';
import { SharedRun } from '../../lib/shared-run.js';
import { within } from '../../lib/within.js';
import { type BrokerTarget, parseBrokerUrl } from '../../settings/broker-url.js';
import type { Logger } from '../../telemetry.js';
import { AttemptFailure } from '../attempt/attempt-failure.js';

const CONNECT_TIMEOUT_MS = 5_000;
const BACKOFF: Backoff = { baseMs: 250, capMs: 15_000, jitter: JITTER.full };
/** How long a polite farewell may take. */
const CLOSE_TIMEOUT_MS = 2_000;
const MAX_CHANNELS = 64;

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
  #failures = 0;
  #lastFailure = '';
  #retryAtMs = 0;
  #blockedBecause: string | undefined;
  #stopped = false;

  constructor(options: AmqpConnectionOptions) {
    this.#options = options;
    this.#target = parseBrokerUrl(options.url);
  }

  /**
   * Uses the channel of an exchange, which stays open meanwhile. Rejects with an AttemptFailure (broker) at once while a new
   * connection is not due, with the signal's reason, or with what the use rejects with.
   */
  async use<T>(exchange: string, signal: AbortSignal, use: (channel: ExchangeChannel) => Promise<T>): Promise<T> {
    const model = await orAbort(this.#connected(), signal);
    if (this.#blockedBecause !== undefined) {
      throw new AttemptFailure('broker', `the broker takes no messages: ${this.#blockedBecause}`);
    }
    const kept = this.#channels.get(exchange) ?? { opening: this.#open(model, exchange), users: 0 };
    this.#channels.delete(exchange);
    this.#channels.set(exchange, kept);
    kept.users += 1;
    try {
      return await use(await orAbort(kept.opening, signal));
    } finally {
      kept.users -= 1;
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
      const model = await connect(this.#target, {
        timeout: CONNECT_TIMEOUT_MS,
        noDelay: true,
        clientProperties: CLIENT_PROPERTIES,
      });
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

  #watch(model: ChannelModel): void {
    let cause = 'the connection was closed';
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
      this.#options.logger.warn({ reason }, 'the broker takes no messages');
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
  const { stream } = model.connection as unknown as { stream?: { destroy(): void } };
  stream?.destroy();
}
