// A subscriber for tests: keeps what it was sent, so that tests wait for conditions instead of counting frames.

import type { Client } from 'nice-grpc';
import {
  type ConsumerServiceDefinition,
  type Delivery,
  SubscribeRequest,
  type SubscribeResponse,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import type { EventServiceDefinition } from '../../../generated/madeleine/v1/event_service.js';
import { newEvent } from '../events/builders.js';
import { waitUntil } from '../wait-until.js';

export type ConsumerClient = Client<typeof ConsumerServiceDefinition>;

type Frame = NonNullable<SubscribeResponse['frame']>;
type Frames = { [K in Frame['$case']]: Extract<Frame, { $case: K }>['value'] };

/** One subscriber that reads all the time. */
export class TestSubscriber {
  readonly deliveries: Delivery[] = [];
  readonly frames: Frame[] = [];
  /** Deliveries per frame, in order. */
  readonly frameSizes: number[] = [];
  /** The subject of the end: undefined while it runs, null when it ended in order. */
  ended: unknown;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  constructor(client: ConsumerClient, request: Partial<SubscribeRequest>) {
    this.#done = this.#run(client, SubscribeRequest.fromPartial(request));
  }

  /** Payloads' `n`, in the order of delivery. */
  get numbers(): unknown[] {
    return this.deliveries.map(numberOf);
  }

  /** Resolves with the first so many deliveries. */
  async first(count: number): Promise<Delivery[]> {
    await waitUntil(() => this.deliveries.length >= count || this.#failed(), {
      what: `${count} deliveries; there are ${this.deliveries.length}: ${this.numbers.slice(0, 20)}`,
    });
    return this.deliveries.slice(0, count);
  }

  opened(): Promise<Frames['opened']> {
    return this.frame('opened');
  }

  /** Resolves with the first frame of the kind. */
  async frame<K extends Frame['$case']>(kind: K): Promise<Frames[K]> {
    await waitUntil(() => this.frames.some((frame) => frame.$case === kind) || this.#failed(), {
      what: `a frame ${kind} among ${this.frames.map((frame) => frame.$case)}`,
      timeoutMs: 15_000,
    });
    const found = this.frames.find((frame) => frame.$case === kind);
    return found?.value as Frames[K];
  }

  /** The client goes away. Not before it was answered: grpc-js forgets to cancel a call that is still being started. */
  async cancel(): Promise<void> {
    await waitUntil(() => this.frames.length > 0 || this.ended !== undefined, {
      what: 'the subscription or its refusal',
    });
    this.#abort.abort();
    await this.#done;
  }

  /** Resolves when the stream ended by itself: with the error, or null. */
  async end(): Promise<unknown> {
    await this.#done;
    return this.ended;
  }

  #failed(): false {
    if (this.ended !== undefined && this.ended !== null) throw this.ended;
    return false;
  }

  async #run(client: ConsumerClient, request: SubscribeRequest): Promise<void> {
    try {
      for await (const { deliveries, frame } of client.subscribe(request, { signal: this.#abort.signal })) {
        this.deliveries.push(...deliveries);
        if (deliveries.length > 0) this.frameSizes.push(deliveries.length);
        if (frame !== undefined) this.frames.push(frame);
      }
      this.ended = null;
    } catch (error) {
      this.ended = this.#abort.signal.aborted ? null : error;
    }
  }
}

/** The number in an event's JSON payload. */
export function numberOf(delivery: Delivery): unknown {
  const body = delivery.event?.payload?.body;
  return body?.$case === 'json' ? (body.value as { n?: unknown }).n : undefined;
}

/** What acknowledges these deliveries. */
export function acknowledgements(deliveries: readonly Delivery[]): { position: bigint; lease: bigint }[] {
  return deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
}

/** Pushes events with payloads {"n": from} and so on; returns their positions. */
export async function pushNumbers(
  events: Client<typeof EventServiceDefinition>,
  count: number,
  changes: Partial<NewEvent> | ((n: number) => Partial<NewEvent>) = {},
  from = 1,
): Promise<bigint[]> {
  const drafts = Array.from({ length: count }, (_, index) => {
    const n = from + index;
    const own = typeof changes === 'function' ? changes(n) : changes;
    return newEvent({ payload: { contentType: '', body: { $case: 'json', value: { n } } }, ...own });
  });
  const positions: bigint[] = [];
  for (let at = 0; at < drafts.length; at += 1000) {
    const { results } = await events.pushEvents({ events: drafts.slice(at, at + 1000).map((event) => ({ event })) });
    positions.push(...results.map((result) => result.event?.position ?? 0n));
  }
  return positions;
}
