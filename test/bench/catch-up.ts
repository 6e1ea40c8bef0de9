// One consumer that is far behind: what it gets is decoded and acknowledged, one acknowledgement in flight.

import {
  AcknowledgeRequest,
  type Delivery,
  RejectRequest,
  SubscribeRequest,
  SubscribeResponse,
  Verdict,
} from '../../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../../generated/madeleine/v1/event.js';
import type { RawClient } from './load.js';

const SUBSCRIBE = '/madeleine.v1.ConsumerService/Subscribe';
const ACKNOWLEDGE = '/madeleine.v1.ConsumerService/Acknowledge';
const REJECT = '/madeleine.v1.ConsumerService/Reject';

export interface CatchUp {
  /** The consumer, which is made by this. */
  readonly consumer: string;
  readonly events: number;
  /** Where it begins; at the beginning unless told. */
  readonly after?: number;
  /** Its filter; none unless told. */
  readonly topics?: readonly string[];
  /** The tag that it wants; none unless told. */
  readonly tag?: string;
  /** One event in so many is rejected once, to be delivered again at once; none unless told. */
  readonly rejectOneIn?: number;
}

function subscribeRequest({ consumer, after = 0, topics, tag }: Omit<CatchUp, 'events' | 'rejectOneIn'>): Buffer {
  const request = {
    consumer,
    start: { at: { $case: 'afterPosition', value: BigInt(after) } } as const,
    ...(topics && { settings: { filter: { topics: [...topics] } } }),
    ...(tag && { settings: { where: { tag } } }),
    maxInFlight: 4096,
    maxInFlightBytes: 64n << 20n,
    payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
  };
  return Buffer.from(SubscribeRequest.encode(SubscribeRequest.fromPartial(request)).finish());
}

/** Subscribes, decodes and acknowledges that many events; returns events a second. */
export function catchUp(client: RawClient, { events, rejectOneIn, ...subscription }: CatchUp): Promise<number> {
  const { consumer } = subscription;
  return new Promise((resolve, reject) => {
    const stream = client.serverStream(SUBSCRIBE, subscribeRequest(subscription));
    const acknowledger = new Acknowledger(client, consumer);
    let seen = 0;
    const startedAt = performance.now();
    stream.on('data', (bytes: Buffer) => {
      const { deliveries } = SubscribeResponse.decode(bytes);
      if (deliveries.length === 0) return;
      const rejected = rejectOneIn === undefined ? [] : deliveries.filter(isOneIn(rejectOneIn));
      seen += deliveries.length - rejected.length;
      acknowledger.add(deliveries, rejected);
      if (seen < events) return;
      stream.cancel();
      acknowledger.finished().then(() => resolve((events / (performance.now() - startedAt)) * 1000), reject);
    });
    stream.on('error', (error) => (seen < events ? reject(error) : undefined));
  });
}

function isOneIn(count: number): (delivery: Delivery) => boolean {
  return ({ attempt, event }) => attempt === 1 && Number(event?.position) % count === 0;
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

/** Rejects what is to be rejected and acknowledges up to the newest position, one call at a time. */
class Acknowledger {
  readonly #client: RawClient;
  readonly #consumer: string;
  #rejected: Delivery[] = [];
  #newest = 0n;
  #isNew = false;
  #running: Promise<void> | undefined;

  constructor(client: RawClient, consumer: string) {
    this.#client = client;
    this.#consumer = consumer;
  }

  add(deliveries: readonly Delivery[], rejected: readonly Delivery[]): void {
    this.#rejected.push(...rejected);
    const last = deliveries.at(-1)?.event?.position ?? 0n;
    // What is delivered again has an older position.
    if (last > this.#newest) this.#newest = last;
    this.#isNew = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async finished(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isNew) {
      this.#isNew = false;
      const upTo = this.#newest;
      // Before what is around them is acknowledged, as `up_to` covers all that is in flight.
      if (this.#rejected.length > 0) await this.#reject(this.#rejected.splice(0));
      const request = AcknowledgeRequest.encode(AcknowledgeRequest.fromPartial({ consumer: this.#consumer, upTo }));
      await this.#client.unary(ACKNOWLEDGE, Buffer.from(request.finish()));
    }
  }

  async #reject(deliveries: readonly Delivery[]): Promise<void> {
    const rejections = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    const request = { consumer: this.#consumer, rejections, verdict: Verdict.VERDICT_RETRY, delay: ZERO };
    await this.#client.unary(REJECT, Buffer.from(RejectRequest.encode(RejectRequest.fromPartial(request)).finish()));
  }
}

const ZERO = { seconds: 0n, nanos: 0 };
