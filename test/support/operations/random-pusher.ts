// Pushes events of one issuer, one call after the other, each again with the same message ids until it is answered.

import { randomUUID } from 'node:crypto';
import { ClientError } from 'nice-grpc';
import { refusalFrom } from '../contract/refusals.js';
import { jsonPayload, newEvent } from '../events/builders.js';
import type { TestClient } from '../server/server.js';
import { Actor } from './actor.js';
import { type ActorScene, limited, pause, surpriseOf } from './instances.js';
import type { EventFacts, OperationLog, PushOperation } from './operation-log.js';

const CALL_MS = 10_000;

export interface PusherTerms {
  readonly context: string;
  readonly topics: readonly string[];
  /** Empty: of no stream. */
  readonly stream: string;
  readonly issuer: string;
  /** Whom its events are addressed to; several: one of them; an empty one: nobody. */
  readonly to: readonly string[];
  readonly pauseMs: number;
  /** Events after which it has done its work. */
  readonly events: number;
}

export class RandomPusher extends Actor {
  readonly #scene: ActorScene;
  readonly #terms: PusherTerms;
  readonly #log: OperationLog;

  constructor(scene: ActorScene, terms: PusherTerms, log: OperationLog) {
    super();
    this.#scene = scene;
    this.#terms = terms;
    this.#log = log;
  }

  protected async run(): Promise<void> {
    const { random, signal } = this.#scene;
    const { pauseMs, events } = this.#terms;
    for (let left = events; left > 0 && !this.stopping.aborted && !signal.aborted; ) {
      const count = random.chance(0.7) ? 1 : random.between(2, 8);
      left -= count;
      await this.#push(Array.from({ length: count }, () => this.#newEvent()));
      if (random.chance(0.03)) await this.#intrude();
      await pause(random.chance(0.1) ? 8 * pauseMs : random.between(0, 2 * pauseMs), signal);
    }
  }

  #newEvent(): EventFacts {
    const { context, topics, stream, issuer, to } = this.#terms;
    const { random } = this.#scene;
    return {
      messageId: randomUUID(),
      context,
      stream,
      issuer,
      topic: random.of(topics) ?? '',
      to: random.of(to) ?? '',
    };
  }

  async #push(facts: readonly EventFacts[]): Promise<void> {
    const operations = facts.map((event): PushOperation => ({ ...this.#log.begin(), event, position: undefined }));
    this.#log.pushes.push(...operations);
    const { instances, random, signal } = this.#scene;
    const events = facts.map((event) => ({ event: newEvent({ ...event, payload: this.#payload() }) }));
    while (!signal.aborted) {
      const client = random.of(instances.live)?.client;
      const answered = client !== undefined && (await this.#attempt(client, events, operations));
      if (answered) return;
      await pause(20, signal);
    }
  }

  async #attempt(
    client: TestClient,
    events: readonly { event: ReturnType<typeof newEvent> }[],
    operations: readonly PushOperation[],
  ): Promise<boolean> {
    try {
      const push = (signal: AbortSignal) => client.events.pushEvents({ events: [...events] }, { signal });
      const { results } = await limited(CALL_MS, [this.#scene.signal], push);
      for (const [index, operation] of operations.entries()) {
        operation.position = Number(results[index]?.event?.position);
        this.#log.end(operation);
      }
      return true;
    } catch (error) {
      this.#note(error);
      return false;
    }
  }

  /** Somebody else pushes to its stream, and is refused. */
  async #intrude(): Promise<void> {
    const { stream, context, issuer, topics } = this.#terms;
    const client = this.#scene.random.of(this.#scene.instances.live)?.client;
    if (stream === '' || client === undefined) return;
    const event = newEvent({ context, stream, issuer: `not of ${issuer}`, topic: topics[0] ?? '' });
    try {
      await client.events.pushEvent({ event }, { signal: this.#scene.signal });
      this.#log.surprises.push(`a push of somebody else to the stream "${stream}" was taken`);
    } catch (error) {
      const isOwned = error instanceof ClientError && refusalFrom(error).reason === 'STREAM_OWNED';
      if (!isOwned) this.#note(error);
    }
  }

  #payload() {
    const { random } = this.#scene;
    const size = random.chance(0.1) ? random.between(1_000, 5_000) : random.between(1, 60);
    return jsonPayload({ text: 'x'.repeat(size) });
  }

  #note(error: unknown): void {
    const surprise = surpriseOf(error);
    if (surprise !== undefined) this.#log.surprises.push(`a push: ${surprise}`);
  }
}
