// A consumer of the demo with several members: reads, acknowledges, and counts what was acknowledged, by topic.

import { setTimeout as delay } from 'node:timers/promises';
import { AckStatus, type Delivery } from '../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../generated/madeleine/v1/event.js';
import type { MadeleineClient } from '../src/cli/connection/client.js';
import { isTransient } from '../src/cli/connection/failures.js';

const RECONNECT_MS = 200;

export interface DemoConsumerOptions {
  readonly client: MadeleineClient;
  readonly context: string;
  readonly consumer: string;
  /** Only these topics; empty: all. */
  readonly topics: readonly string[];
  readonly members: number;
}

export class DemoConsumer {
  readonly #options: DemoConsumerOptions;
  readonly #ended = new AbortController();
  /** Topic of each acknowledged position: an event that is delivered twice counts once. */
  readonly #done = new Map<bigint, string>();
  readonly #byMember = new Map<string, number>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: DemoConsumerOptions) {
    this.#options = options;
  }

  /** Creates the consumer at the beginning of the log, or moves it back there, and subscribes its members. */
  async start(): Promise<void> {
    const { client, context, consumer, members } = this.#options;
    const settings = this.#settings();
    await client.call((options) => client.consumers.createConsumer({ context, name: consumer, settings }, options));
    const to = { at: { $case: 'earliest', value: {} } } as const;
    await client.call((options) => client.consumers.seekConsumer({ context, name: consumer, to }, options));
    const names = Array.from({ length: members }, (_, index) => `${consumer}-${index + 1}`);
    this.#running = Promise.all(names.map((name) => this.#runMember(name)));
    this.#running.catch(() => undefined);
  }

  get acknowledged(): number {
    return this.#done.size;
  }

  /** Acknowledged events, by topic. */
  byTopic(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const topic of this.#done.values()) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    return counts;
  }

  /** Acknowledgements, by member. */
  byMember(): ReadonlyMap<string, number> {
    return this.#byMember;
  }

  /** Rejects with what made a member fail; never resolves while the members run. */
  failed(): Promise<unknown> {
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running.catch(() => undefined);
  }

  /** The filter; none means every event of the context. */
  #settings(): { readonly filter?: { readonly topics: string[] } } {
    const { topics } = this.#options;
    return topics.length === 0 ? {} : { filter: { topics: [...topics] } };
  }

  async #runMember(member: string): Promise<void> {
    const { client, context, consumer } = this.#options;
    const { signal } = this.#ended;
    const payloadEncoding = PayloadEncoding.PAYLOAD_ENCODING_BYTES;
    const request = { context, consumer, member, maxInFlight: 50, payloadEncoding };
    while (!signal.aborted) {
      try {
        for await (const { deliveries } of client.consumers.subscribe(request, { signal })) {
          if (deliveries.length > 0) await this.#acknowledge(member, deliveries);
        }
      } catch (error) {
        // What it held goes to other members, or comes again.
        if (!signal.aborted && !isTransient(error)) throw error;
      }
      await delay(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #acknowledge(member: string, deliveries: readonly Delivery[]): Promise<void> {
    const { client, context, consumer } = this.#options;
    const topics = new Map(deliveries.map(({ event }) => [event?.position ?? 0n, event?.topic ?? '']));
    const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    const { results } = await client.call((options) =>
      client.consumers.acknowledge({ context, consumer, acknowledgements }, options),
    );
    for (const { position, status } of results) {
      if (status !== AckStatus.ACK_STATUS_ACCEPTED) continue;
      this.#done.set(position, topics.get(position) ?? '');
      this.#byMember.set(member, (this.#byMember.get(member) ?? 0) + 1);
    }
  }
}
