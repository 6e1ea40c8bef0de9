// Every callback goes through here: to the one that speaks the URL's scheme, within the attempt's time, and what comes back is
// made fit to be written down.

import { type CallbackUrl, parseCallbackUrl } from '../domain/cawins/callback-url.js';
import type { Condition } from '../domain/condition.js';
import { MadeleineError } from '../domain/errors.js';
import type { AttemptResult, CallbackAttempt, CallbackSender } from '../engine/cawins/callback-sender.js';
import type { Clock } from '../lib/clock.js';
import { Deadline } from '../lib/deadline.js';
import type { Logger } from '../telemetry.js';
import type { Amqp } from './amqp/amqp.js';
import { type Answer, AttemptFailure } from './attempt/attempt-failure.js';
import { MAX_FIRST_BYTES, resultOf, resultOfFailure } from './attempt/attempt-result.js';
import { Redactor } from './attempt/redaction.js';
import type { GrpcCallback } from './grpc/grpc-callback.js';
import type { AddressGuard } from './guard/address-guard.js';
import type { Webhook } from './http/webhook.js';

const NO_BROKER = 'this server has no broker: the operator may name one with MADELEINE_AMQP_URL';

export interface CallbacksOptions {
  readonly guard: AddressGuard;
  readonly webhook: Webhook;
  readonly grpc: GrpcCallback;
  /** The way to the broker; undefined: the operator configured none. */
  readonly amqp: Amqp | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Callbacks implements CallbackSender {
  readonly #options: CallbacksOptions;

  constructor(options: CallbacksOptions) {
    this.#options = options;
  }

  /** How the way to the broker is. */
  get broker(): Condition {
    return this.#options.amqp?.condition ?? { state: 'off', detail: 'MADELEINE_AMQP_URL names none' };
  }

  /** See CallbackSender.send. */
  async send(attempt: CallbackAttempt, signal: AbortSignal): Promise<AttemptResult> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const redactor = new Redactor(attempt);
    const deadline = new Deadline(clock, attempt.timeoutMs, {
      parent: signal,
      late: () => new AttemptFailure('timeout', `no answer within ${attempt.timeoutMs} ms`),
      cancelled: () => new AttemptFailure('cancelled', 'the attempt was broken off'),
    });
    try {
      deadline.signal.throwIfAborted();
      const keepBytes = MAX_FIRST_BYTES + redactor.longest;
      return resultOf(await this.#call(attempt, keepBytes, deadline.signal), startedMs, redactor);
    } catch (error) {
      return resultOfFailure(this.#failureOf(error, redactor), clock.monotonicMs() - startedMs, redactor);
    } finally {
      deadline.dispose();
    }
  }

  /** See CallbackSender.refusalOf. */
  refusalOf(url: string): string | undefined {
    const parsed = parseCallbackUrl(url);
    if (parsed.scheme === 'amqp') return this.#options.amqp === undefined ? NO_BROKER : undefined;
    return this.#options.guard.refusalOf(parsed);
  }

  /** Closes every connection. Attempts under way fail; nothing may be sent afterwards. */
  async stop(): Promise<void> {
    this.#options.webhook.stop();
    this.#options.grpc.stop();
    await this.#options.amqp?.stop();
  }

  async #call(attempt: CallbackAttempt, keepBytes: number, signal: AbortSignal): Promise<Answer> {
    const { webhook, grpc, amqp } = this.#options;
    const url: CallbackUrl = parseCallbackUrl(attempt.url);
    switch (url.scheme) {
      case 'http':
      case 'https':
        return webhook.call(url, attempt, keepBytes, signal);
      case 'grpc':
      case 'grpcs':
        return grpc.call(url, attempt, signal);
      case 'amqp':
        if (amqp === undefined) throw new AttemptFailure('not_allowed', NO_BROKER);
        return amqp.call(url, attempt, signal);
    }
  }

  #failureOf(error: unknown, redactor: Redactor): AttemptFailure {
    if (error instanceof AttemptFailure) return error;
    // Settings are checked when they are stored: only a newer version's could be refused here.
    if (error instanceof MadeleineError) {
      return new AttemptFailure('not_allowed', error.message, { outcome: 'rejected', cause: error });
    }
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.logger.error(
      { error: redactor.text(message) },
      'an attempt to call back failed inside of the server',
    );
    return new AttemptFailure('internal', 'a fault of this server', { cause: error });
  }
}
