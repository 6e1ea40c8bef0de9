// Random events, acknowledgements, deletions, moves and restarts, held against a naive model: what a durable consumer had not passed when
// it was deleted is counted once and told, perhaps again as the same gap, and everything else is delivered.

import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  CreateConsumerRequest,
  FetchRequest,
  GetConsumerRequest,
  SeekConsumerRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { TestDeletion } from '../../support/events/deletion.js';
import { RandomChoices } from '../../support/random.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

const TOPICS: [string, ...string[]] = ['orders', 'bills', 'logs'];
const KINDS = { push: 2, take: 3, delete: 2, seek: 1, restart: 0.1 };
const STEPS = 120;
const SEEDS = [1, 2, 3];

interface Stored {
  readonly position: number;
  readonly topic: string;
}

/** What a consumer gets, has passed, was given and was told. */
class ModelConsumer {
  readonly passed = new Set<number>();
  readonly given = new Set<number>();
  /** Each once, though it may be told again. */
  readonly gaps = new Map<string, { readonly first: number; readonly last: number; readonly events: number }>();
  expired = 0;
  readonly name: string;
  readonly topics: readonly string[];

  constructor(name: string, topics: readonly string[]) {
    this.name = name;
    this.topics = topics;
  }

  gets({ topic }: Stored): boolean {
    return this.topics.includes(topic);
  }

  /** How many events gaps told of. */
  get told(): number {
    return [...this.gaps.values()].reduce((sum, { events }) => sum + events, 0);
  }

  knowsOf({ position }: Stored): boolean {
    return (
      this.given.has(position) ||
      [...this.gaps.values()].some(({ first, last }) => first <= position && position <= last)
    );
  }
}

class World {
  readonly #choices: RandomChoices;
  readonly #database: TestDatabase;
  readonly #deletion: TestDeletion;
  readonly #context: string;
  #server!: TestServer;
  #client!: TestClient;
  readonly #stored = new Map<number, Stored>();
  readonly #all: Stored[] = [];
  readonly consumers: readonly [ModelConsumer, ...ModelConsumer[]];

  constructor(database: TestDatabase, seed: number) {
    this.#database = database;
    this.#choices = new RandomChoices(seed);
    this.#deletion = new TestDeletion(database.url);
    this.#context = `world ${seed}`;
    const other = [['orders', 'bills'], TOPICS].map((topics, n) => new ModelConsumer(`c${n}`, topics));
    this.consumers = [new ModelConsumer('c', ['orders']), ...other];
  }

  async begin(): Promise<void> {
    await this.#start();
    for (const { name, topics } of this.consumers) {
      const request = {
        context: this.#context,
        name,
        settings: { filter: { topics: [...topics] }, maxAttempts: 1_000 },
      };
      await this.#client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request));
    }
  }

  async end(): Promise<void> {
    await this.#stop();
    await this.#deletion.close();
  }

