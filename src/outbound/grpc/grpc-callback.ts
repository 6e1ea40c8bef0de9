// Callbacks over gRPC: CallbackService/OnEvent, which the receiver implements, at a checked address. HTTP/2 by the runtime's own
// client, as what comes back has to be bounded: see GrpcSession.

import { isIP } from 'node:net';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { CallbackServiceDefinition, OnEventRequest } from '../../../generated/madeleine/v1/callback_service.js';
import type { GrpcCallbackUrl } from '../../domain/cawins/callback-url.js';
import type { LogEntry } from '../../domain/events/event.js';
import { EVENT_STATUS } from '../../domain/events/event-status.js';
import type { CallbackAttempt } from '../../engine/cawins/callback-sender.js';
import type { Clock } from '../../lib/clock.js';
import type { Answer } from '../attempt/attempt-failure.js';
import { callbackFields } from '../attempt/callback-fields.js';
import type { AddressGuard } from '../guard/address-guard.js';
import { answerOf } from './grpc-answer.js';
import { GrpcChannels } from './grpc-channels.js';

const PATH = `/${CallbackServiceDefinition.fullName}/${CallbackServiceDefinition.methods.onEvent.name}`;
/** Fields 6 and 7 of OnEventRequest, which are a message and bytes. */
const EVENT_TAG = (6 << 3) | 2;
const SIGNED_TAG = (7 << 3) | 2;
const NOTHING = Buffer.alloc(0);

export interface GrpcCallbackOptions {
  readonly guard: AddressGuard;
  readonly clock: Clock;
  /** The entry as an encoded `madeleine.v1.Event`, JSON payloads as bytes. */
  readonly encodeEvent: (entry: LogEntry) => Uint8Array;
  /** Certificates of authorities in PEM, in place of the runtime's. */
  readonly ca?: string;
}

export class GrpcCallback {
  readonly #options: GrpcCallbackOptions;
  readonly #channels: GrpcChannels;

  constructor(options: GrpcCallbackOptions) {
    this.#options = options;
    this.#channels = new GrpcChannels(options.ca === undefined ? {} : { ca: options.ca });
  }

  /** Makes one attempt; the signal is its whole time. Rejects with an AttemptFailure or the signal's reason. */
  async call(url: GrpcCallbackUrl, attempt: CallbackAttempt, signal: AbortSignal): Promise<Answer> {
    const { guard, clock } = this.#options;
    const addresses = await guard.resolve(url, signal);
    const content = this.#encode(attempt);
    // Who does not verify needs no second copy.
    const body = attempt.secrets.length === 0 ? content : withSigned(content);
    const request = { headers: this.#headers(url, attempt, [content, body]), body, timeMs: attempt.timeoutMs };
    const reply = await this.#channels.call(url, addresses, request, signal);
    return { ...answerOf(reply), answeredAtMs: clock.monotonicMs() };
  }

  /** Closes every connection. */
  stop(): void {
    this.#channels.stop();
  }

  /** Encodes the request. The event is put in as it was encoded once for everyone: fields may be written one after the other. */
  #encode({ deliveryId, attemptNumber, event }: CallbackAttempt): Buffer {
    const encoded = this.#options.encodeEvent(event.entry);
    const writer = OnEventRequest.encode({
      deliveryId,
      attempt: attemptNumber,
      cawinId: BigInt(event.cawinId),
      awaitedEventId: BigInt(event.awaitedId),
      outcome: EVENT_STATUS[event.entry.kind].wire,
      event: undefined,
      signed: NOTHING,
    });
    return Buffer.from(writer.uint32(EVENT_TAG).bytes(encoded).finish());
  }

  #headers({ scheme, host, port }: GrpcCallbackUrl, attempt: CallbackAttempt, forms: readonly Buffer[]) {
    // The libraries that verify take text and would break other bytes.
    const signed = forms.map((bytes) => Buffer.from(bytes.toString('base64')));
    return {
      ':method': 'POST',
      ':scheme': scheme === 'grpcs' ? 'https' : 'http',
      // What the receiver is told to be: the name, not the address.
      ':authority': isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`,
      ':path': PATH,
      te: 'trailers',
      'content-type': 'application/grpc',
      // The receiver is told how long anybody waits; the signal, which began earlier, is what ends the wait.
      'grpc-timeout': `${Math.ceil(attempt.timeoutMs)}m`,
      'user-agent': 'madeleine',
      ...callbackFields(attempt, signed, this.#options.clock.nowMs()),
    };
  }
}

/** The message with its own bytes as its last field: they come to a receiver as they are, while a message comes decoded. */
function withSigned(content: Buffer): Buffer {
  const signed = new BinaryWriter().uint32(SIGNED_TAG).bytes(content).finish();
  return Buffer.concat([content, signed]);
}
