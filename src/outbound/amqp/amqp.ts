// Callbacks through the operator's broker. An attempt has succeeded when the broker confirmed the message and had a queue for it;
// a message that comes back, a refusal, and silence are failures.

import type { Message, Options } from 'amqplib';
import type { AmqpCallbackUrl } from '../../domain/cawins/callback-url.js';
import type { Condition } from '../../domain/condition.js';
import type { CallbackAttempt } from '../../engine/cawins/callback-sender.js';
import type { Millis } from '../../units.js';
import { type Answer, AttemptFailure } from '../attempt/attempt-failure.js';
import { callbackFields } from '../attempt/callback-fields.js';
import { CLOUD_EVENT_CONTENT_TYPE, encodeCloudEvent } from '../attempt/cloud-event.js';
import { AmqpConnection, type AmqpConnectionOptions, type ExchangeChannel } from './amqp-connection.js';

/** The header that tells a returned message's attempt from an earlier one's. */
const PUBLISH_HEADER = 'madeleine-publish';

/** The library's word for a negative confirmation. */
const NACKED = 'message nacked';

export interface AmqpOptions extends AmqpConnectionOptions {
  /** Messages that may wait for their confirmation; 1,000 unless told. */
  readonly maxOutstanding?: number;
}

interface OutgoingMessage {
  readonly body: Buffer;
  readonly properties: Options.Publish;
}

interface Outstanding {
  /** The broker's words when it gave the message back. */
  returned: string | undefined;
}

export class Amqp {
  readonly #options: AmqpOptions;
  readonly #connection: AmqpConnection;
  /** Messages that are not confirmed, by the number of the publish. */
  readonly #outstanding = new Map<string, Outstanding>();
  readonly #listening = new WeakSet<ExchangeChannel>();
  #publishes = 0;

  constructor(options: AmqpOptions) {
    this.#options = options;
    this.#connection = new AmqpConnection(options);
  }

  /** See AmqpConnection.condition. */
  get condition(): Condition {
    return this.#connection.condition;
  }

  /** Makes one attempt; the signal is its whole time. Rejects with an AttemptFailure or the signal's reason. */
  async call(url: AmqpCallbackUrl, attempt: CallbackAttempt, signal: AbortSignal): Promise<Answer> {
    if (this.#outstanding.size >= (this.#options.maxOutstanding ?? 1_000)) {
      throw new AttemptFailure('broker', 'too many messages wait for the broker to confirm them');
    }
    this.#publishes += 1;
    const key = String(this.#publishes);
    const outstanding: Outstanding = { returned: undefined };
    this.#outstanding.set(key, outstanding);
    const body = encodeCloudEvent(attempt.deliveryId, attempt.event);
    try {
      await this.#connection.use(url.exchange, body.length, signal, (channel) => {
        this.#listen(channel);
        return this.#publish(channel, url, this.#message(attempt, body, key), signal);
      });
    } finally {
      this.#outstanding.delete(key);
    }
    if (outstanding.returned !== undefined) throw unroutable(outstanding.returned);
    const answeredAtMs = this.#options.clock.monotonicMs();
    const status = 'CONFIRMED';
    return { outcome: 'delivered', reason: 'answered', status, statusCode: 0, bytes: Buffer.alloc(0), answeredAtMs };
  }

  /** Closes the connection; takes two seconds at most. */
  async stop(): Promise<void> {
    await this.#connection.stop();
  }

  /** Notes a message that comes back: one that no queue takes does before it is confirmed. */
  #listen(exchange: ExchangeChannel): void {
    if (this.#listening.has(exchange)) return;
    this.#listening.add(exchange);
    exchange.channel.on('return', ({ fields, properties }: Message) => {
      const outstanding = this.#outstanding.get(String(properties.headers?.[PUBLISH_HEADER]));
      if (outstanding !== undefined) outstanding.returned = String((fields as { replyText?: unknown }).replyText ?? '');
    });
  }

  #message(attempt: CallbackAttempt, body: Buffer, key: string): OutgoingMessage {
    const nowMs = this.#options.clock.nowMs();
    const properties = {
      mandatory: true,
      persistent: true,
      messageId: attempt.deliveryId,
      contentType: CLOUD_EVENT_CONTENT_TYPE,
      timestamp: Math.floor(nowMs / 1000),
      appId: 'madeleine',
      headers: { ...messageHeaders(attempt, body, nowMs), [PUBLISH_HEADER]: key },
    };
    return { body, properties };
  }

  /** Resolves when the broker confirmed. */
  #publish(
    exchange: ExchangeChannel,
    { exchange: name, routingKey }: AmqpCallbackUrl,
    { body, properties }: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const onConfirm = (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        if (error === null || error === undefined) resolve();
        else reject(notConfirmed(exchange, error));
      };
      try {
        exchange.channel.publish(name, routingKey, body, properties, onConfirm);
      } catch (error) {
        // A channel that closed a moment ago throws.
        onConfirm(error);
      }
    });
  }
}

function messageHeaders(attempt: CallbackAttempt, body: Buffer, nowMs: Millis): Record<string, string | number> {
  return { ...callbackFields(attempt, [body], nowMs), 'madeleine-attempt': attempt.attemptNumber };
}

function unroutable(words: string): AttemptFailure {
  return new AttemptFailure('unroutable', 'the broker has no queue for this exchange and routing key', {
    status: words,
  });
}

function notConfirmed({ closedBecause }: ExchangeChannel, cause: unknown): AttemptFailure {
  if (closedBecause !== undefined) return new AttemptFailure('broker', closedBecause, { cause });
  const message = cause instanceof Error ? cause.message : 'unknown';
  if (message !== NACKED) return new AttemptFailure('broker', message, { cause });
  return new AttemptFailure('broker', 'the broker refused the message', { status: 'NACK', cause });
}
