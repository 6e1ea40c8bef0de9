// How long it takes from a push to its delivery, and what a call costs alone.

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { PayloadEncoding } from '../../generated/madeleine/v1/event.js';
import {
  PushEventResponse,
  ReadEventsRequest,
  ReadEventsResponse,
} from '../../generated/madeleine/v1/event_service.js';
import { pushRequest, type RawClient } from './load.js';

const PUSH = '/madeleine.v1.EventService/PushEvent';
const READ = '/madeleine.v1.EventService/ReadEvents';

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export function percentiles(samples: readonly number[]): Percentiles {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Milliseconds of unary calls at the rate, sent whether or not the former one was answered. */
export async function callLatency(client: RawClient, rate: number, seconds: number): Promise<Percentiles> {
  const request = pushRequest('bytes');
  const samples: number[] = [];
  await paced(rate, seconds, async () => {
    const startedAt = performance.now();
    await client.unary(PUSH, request);
    samples.push(performance.now() - startedAt);
  });
  return percentiles(samples);
}

/** Milliseconds from sending a push to one server until a follower of another (or the same) one has the event. */
export async function deliveryLatency(
  pusher: RawClient,
  reader: RawClient,
  options: { rate: number; seconds: number },
): Promise<Percentiles> {
  const follower = new Follower(reader);
  await follower.caughtUp;
  const request = pushRequest('bytes');
  const samples: number[] = [];
  await paced(options.rate, options.seconds, async () => {
    const startedAt = performance.now();
    const { event } = PushEventResponse.decode(await pusher.unary(PUSH, request));
    samples.push((await follower.arrival(event?.position ?? 0n)) - startedAt);
  });
  follower.stop();
  return percentiles(samples);
}

/** Follows the log and remembers when each position came. */
class Follower {
  readonly #arrivals = new Map<bigint, number>();
  readonly #news = new EventEmitter();
  readonly #stream: ReturnType<RawClient['serverStream']>;
  readonly caughtUp: Promise<void>;

  constructor(client: RawClient) {
    this.#news.setMaxListeners(0);
    const request = {
      context: 'all',
      follow: true,
      startTime: { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 },
      payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
    };
    this.#stream = client.serverStream(
      READ,
      Buffer.from(ReadEventsRequest.encode(ReadEventsRequest.fromPartial(request)).finish()),
    );
    this.caughtUp = new Promise((resolve, reject) => {
      this.#stream.on('error', reject);
      this.#stream.on('data', (bytes: Buffer) => {
        const { events, frame } = ReadEventsResponse.decode(bytes);
        const now = performance.now();
        for (const { position } of events) this.#arrived(position, now);
        if (frame?.$case === 'caughtUp') resolve();
      });
    });
  }

  arrival(position: bigint): Promise<number> {
    const at = this.#arrivals.get(position);
    if (at !== undefined) return Promise.resolve(at);
    return new Promise((resolve) => this.#news.once(String(position), resolve));
  }

  stop(): void {
    this.#stream.on('error', () => {});
    this.#stream.cancel();
  }

  #arrived(position: bigint, now: number): void {
    this.#arrivals.set(position, now);
    this.#news.emit(String(position), now);
  }
}

/** Starts the work at the rate for so many seconds, and waits until all of it is done. */
async function paced(rate: number, seconds: number, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const running: Promise<void>[] = [];
  for (let n = 0; n < rate * seconds; n += 1) {
    const due = startedAt + (n * 1000) / rate - performance.now();
    if (due > 1) await sleep(due);
    running.push(work());
  }
  await Promise.all(running);
}
