// A consumer's member that acknowledges what it gets and subscribes again when its stream breaks: what a careful consumer does.

import { setTimeout as sleep } from 'node:timers/promises';
import type { SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import type { History } from '../events/history.js';
import type { TestClient } from '../server/server.js';
import { acknowledgements } from './consumer.js';

export class Worker {
  readonly #request: Partial<SubscribeRequest> & { readonly consumer: string };
  readonly #history: History;
  readonly #client: () => TestClient | undefined;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  /** Why it was interrupted, for the message of a test that fails. */
  readonly interruptions: string[] = [];

  constructor(options: {
    request: Partial<SubscribeRequest> & { readonly consumer: string };
    history: History;
    client: () => TestClient | undefined;
  }) {
    this.#request = options.request;
    this.#history = options.history;
    this.#client = options.client;
  }

  start(): void {
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const client = this.#client();
      if (client !== undefined)
        await this.#subscribe(client).catch((error: Error) => this.interruptions.push(error.message));
      if (!this.#stop.signal.aborted) await sleep(20);
    }
  }

  async #subscribe(client: TestClient): Promise<void> {
    const { consumer, context = '' } = this.#request;
    const { signal } = this.#stop;
    for await (const { deliveries } of client.consumers.subscribe(this.#request, { signal })) {
      for (const delivery of deliveries) this.#history.delivered(consumer, delivery);
      if (deliveries.length === 0) continue;
      const items = acknowledgements(deliveries);
      const positions = items.map(({ position }) => position);
      this.#history.acknowledging(consumer, positions);
      const answer = client.consumers.acknowledge({ context, consumer, acknowledgements: items }, { signal });
      this.#history.offset(consumer, (await answer).offset);
    }
  }
}
