// A reader that follows the log and goes on from the last position it saw when its stream breaks, and says what it should not
// have been shown.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Event as EventMessage } from '../../../generated/madeleine/v1/event.js';
import type { TestClient } from '../server/server.js';
import type { History } from './history.js';

export class Follower {
  readonly #client: () => TestClient | undefined;
  readonly #history: History | undefined;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #position = 0n;
  /** Everything that was shown, in the order it was shown. */
  readonly events: EventMessage[] = [];
  readonly faults: string[] = [];
  readonly interruptions: string[] = [];

  /** `client` is asked before each attempt: undefined while there is no server. What is shown goes into the history, too. */
  constructor(client: () => TestClient | undefined, history?: History) {
    this.#client = client;
    this.#history = history;
  }

  /** The newest position that was shown. */
  get position(): number {
    return Number(this.#position);
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
        await this.#follow(client).catch((error: Error) => this.interruptions.push(error.message));
      if (!this.#stop.signal.aborted) await sleep(20);
    }
  }

  async #follow(client: TestClient): Promise<void> {
    const request = { context: 'all', follow: true, afterPosition: this.#position };
    for await (const frame of client.events.readEvents(request, { signal: this.#stop.signal })) {
      for (const event of frame.events) this.#see(event);
    }
  }

  /** Retention deletes nothing in these tests, so that positions have to be dense as well. */
  #see(event: EventMessage): void {
    if (event.position !== this.#position + 1n) this.faults.push(`shown ${event.position} after ${this.#position}`);
    if (event.position > this.#position) this.#position = event.position;
    this.events.push(event);
    this.#history?.shown(event);
  }
}