  async step(): Promise<void> {
    const kind = this.#choices.weighted(KINDS);
    if (kind === 'push') await this.#push();
    else if (kind === 'take') await this.take(this.#choices.of(this.consumers), this.#choices.between(0, 100));
    else if (kind === 'delete') await this.#delete();
    else if (kind === 'seek') await this.#seek(this.#choices.of(this.consumers));
    else await this.#restart();
  }

  /** Has a consumer fetch what there is, and acknowledge a part of it; returns whether there was anything new. */
  async take(consumer: ModelConsumer, percent: number): Promise<boolean> {
    const request = { context: this.#context, consumer: consumer.name, limit: this.#choices.between(1, 8) };
    const { deliveries, gaps } = await this.#client.consumers.fetch(FetchRequest.fromPartial(request));
    const known = consumer.gaps.size;
    for (const { firstPosition, lastPosition, events = 0n } of gaps) {
      const gap = { first: Number(firstPosition), last: Number(lastPosition), events: Number(events) };
      consumer.gaps.set(`${gap.first} ${gap.last} ${gap.events}`, gap);
    }
    for (const { event } of deliveries) consumer.given.add(Number(event?.position));
    const of = { context: this.#context, consumer: consumer.name };
    const answers = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    const acknowledgements = answers.filter(() => this.#choices.between(1, 100) <= percent);
    await this.#client.consumers.acknowledge({ ...of, acknowledgements });
    for (const { position } of acknowledgements) consumer.passed.add(Number(position));
    const rejections = answers.filter((answer) => !acknowledgements.includes(answer));
    const soon = { seconds: 0n, nanos: 0 };
    if (rejections.length > 0) {
      await this.#client.consumers.reject({
        ...of,
        rejections,
        verdict: Verdict.VERDICT_RETRY,
        delay: soon,
        reason: 'later',
      });
    }
    return deliveries.length > 0 || consumer.gaps.size > known;
  }

  async check(consumer: ModelConsumer): Promise<void> {
    const request = GetConsumerRequest.fromPartial({ context: this.#context, name: consumer.name });
    const { consumer: state } = await this.#client.consumers.getConsumer(request);
    expect(Number(state?.expiredUnread), `${consumer.name}: expired unread`).toBe(consumer.expired);
    expect(consumer.told, `${consumer.name}: told`).toBe(consumer.expired);
    const unknown = this.#all.filter((event) => consumer.gets(event) && !consumer.knowsOf(event));
    expect(unknown, `${consumer.name}: neither delivered nor told`).toEqual([]);
  }

  async #push(): Promise<void> {
    for (let n = this.#choices.between(1, 5); n > 0; n -= 1) {
      const topic = this.#choices.of(TOPICS);
      const stream = this.#choices.of(['', '', `s ${topic}`]);
      const event = newEvent({ context: this.#context, topic, stream, issuer: 'shop', payload: jsonPayload({ n }) });
      const { event: pushed } = await this.#client.events.pushEvent({ event });
      const stored = { position: Number(pushed?.position), topic };
      this.#stored.set(stored.position, stored);
      this.#all.push(stored);
    }
  }

  async #delete(): Promise<void> {
    // The newest one stays: it is where the log ends.
    const candidates = [...this.#stored.values()].slice(0, -1);
    const going = candidates.filter(() => this.#choices.between(1, 4) === 1);
    await this.#deletion.remove(going.map(({ position }) => position));
    for (const event of going) {
      this.#stored.delete(event.position);
      for (const consumer of this.consumers) {
        if (consumer.gets(event) && !consumer.passed.has(event.position)) consumer.expired += 1;
      }
    }
  }

  async #seek(consumer: ModelConsumer): Promise<void> {
    const to = this.#choices.of(this.#all)?.position ?? 0;
    const request = {
      ...{ context: this.#context, name: consumer.name },
      to: { at: { $case: 'afterPosition', value: BigInt(to) } },
    };
    await this.#client.consumers.seekConsumer(SeekConsumerRequest.fromPartial(request as SeekConsumerRequest));
    consumer.passed.clear();
    for (const { position } of this.#all) {
      if (position > to) continue;
      consumer.passed.add(position);
      consumer.given.add(position);
    }
  }

  async #restart(): Promise<void> {
    await this.#stop();
    await this.#start();
  }

  async #start(): Promise<void> {
    this.#server = await startServer({ databaseUrl: this.#database.url });
    this.#client = new TestClient(this.#server.address);
  }

  async #stop(): Promise<void> {
    this.#client.close();
    await this.#server.stop();
  }
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it.each(SEEDS)('whatever happens (seed %i), nothing goes untold', { timeout: 180_000 }, async (seed) => {
  const world = new World(database, seed);
  await world.begin();
  try {
    for (let step = 0; step < STEPS; step += 1) await world.step();
    for (const consumer of world.consumers) {
      while (await world.take(consumer, 100));
      // What was read just before it was deleted is delivered, and found to be lost within seconds.
      const isTold = async () => !(await world.take(consumer, 100)) && consumer.told >= consumer.expired;
      await waitUntil(isTold, { what: `${consumer.name} is told of everything` });
      await world.check(consumer);
    }
  } finally {
    await world.end();
  }
});
