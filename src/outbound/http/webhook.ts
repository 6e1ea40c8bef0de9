// Callbacks over HTTP: one POST of a CloudEvent, signed, to a checked address. Nothing is followed, and of the answer no more is
// read than the attempt log keeps.

import http, { type IncomingMessage } from 'node:http';
import https, { type RequestOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { HttpCallbackUrl } from '../../domain/cawins/callback-url.js';
import type { CallbackAttempt } from '../../engine/cawins/callback-sender.js';
import type { Clock } from '../../lib/clock.js';
import { type Answer, AttemptFailure } from '../attempt/attempt-failure.js';
import { callbackFields } from '../attempt/callback-fields.js';
import { CLOUD_EVENT_CONTENT_TYPE, encodeCloudEvent } from '../attempt/cloud-event.js';
import type { AddressGuard, PinnedAddress } from '../guard/address-guard.js';
import { answerOfStatus, connectionFailure, isStaleConnection, readBeginning } from './webhook-answer.js';

/** How long a connection is kept that nothing is sent over. */
const IDLE_MS = 10_000;
/** Idle connections kept of one receiver. */
const MAX_IDLE_SOCKETS = 64;

export interface WebhookOptions {
  readonly guard: AddressGuard;
  readonly clock: Clock;
  /** Certificates of authorities in PEM, in place of the runtime's. */
  readonly ca?: string;
}

export class Webhook {
  readonly #options: WebhookOptions;
  readonly #http = new http.Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_MS });
  readonly #https = new https.Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_MS });

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
    const request = { ...this.#requestOptions(url, addresses), headers: this.#headers(attempt, body), signal };
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

  #requestOptions(url: HttpCallbackUrl, addresses: readonly PinnedAddress[]): RequestOptions {
    const { scheme, host, port, path } = url;
    const { ca } = this.#options;
    return {
      method: 'POST',
      protocol: `${scheme}:`,
      // The name, not the address, so that Host, SNI and the certificate's check are of the name; the look-up that the socket makes
      // knows the checked addresses only. A kept connection was made the same way.
      hostname: host,
      port,
      path,
      lookup: lookupIn(addresses),
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
  async #postAgainIfStale(options: RequestOptions, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    try {
      return await post(options, body, signal);
    } catch (error) {
      if (!isStaleConnection(error)) throw error;
      return post({ ...options, agent: false }, body, signal);
    }
  }
}

/** Sends the request and waits for the answer's head. */
function post(options: RequestOptions, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (options.protocol === 'https:' ? https : http).request(options);
    let isAnswered = false;
    request.once('response', (response) => {
      isAnswered = true;
      resolve(response);
    });
    // Also after the head: an error that nobody listens to ends the process.
    request.on('error', (error) => {
      reject(signal.aborted ? signal.reason : connectionFailure(error, request.reusedSocket));
    });
    request.once('close', () => {
      if (isAnswered) return;
      // An answer that wants to change the protocol ends the request with neither an answer nor an error.
      reject(new AttemptFailure('answer', 'not an answer that HTTP knows for a POST'));
    });
    request.end(body);
  });
}

/** Makes a look-up for sockets that knows the checked addresses, whatever is asked. */
function lookupIn(addresses: readonly PinnedAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const { family } = options;
    const wanted = family === 4 || family === 6 ? addresses.filter((one) => one.family === family) : addresses;
    const [first] = wanted;
    if (first === undefined) callback(new Error('no checked address of this family'), '');
    else if (options.all) callback(null, [...wanted]);
    else callback(null, first.address, first.family);
  };
}
