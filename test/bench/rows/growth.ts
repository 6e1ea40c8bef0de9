// Whether anything gets slower as the log grows: the same at a tenth of the events and at all of them. Filled through the
// server by PushEventStream, whose message ids are UUIDv7, as are those of the single pushes.

import { PayloadEncoding } from '../../../generated/madeleine/v1/event.js';
import {
  ListEventsRequest,
  PeekEventRequest,
  PeekEventResponse,
  ReadEventsRequest,
  ReadEventsResponse,
} from '../../../generated/madeleine/v1/event_service.js';
import { Uuid7Source } from '../../../src/lib/uuid7.js';
import { batchRequest, pushRequest, RawClient } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { progressBar } from '../progress.js';
import { type Figure, medianOf, type Row, type RowContext } from '../row.js';
import { PUSH, PUSH_STREAM } from './push.js';

const PEEK = '/madeleine.v1.EventService/PeekEvent';
const LIST = '/madeleine.v1.EventService/ListEvents';
const READ = '/madeleine.v1.EventService/ReadEvents';
const BYTES = PayloadEncoding.PAYLOAD_ENCODING_BYTES;
const FILL_EVENTS = 500;
const PUSHES = 10_000;
const TAIL_EVENTS = 100_000;
const PEEKS = 5_000;
const SEEKS = 5_000;
const IN_FLIGHT = 16;
const uuids = new Uuid7Source(() => Date.now());

interface Speeds {
  readonly push: number;
  readonly tail: number;
  readonly peek: number;
  readonly seek: number;
}

const SPEEDS: Readonly<Record<keyof Speeds, { name: string; unit: string }>> = {
  push: { name: 'PushEvent, 64 in flight, ids of the client', unit: 'calls/s' },
  tail: { name: 'ReadEvents of the newest events', unit: 'events/s' },
  peek: { name: 'PeekEvent anywhere, 16 in flight', unit: 'calls/s' },
  seek: { name: 'ListEvents from a time anywhere, one event, 16 in flight', unit: 'calls/s' },
};

export class GrowthRow implements Row {
  readonly figures: readonly string[];
  readonly #events: number;

  constructor(events: number) {
    this.#events = events;
    this.figures = Object.values(SPEEDS).map(({ name }) => `${count(events)} events stored: ${name}`);
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    const server = await stage.server('growth', { database: 'growth' });
    const few = Math.ceil(this.#events / 10);
    const log = new GrowingLog(server);
    await log.fill(few);
    const before = await log.speeds(rounds, few);
    const fillRate = await log.fill(this.#events - few);
    const after = await log.speeds(rounds, few);
    log.close();
    await stage.clear();
    const keys = Object.keys(SPEEDS) as (keyof Speeds)[];
    return keys.map((key, index) => ({
      figure: this.figures[index] as string,
      value: after[key],
      limit: `${count(few)} events stored`,
      limitValue: before[key],
      unit: SPEEDS[key].unit,
      bounds: { must: 1 / 1.3, aim: 1 / 1.1 },
      ...(key === 'push' ? { note: `filled by PushEventStream, ${count(Math.round(fillRate))} events/s` } : {}),
    }));
  }
}

class GrowingLog {
  readonly #client: RawClient;

  constructor(server: BenchProcess) {
    this.#client = new RawClient(server.address);
  }

  close(): void {
    this.#client.close();
  }

  /** Pushes so many events; returns events a second. */
  async fill(events: number): Promise<number> {
    const bar = progressBar(events, 'events');
    const rate = await this.#client.saturateStream(PUSH_STREAM, batchRequest('bytes', FILL_EVENTS), {
      inFlight: 8,
      count: Math.ceil(events / FILL_EVENTS),
      onAnswer: () => bar.increment(FILL_EVENTS),
    });
    bar.stop();
    return rate * FILL_EVENTS;
  }

