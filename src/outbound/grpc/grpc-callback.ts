// Callbacks over gRPC: CallbackService/OnEvent, which the receiver implements, at a checked address.

import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type Client, Metadata, type ServiceError, status as Status } from '@grpc/grpc-js';
import { RetryInfo } from 'nice-grpc-error-details';
import { Status as RichStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { CallbackServiceDefinition, OnEventRequest } from '../../../generated/madeleine/v1/callback_service.js';
import type { GrpcCallbackUrl } from '../../domain/cawins/callback-url.js';
import type { LogEntry } from '../../domain/events/event.js';
import { EVENT_STATUS } from '../../domain/events/event-status.js';
import type { CallbackAttempt } from '../../engine/cawins/callback-sender.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';
import { type Answer, retryAfter } from '../attempt/attempt-failure.js';
import { callbackFields } from '../attempt/callback-fields.js';
import type { AddressGuard } from '../guard/address-guard.js';
import { GrpcChannels } from './grpc-channels.js';

const PATH = `/${CallbackServiceDefinition.fullName}/${CallbackServiceDefinition.methods.onEvent.name}`;
/** Fields 6 and 7 of OnEventRequest, which are a message and bytes. */
const EVENT_TAG = (6 << 3) | 2;
const SIGNED_TAG = (7 << 3) | 2;
const NOTHING = Buffer.alloc(0);

/** The statuses after which the same call will never be taken. */
const REJECTING: ReadonlySet<number> = new Set([
  ...[Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.ALREADY_EXISTS, Status.PERMISSION_DENIED],
  ...[Status.UNAUTHENTICATED, Status.FAILED_PRECONDITION, Status.OUT_OF_RANGE, Status.UNIMPLEMENTED],
]);

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
    const message = attempt.secrets.length === 0 ? content : withSigned(content);
    const metadata = this.#metadata(attempt, [content, message]);
    const { client, release } = this.#channels.lend(url, addresses);
    try {
      const error = await call(client, message, metadata, attempt.timeoutMs, signal);
      return { ...answerOfStatus(error), answeredAtMs: clock.monotonicMs() };
    } finally {
      release();
    }
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

  #metadata(attempt: CallbackAttempt, forms: readonly Buffer[]): Metadata {
    // The libraries that verify take text and would break other bytes.
    const signed = forms.map((bytes) => Buffer.from(bytes.toString('base64')));
    const metadata = new Metadata();
    const fields = callbackFields(attempt, signed, this.#options.clock.nowMs());
    for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
    return metadata;
  }
}

/** The message with its own bytes as its last field: they come to a receiver as they are, while a message comes decoded. */
function withSigned(content: Buffer): Buffer {
  const signed = new BinaryWriter().uint32(SIGNED_TAG).bytes(content).finish();
  return Buffer.concat([content, signed]);
}

/** Makes the call. Undefined for OK, else the call's status. Rejects with the signal's reason. */
function call(
  client: Client,
  message: Buffer,
  metadata: Metadata,
  timeoutMs: Millis,
  signal: AbortSignal,
): Promise<ServiceError | undefined> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const asIs = (bytes: Buffer) => bytes;
    // The receiver is told how long anybody waits; the signal, which began earlier, is what ends the wait.
    const options = { deadline: Date.now() + timeoutMs };
    const onAbort = () => {
      reject(signal.reason);
      running.cancel();
    };
    const running = client.makeUnaryRequest(PATH, asIs, asIs, message, metadata, options, (error) => {
      signal.removeEventListener('abort', onAbort);
      resolve(error ?? undefined);
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function answerOfStatus(error: ServiceError | undefined): Omit<Answer, 'answeredAtMs'> {
  if (error === undefined) {
    return { outcome: 'delivered', reason: 'answered', status: 'OK', statusCode: 0, bytes: Buffer.alloc(0) };
  }
  const outcome = REJECTING.has(error.code) ? 'rejected' : 'failed';
  const retryAfterMs = outcome === 'failed' ? retryInfoMs(error.metadata) : undefined;
  return {
    outcome,
    reason: reasonOf(error),
    status: Status[error.code] ?? String(error.code),
    statusCode: error.code,
    bytes: Buffer.from(error.details),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** The reason of a status: UNAVAILABLE and DEADLINE_EXCEEDED may be the library's own words for a connection that did not come about. */
function reasonOf({ code, details }: ServiceError): Answer['reason'] {
  if (code === Status.DEADLINE_EXCEEDED) return 'timeout';
  if (code !== Status.UNAVAILABLE || !details.startsWith('No connection established')) return 'answered';
  return /certificate|TLS|SSL/i.test(details) ? 'tls' : 'connection';
}

/** The delay of a google.rpc.RetryInfo in the status's details. */
function retryInfoMs(metadata: Metadata): number | undefined {
  const [encoded] = metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(encoded)) return undefined;
  try {
    const { details } = RichStatus.decode(encoded);
    const found = details.find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.RetryInfo'));
    const delay = found && RetryInfo.decode(found.value).retryDelay;
    if (!delay) return undefined;
    return retryAfter(Number(delay.seconds) * 1000 + delay.nanos / 1_000_000);
  } catch {
    // What the receiver put there is its own affair; the status alone counts then.
    return undefined;
  }
}
