// Many consumers at the head: what one delivery costs the server.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  AcknowledgeRequest,
  SubscribeRequest,
  SubscribeResponse,
} from '../../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../../generated/madeleine/v1/event.js';
import { batchRequest, type RawClient } from './load.js';

const SUBSCRIBE = '/madeleine.v1.ConsumerService/Subscribe';
const ACKNOWLEDGE = '/madeleine.v1.ConsumerService/Acknowledge';
const PUSH_STREAM = '/madeleine.v1.EventService/PushEventStream';
/** As our own client does: acknowledgements go out on a timer. */
const ACK_EVERY_MS = 50;

/** Subscribers that count what they get without decoding the events, and acknowledge on a timer. */
export class Crowd {
  readonly #client: RawClient;
  readonly #ackEveryMs: number;
  readonly #maxInFlight: number;
  readonly #streams: ReturnType<RawClient['serverStream']>[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  deliveries = 0;

  constructor(client: RawClient, { ackEveryMs = ACK_EVERY_MS, maxInFlight = 4096 } = {}) {
    this.#client = client;
    this.#ackEveryMs = ackEveryMs;
    this.#maxInFlight = maxInFlight;
  }

  async join(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#subscribe(name)));
  }

  async leave(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const stream of this.#streams) stream.cancel();
    await sleep(200);
  }

  #subscribe(consumer: string): Promise<void> {
    const request = {
      consumer,
      start: { at: { $case: 'latest', value: {} } as const },
      maxInFlight: this.#maxInFlight,
      maxInFlightBytes: 16n << 20n,
      payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
    };
    const stream = this.#client.serverStream(
      SUBSCRIBE,
      Buffer.from(SubscribeRequest.encode(SubscribeRequest.fromPartial(request)).finish()),
    );
    this.#streams.push(stream);
    let newest = 0n;
    let acknowledged = 0n;
    this.#timers.push(
      setInterval(() => {
        if (newest === acknowledged) return;
        acknowledged = newest;
        const ack = AcknowledgeRequest.encode(AcknowledgeRequest.fromPartial({ consumer, upTo: newest }));
        this.#client.unary(ACKNOWLEDGE, Buffer.from(ack.finish())).catch(() => {});
      }, this.#ackEveryMs),
    );
    return new Promise((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (bytes: Buffer) => {
        const { deliveries, frame } = SubscribeResponse.decode(bytes);
        this.deliveries += deliveries.length;
        newest = deliveries.at(-1)?.event?.position ?? newest;
        if (frame?.$case === 'opened') resolve();
      });
    });
  }
}

/** Pushes events at the rate in batches of 20, for so many seconds. */
export async function pushPaced(client: RawClient, rate: number, seconds: number): Promise<number> {
  const stream = client.bidi(PUSH_STREAM);
  stream.on('data', () => {});
  const request = batchRequest('bytes', 20);
  const batches = Math.round((rate * seconds) / 20);
  const startedAt = performance.now();
  for (let n = 0; n < batches; n += 1) {
    const due = startedAt + (n * 20_000) / rate - performance.now();
    if (due > 1) await sleep(due);
    stream.write(request);
  }
  stream.end();
  await new Promise((resolve) => stream.on('end', resolve));
  return batches * 20;
}