  /** Of a log that has at least so many events. */
  async speeds(rounds: number, events: number): Promise<Speeds> {
    const { head, first, last } = await this.#extent();
    const anywhere = () => 1 + Math.floor(Math.random() * (head - 1));
    const sometime = () => first + Math.random() * 0.999 * (last - first);
    const tail = Math.min(TAIL_EVENTS, events);
    return {
      push: await medianOf(rounds, () => this.#push()),
      tail: await medianOf(rounds, () => this.#readTail(tail)),
      peek: await medianOf(rounds, () => this.#peeks(anywhere)),
      seek: await medianOf(rounds, () => this.#seeks(sometime)),
    };
  }

  #push(): Promise<number> {
    const requests = Array.from({ length: PUSHES }, () => pushRequest('bytes', uuids.next()));
    return this.#client.saturateWith(PUSH, requests, 64);
  }

  #peeks(after: () => number): Promise<number> {
    const requests = Array.from({ length: PEEKS }, () => peekRequest(after()));
    return this.#client.saturateWith(PEEK, requests, IN_FLIGHT);
  }

  async #readTail(events: number): Promise<number> {
    const { head } = await this.#extent();
    const startedAt = performance.now();
    const read = await readFrom(this.#client, { afterPosition: BigInt(head - events) }, events);
    return (read / (performance.now() - startedAt)) * 1000;
  }

  /** `time` in seconds since 1970. */
  #seeks(time: () => number): Promise<number> {
    const requests = Array.from({ length: SEEKS }, () => seekRequest(time()));
    return this.#client.saturateWith(LIST, requests, IN_FLIGHT);
  }

  /** The newest position, and the times of the first and the newest event in seconds. */
  async #extent(): Promise<{ head: number; first: number; last: number }> {
    const first = await this.#peek(0);
    const pushed = PeekEventResponse.decode(await this.#client.unary(PUSH, pushRequest('bytes')));
    const newest = pushed.event;
    return { head: Number(newest?.position), first: seconds(first.event?.createdAt), last: seconds(newest?.createdAt) };
  }

  async #peek(after: number): Promise<PeekEventResponse> {
    return PeekEventResponse.decode(await this.#client.unary(PEEK, peekRequest(after)));
  }
}

/** Reads until it has so many events; returns how many came. */
function readFrom(client: RawClient, from: Partial<ReadEventsRequest>, events: number): Promise<number> {
  const request = ReadEventsRequest.fromPartial({
    ...from,
    payloadEncoding: BYTES,
    batchSize: Math.min(events, 1_000),
  });
  return new Promise((resolve, reject) => {
    const stream = client.serverStream(READ, Buffer.from(ReadEventsRequest.encode(request).finish()));
    let seen = 0;
    stream.on('data', (bytes: Buffer) => {
      seen += ReadEventsResponse.decode(bytes).events.length;
      if (seen < events) return;
      resolve(seen);
      stream.cancel();
    });
    stream.on('end', () => reject(new Error(`ended after ${seen} of ${events} events`)));
    stream.on('error', reject);
  });
}

function peekRequest(after: number): Buffer {
  const request = PeekEventRequest.fromPartial({ afterPosition: BigInt(after), payloadEncoding: BYTES });
  return Buffer.from(PeekEventRequest.encode(request).finish());
}

function seekRequest(time: number): Buffer {
  const filter = { startTime: timestamp(time) };
  const request = ListEventsRequest.fromPartial({ filter, pageSize: 1, payloadEncoding: BYTES });
  return Buffer.from(ListEventsRequest.encode(request).finish());
}

function timestamp(at: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(at)), nanos: Math.floor((at % 1) * 1e6) * 1000 };
}

function seconds(time: { seconds: bigint; nanos: number } | undefined): number {
  return Number(time?.seconds) + Number(time?.nanos) / 1e9;
}

function count(events: number): string {
  return events.toLocaleString('en-US');
}
