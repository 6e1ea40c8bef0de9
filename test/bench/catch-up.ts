// One consumer that is far behind: what it gets is decoded and acknowledged, one acknowledgement in flight.

import {
  AcknowledgeRequest,
  SubscribeRequest,
  SubscribeResponse,
} from '../../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../../generated/madeleine/v1/event.js';
import type { RawClient } from './load.js';

const SUBSCRIBE = '/madeleine.v1.ConsumerService/Subscribe';
const ACKNOWLEDGE = '/madeleine.v1.ConsumerService/Acknowledge';

export interface CatchUp {
  /** The consumer, which is made by this. */
  readonly consumer: string;
  readonly events: number;
  /** Where it begins; at the beginning unless told. */
  readonly after?: number;
  /** Its filter; none unless told. */
  readonly topics?: readonly string[];
}

function subscribeRequest({ consumer, after = 0, topics }: Omit<CatchUp, 'events'>): Buffer {
  const request = {
    consumer,
    start: { at: { $case: 'afterPosition', value: BigInt(after) } } as const,
    ...(topics && { settings: { filter: { topics: [...topics] } } }),
    maxInFlight: 4096,
    maxInFlightBytes: 64n << 20n,
    payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
  };
  return Buffer.from(SubscribeRequest.encode(SubscribeRequest.fromPartial(request)).finish());
}

/** Subscribes, decodes and acknowledges that many events; returns events a second. */
export function catchUp(client: RawClient, { events, ...subscription }: CatchUp): Promise<number> {
  const { consumer } = subscription;
  return new Promise((resolve, reject) => {
    const stream = client.serverStream(SUBSCRIBE, subscribeRequest(subscription));
    const acknowledger = new Acknowledger(client, consumer);
    let seen = 0;
    const startedAt = performance.now();
    stream.on('data', (bytes: Buffer) => {
      const { deliveries } = SubscribeResponse.decode(bytes);
      if (deliveries.length === 0) return;
      seen += deliveries.length;
      acknowledger.add(deliveries.at(-1)?.event?.position ?? 0n);
      if (seen < events) return;
      stream.cancel();
      acknowledger.finished().then(() => resolve((events / (performance.now() - startedAt)) * 1000), reject);
    });
    stream.on('error', (error) => (seen < events ? reject(error) : undefined));
  });
}

/** Decodes the same frames from a server that does nothing else; returns events a second. */
export function noopStream(client: RawClient, events: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = client.serverStream(SUBSCRIBE, subscribeRequest({ consumer: String(events) }));
    let seen = 0;
    const startedAt = performance.now();
    stream.on('data', (bytes: Buffer) => {
      seen += SubscribeResponse.decode(bytes).deliveries.length;
    });
    stream.on('error', reject);
    stream.on('end', () => resolve((seen / (performance.now() - startedAt)) * 1000));
  });
}

/** Acknowledges up to the newest position, one call at a time. */
class Acknowledger {
  readonly #client: RawClient;
  readonly #consumer: string;
  #newest = 0n;
  #sent = 0n;
  #running: Promise<void> | undefined;

  constructor(client: RawClient, consumer: string) {
    this.#client = client;
    this.#consumer = consumer;
  }

  add(position: bigint): void {
    this.#newest = position;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async finished(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#sent < this.#newest) {
      const upTo = this.#newest;
      const request = AcknowledgeRequest.encode(AcknowledgeRequest.fromPartial({ consumer: this.#consumer, upTo }));
      await this.#client.unary(ACKNOWLEDGE, Buffer.from(request.finish()));
      this.#sent = upTo;
    }
  }
}
