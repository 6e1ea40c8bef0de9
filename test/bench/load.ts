// What the benchmarks send, and the plain gRPC client that sends it: requests are encoded before the clock starts.

import { type ChannelCredentials, Client, credentials } from '@grpc/grpc-js';
import { PushEventRequest, PushEventStreamRequest } from '../../generated/madeleine/v1/event_service.js';

/** 338 bytes of JSON. */
export const PAYLOAD = Buffer.from(
  JSON.stringify({
    order: 4711,
    customer: 'c-1',
    total: 12.5,
    currency: 'EUR',
    note: 'x'.repeat(157),
    lines: [
      { sku: 'A-1', n: 1, price: 5 },
      { sku: 'B-2', n: 3, price: 2.5 },
    ],
    address: { city: 'Illiers', zip: '28120', land: 'FR' },
  }),
);
const TOPIC = 'orders';
/** Deliveries in one frame of a subscription. */
export const FRAME_EVENTS = 256;

export type Arm = 'bytes' | 'value';

function event(arm: Arm, topic: string) {
  const body =
    arm === 'bytes'
      ? ({ $case: 'data', value: PAYLOAD } as const)
      : ({ $case: 'json', value: JSON.parse(PAYLOAD.toString()) as unknown } as const);
  return { topic, issuer: 'shop', payload: { contentType: '', body } };
}

export function pushRequest(arm: Arm, messageId = ''): Buffer {
  const request = { event: { ...event(arm, TOPIC), messageId } };
  return Buffer.from(PushEventRequest.encode(PushEventRequest.fromPartial(request)).finish());
}

export function batchRequest(arm: Arm, events: number, topic = TOPIC): Buffer {
  const batch = { batchId: 1n, events: Array.from({ length: events }, () => ({ event: event(arm, topic) })) };
  return Buffer.from(PushEventStreamRequest.encode(PushEventStreamRequest.fromPartial(batch)).finish());
}

/** A SubscribeResponse of equal deliveries; `event` is an encoded message whose field 1 is the event. */
export function deliveryFrame(event: Uint8Array, count: number): Buffer {
  const lease = Buffer.from([0x10, 0xff, 0xff, 0x7f, 0x18, 1]);
  const delivery = Buffer.concat([event, lease]);
  const head = Buffer.from([0x0a, (delivery.length & 0x7f) | 0x80, delivery.length >> 7]);
  return Buffer.concat(Array.from({ length: count }, () => Buffer.concat([head, delivery])));
}

const identity = (bytes: Buffer) => bytes;

interface StreamOptions {
  readonly inFlight: number;
  readonly count: number;
  readonly onAnswer?: (answer: Buffer) => void;
}

/** A client of one connection that sends and receives bytes. */
export class RawClient extends Client {
  constructor(address: string, options: Record<string, number> = {}) {
    super(address, credentials.createInsecure() as ChannelCredentials, {
      'grpc-node.flow_control_window': 8 * 1024 * 1024,
      'grpc.max_receive_message_length': -1,
      ...options,
    });
  }

  unary(path: string, request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(path, identity, identity, request, (error, answer) =>
        error === null ? resolve(answer as Buffer) : reject(error),
      );
    });
  }

  serverStream(path: string, request: Buffer) {
    return this.makeServerStreamRequest(path, identity, identity, request);
  }

  bidi(path: string) {
    return this.makeBidiStreamRequest<Buffer, Buffer>(path, identity, identity);
  }

  /** Keeps `inFlight` calls under way until `count` were answered; returns calls a second. */
  async saturate(path: string, request: Buffer, options: { inFlight: number; count: number }): Promise<number> {
    const requests = Array.from({ length: options.count }, () => request);
    return this.saturateWith(path, requests, options.inFlight);
  }

  /** Sends each of the requests, `inFlight` of them at a time; returns calls a second. */
  async saturateWith(path: string, requests: readonly Buffer[], inFlight: number): Promise<number> {
    let next = 0;
    const worker = async () => {
      for (let n = next++; n < requests.length; n = next++) await this.unary(path, requests[n] as Buffer);
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: inFlight }, worker));
    return (requests.length / (performance.now() - startedAt)) * 1000;
  }

  /** Keeps `inFlight` calls under way for so many milliseconds; returns calls a second. */
  async saturateFor(path: string, request: Buffer, options: { inFlight: number; ms: number }): Promise<number> {
    let answered = 0;
    const startedAt = performance.now();
    const worker = async () => {
      while (performance.now() - startedAt < options.ms) {
        await this.unary(path, request);
        answered += 1;
      }
    };
    await Promise.all(Array.from({ length: options.inFlight }, worker));
    return (answered / (performance.now() - startedAt)) * 1000;
  }

  /**
   * Sends `count` messages over a bidirectional stream, `inFlight` unanswered at most; returns messages a second. All are equal,
   * or they are as `message` makes them, which has to cost nothing.
   */
  saturateStream(path: string, message: Buffer | ((n: number) => Buffer), options: StreamOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const stream = this.bidi(path);
      let sent = 0;
      let answered = 0;
      const startedAt = performance.now();
      const send = () => {
        stream.write(typeof message === 'function' ? message(sent) : message);
        sent += 1;
        if (sent === options.count) stream.end();
      };
      stream.on('data', (answer: Buffer) => {
        answered += 1;
        options.onAnswer?.(answer);
        if (sent < options.count) send();
        else if (answered === options.count) resolve((options.count / (performance.now() - startedAt)) * 1000);
      });
      stream.on('error', reject);
      for (let n = 0; n < Math.min(options.inFlight, options.count); n += 1) send();
    });
  }
}
