// Callbacks over HTTP: one POST of a CloudEvent, signed, to a checked address. Nothing is followed, and of the answer no more is
// read than the attempt log keeps.

import http, { type IncomingMessage } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import type { HttpCallbackUrl } from '../../domain/cawins/callback-url.js';
import type { CallbackAttempt } from '../../engine/cawins/callback-sender.js';
import type { Clock } from '../../lib/clock.js';
import { type Answer, AttemptFailure } from '../attempt/attempt-failure.js';
import { callbackFields } from '../attempt/callback-fields.js';
import { CLOUD_EVENT_CONTENT_TYPE, encodeCloudEvent } from '../attempt/cloud-event.js';
import type { AddressGuard } from '../guard/address-guard.js';
import { SecureWebhookAgent, type WayOptions, WebhookAgent } from './webhook-agent.js';
import { answerOfStatus, boundAnswer, isStaleConnection, readBeginning, requestFailure } from './webhook-answer.js';

export interface WebhookOptions {
  readonly guard: AddressGuard;
  readonly clock: Clock;
  /** Certificates of authorities in PEM, in place of the runtime's. */
  readonly ca?: string;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #http = new WebhookAgent();
  readonly #https = new SecureWebhookAgent();

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /**
   * Makes one attempt; the signal is its whole time. Rejects with an AttemptFailure where nothing answered, or with the signal's
   * reason. At most `keepBytes` of the answer's body are returned.
   */
  async call(url: HttpCallbackUrl, attempt: CallbackAttempt, keepBytes: number, signal: AbortSignal): Promise<Answer> {
    const addresses = await this.#options.guard.resolve(url, signal);
    const body = encodeCloudEvent(attempt.deliveryId, attempt.event);
    const way = { addresses, timeMs: attempt.timeoutMs, signal };
    const request = { ...this.#requestOptions(url), way, headers: this.#headers(attempt, body), signal };
    const response = await this.#postAgainIfStale(request, body, signal);
    const answeredAtMs = this.#options.clock.monotonicMs();
    const bytes = await readBeginning(response, keepBytes, signal);
    return { ...answerOfStatus(response, this.#options.clock.nowMs()), bytes, answeredAtMs };
  }

  /** Closes every connection, those in use too. */
  stop(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #requestOptions(url: HttpCallbackUrl): RequestOptions {
    const { scheme, host, port, path } = url;
    const { ca } = this.#options;
    return {
      method: 'POST',
      protocol: `${scheme}:`,
      // The name, not the address, so that Host, SNI and the certificate's check are of the name; the agent connects to the checked
      // addresses only. A kept connection was made the same way.
      hostname: host,
      port,
      path,
      agent: scheme === 'https' ? this.#https : this.#http,
      ...(ca === undefined ? {} : { ca }),
    };
  }

  #headers(attempt: CallbackAttempt, body: Buffer): Record<string, string | number> {
    return {
      ...callbackFields(attempt, [body], this.#options.clock.nowMs()),
      'content-type': CLOUD_EVENT_CONTENT_TYPE,
      'content-length': body.length,
      'user-agent': 'madeleine',
      // The beginning of the answer is for people to read.
      'accept-encoding': 'identity',
      'madeleine-attempt': attempt.attemptNumber,
    };
  }

  /** Posts, and again where a kept connection was closed by the other side a moment ago: that is no failure of the receiver. */
  async #postAgainIfStale(
    options: WayOptions<RequestOptions>,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    try {
      return await post(options, body, signal);
    } catch (error) {
      if (!isStaleConnection(error)) throw error;
      // By an agent of its own, which keeps nothing.
      const agent = options.protocol === 'https:' ? SecureWebhookAgent : WebhookAgent;
      return post({ ...options, agent: new agent({ keepAlive: false }) }, body, signal);
    }
  }
}

/** Sends the request and waits for the answer's head. */
function post(options: RequestOptions, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (options.protocol === 'https:' ? https : http).request(options);
    let isAnswered = false;
    boundAnswer(request);
    request.once('response', (response) => {
      isAnswered = true;
      resolve(response);
    });
    // Also after the head: an error that nobody listens to ends the process.
    request.on('error', (error) => {
      reject(signal.aborted ? signal.reason : requestFailure(error, request.reusedSocket));
    });
    request.once('close', () => {
      if (isAnswered) return;
      // An answer that wants to change the protocol ends the request with neither an answer nor an error.
      reject(new AttemptFailure('answer', 'not an answer that HTTP knows for a POST'));
    });
    request.end(body);
  });
}
