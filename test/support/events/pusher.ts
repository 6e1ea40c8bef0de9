// Pushes for as long as it is let, one event after the other on its own stream, retrying with the same message id until it is
// answered: what a careful client does.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, Status } from 'nice-grpc';
import type { TestClient } from '../server/server.js';
import { jsonPayload, newEvent } from './builders.js';
import type { History } from './history.js';

/** Statuses after which a careful client tries again. */
const RETRIED = new Set([Status.UNAVAILABLE, Status.RESOURCE_EXHAUSTED, Status.CANCELLED, Status.DEADLINE_EXCEEDED]);

export class StreamPusher {
  readonly #stream: string;
  readonly #history: History;
  readonly #client: () => TestClient | undefined;
  #running = false;
  #abandoned = false;
  #done: Promise<void> = Promise.resolve();
  #count = 0;

  /** `client` is asked before each attempt: undefined while there is no server. */
  constructor(options: { stream: string; history: History; client: () => TestClient | undefined }) {
    this.#stream = options.stream;
    this.#history = options.history;
    this.#client = options.client;
  }

  get count(): number {
    return this.#count;
  }

  start(): void {
    this.#running = true;
    this.#done = this.#run();
  }

  /** Resolves when the last push was answered. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  /** Ends without an answer to the last push; for the end of a test that failed. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await this.stop();
  }

  async #run(): Promise<void> {
    while (this.#running) {
      await this.#push(randomUUID());
      this.#count += 1;
    }
  }

  async #push(messageId: string): Promise<void> {
    const event = newEvent({
      stream: this.#stream,
      issuer: `issuer of ${this.#stream || 'no stream'}`,
      messageId,
      payload: jsonPayload({ n: this.#count }),
    });
    while (!this.#abandoned) {
      const client = this.#client();
      const answer = client === undefined ? undefined : await attempt(client, event);
      if (answer !== undefined) {
        this.#history.answered(answer);
        return;
      }
      await sleep(20);
    }
  }
}

/** The stored event; undefined when it has to be tried again. */
async function attempt(client: TestClient, event: ReturnType<typeof newEvent>) {
  try {
    const { event: stored } = await client.events.pushEvent({ event }, { signal: AbortSignal.timeout(15_000) });
    return stored;
  } catch (error) {
    const retried =
      error instanceof ClientError
        ? RETRIED.has(error.code)
        : (error as Error).name.endsWith('Error') && isAborted(error);
    if (retried) return undefined;
    throw error;
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}
