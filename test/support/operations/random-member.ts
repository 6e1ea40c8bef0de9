// Members of a consumer that behave badly until they are stopped: by streams of frames, and by Fetch.

import { Pipe } from '../server/pipe.js';
import { TestClient } from '../server/server.js';
import { Actor } from './actor.js';
import { type ActorScene, type LiveInstance, limited, pause } from './instances.js';
import type { SeenDelivery } from './operation-log.js';
import { RandomAnswers } from './random-answers.js';
import type { Credit, RecordedConsumer } from './recorded-consumer.js';

/** What a member is like for one subscription, and how often. */
const MOODS = { diligent: 8, partial: 4, forgetful: 2, hasty: 3, frozen: 1, broken: 2 };

/** Subscribes again and again; members of one consumer share few names, so that some replace others. */
export class RandomMember extends Actor {
  readonly #scene: ActorScene;
  readonly #consumer: RecordedConsumer;
  readonly #names: number;
  readonly #answers: RandomAnswers;

  constructor(scene: ActorScene, consumer: RecordedConsumer, names: number) {
    super();
    this.#scene = scene;
    this.#consumer = consumer;
    this.#names = names;
    this.#answers = new RandomAnswers(consumer, scene.random);
  }

  protected async run(): Promise<void> {
    const { random, signal } = this.#scene;
    while (!this.stopping.aborted && !signal.aborted) {
      const instance = this.#consumer.choose(random);
      if (instance !== undefined) await this.#session(instance);
      await pause(random.between(10, 200), signal);
    }
  }

  async #session(instance: LiveInstance): Promise<void> {
    const { random } = this.#scene;
    const mood = random.weighted(MOODS);
    const lasts = random.between(100, 1_200);
    await limited(lasts, [this.stopping], (leaving) => this.#be(mood, instance, leaving));
  }

  async #be(mood: keyof typeof MOODS, instance: LiveInstance, leaving: AbortSignal): Promise<void> {
    if (mood !== 'frozen' && mood !== 'broken') return this.#subscribe(instance.client, mood, leaving);
    const pipe = await Pipe.to(instance.address);
    const client = new TestClient(pipe.address);
    try {
      await this.#subscribe(client, mood, leaving, pipe);
    } finally {
      client.close();
      pipe.cut();
    }
  }

  async #subscribe(client: TestClient, mood: keyof typeof MOODS, leaving: AbortSignal, pipe?: Pipe): Promise<void> {
    const { random } = this.#scene;
    const terms = { ...this.#credit(), member: `member ${random.between(1, this.#names)}` };
    const left = random.between(1, 30);
    let seen = 0;
    const pending: Promise<void>[] = [];
    const work = async (deliveries: readonly SeenDelivery[], leave: () => void) => {
      seen += deliveries.length;
      const answered = this.#answer(client, mood, deliveries);
      if (random.chance(0.5)) await answered;
      else pending.push(answered);
      if (seen < left) return;
      if (mood === 'hasty') leave();
      if (mood === 'frozen') await this.#freeze(pipe);
      if (mood === 'broken') {
        // First it is written down, then it happens.
        leave();
        pipe?.reset();
      }
    };
    await this.#consumer.subscribe(client, terms, work, leaving);
    await Promise.all(pending);
  }

  async #freeze(pipe: Pipe | undefined): Promise<void> {
    pipe?.freeze();
    await pause(this.#scene.random.between(300, 2_000), this.stopping);
    pipe?.thaw();
  }

  async #answer(client: TestClient, mood: keyof typeof MOODS, deliveries: readonly SeenDelivery[]): Promise<void> {
    const { random } = this.#scene;
    if (mood === 'forgetful') return random.chance(0.2) ? this.#answers.odd(client) : undefined;
    if (mood === 'partial' || random.chance(0.1)) return this.#answers.some(client, deliveries);
    if (mood === 'diligent' || random.chance(0.5)) return this.#answers.all(client, deliveries);
  }

  #credit(): Credit {
    const { random } = this.#scene;
    const maxInFlight = random.chance(0.5) ? random.between(1, 6) : random.between(7, 60);
    const maxInFlightBytes = random.chance(0.3) ? random.between(1_024, 6_000) : 1024 * 1024;
    return { maxInFlight, maxInFlightBytes };
  }
}

/** Fetches again and again, now and then with a call of before. */
export class RandomFetcher extends Actor {
  readonly #scene: ActorScene;
  readonly #consumer: RecordedConsumer;
  readonly #member: string;
  readonly #answers: RandomAnswers;
  #requests = 0;

  constructor(scene: ActorScene, consumer: RecordedConsumer, member: string) {
    super();
    this.#scene = scene;
    this.#consumer = consumer;
    this.#member = member;
    this.#answers = new RandomAnswers(consumer, scene.random);
  }

  protected async run(): Promise<void> {
    const { random, signal } = this.#scene;
    while (!this.stopping.aborted && !signal.aborted) {
      const instance = this.#consumer.choose(random);
      if (instance !== undefined) await this.#fetch(instance.client);
      await pause(random.between(20, 300), signal);
    }
  }

  async #fetch(client: TestClient): Promise<void> {
    const { random } = this.#scene;
    const requestId = random.chance(0.4) ? `request ${random.chance(0.6) ? ++this.#requests : this.#requests}` : '';
    const terms = { limit: random.between(1, 15), waitMs: random.chance(0.5) ? random.between(1, 300) : 0, requestId };
    const deliveries = await this.#consumer.fetch(client, { member: this.#member, ...terms });
    if (deliveries.length === 0 || random.chance(0.1)) return;
    await (random.chance(0.8) ? this.#answers.all(client, deliveries) : this.#answers.some(client, deliveries));
  }
}

/** A member that acknowledges whatever it gets: all are like this in the end. */
export class GoodMember extends Actor {
  readonly #scene: ActorScene;
  readonly #consumer: RecordedConsumer;
  readonly #member: string;

  constructor(scene: ActorScene, consumer: RecordedConsumer, member: string) {
    super();
    this.#scene = scene;
    this.#consumer = consumer;
    this.#member = member;
  }

  protected async run(): Promise<void> {
    const { random, signal } = this.#scene;
    const terms = { member: this.#member, maxInFlight: 50, maxInFlightBytes: 1024 * 1024 };
    while (!this.stopping.aborted && !signal.aborted) {
      const client = this.#consumer.choose(random)?.client;
      if (client !== undefined) {
        const acknowledge = (deliveries: readonly SeenDelivery[]) => {
          const asked = deliveries.map(({ event, lease }) => ({ position: event.position, lease }));
          return this.#consumer.acknowledge(client, asked);
        };
        await this.#consumer.subscribe(client, terms, acknowledge, this.stopping);
      }
      await pause(20, signal);
    }
  }
}
