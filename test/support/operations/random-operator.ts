// Somebody who manages a consumer while it works: seeks, changes settings, pauses, goes back to where it was, deletes it and makes it
// again, looks.

import { type ConsumerSettings, Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import { Actor } from './actor.js';
import type { ConsumerChanges } from './consumer-changes.js';
import { type ActorScene, pause } from './instances.js';
import { RandomAnswers } from './random-answers.js';
import type { RecordedConsumer } from './recorded-consumer.js';

const ACTIONS = {
  look: 6,
  seekBack: 4,
  seekForward: 2,
  seekFar: 1,
  trySeek: 1,
  ackTimeout: 2,
  ordering: 2,
  filter: 2,
  recreate: 1,
  pause: 3,
  goBack: 3,
  odd: 3,
};

type Filter = NonNullable<ConsumerSettings['filter']>;

export class RandomOperator extends Actor {
  readonly #scene: ActorScene;
  readonly #consumer: RecordedConsumer;
  readonly #changes: ConsumerChanges;
  /** One of them at a time. */
  readonly #filters: readonly Filter[];
  readonly #answers: RandomAnswers;

  constructor(scene: ActorScene, consumer: RecordedConsumer, changes: ConsumerChanges, filters: readonly Filter[]) {
    super();
    this.#scene = scene;
    this.#consumer = consumer;
    this.#changes = changes;
    this.#filters = filters;
    this.#answers = new RandomAnswers(consumer, scene.random);
  }

  protected async run(): Promise<void> {
    const { random } = this.#scene;
    const signal = this.stopping;
    for (;;) {
      await pause(random.between(150, 700), signal);
      if (signal.aborted) return;
      await this.#act(random.weighted(ACTIONS));
    }
  }

  async #act(action: keyof typeof ACTIONS): Promise<void> {
    const scene = this.#scene;
    const consumer = this.#consumer;
    const client = consumer.choose(scene.random)?.client;
    if (client === undefined) return;
    const at = await consumer.get(client);
    const offset = Number(at?.offset ?? 0n);
    const head = Number(at?.head ?? 0n);
    switch (action) {
      case 'seekBack':
        return this.#changes.seek(afterPosition(scene.random.between(0, offset)));
      case 'seekForward':
        return this.#changes.seek(afterPosition(scene.random.between(offset, head)));
      case 'seekFar':
        return this.#changes.seek({ $case: scene.random.of(['earliest', 'latest']), value: {} });
      case 'trySeek':
        return this.#changes.trySeek(client, scene.random.between(0, head));
      case 'recreate':
        return this.#changes.recreate();
      case 'pause':
        return this.#changes.pause(scene.random.between(50, 1_500));
      case 'goBack':
        return this.#changes.goBack(scene.random.between(50, 1_000));
      case 'odd':
        return this.#answers.odd(client);
      case 'look':
        return;
      default:
        return this.#update(action);
    }
  }

  async #update(field: 'ackTimeout' | 'ordering' | 'filter'): Promise<void> {
    const { settings } = this.#consumer;
    const { random } = this.#scene;
    if (field === 'ackTimeout') {
      const ackTimeout = { seconds: 1n, nanos: random.between(0, 9) * 100_000_000 };
      return this.#changes.update({ ...settings, ackTimeout }, 'ack_timeout');
    }
    if (field === 'ordering') {
      const { ORDERING_BY_STREAM, ORDERING_NONE } = Ordering;
      const ordering = settings.ordering === ORDERING_NONE ? ORDERING_BY_STREAM : ORDERING_NONE;
      return this.#changes.update({ ...settings, ordering }, 'ordering');
    }
    const now = JSON.stringify(settings.filter);
    const filter = random.of(this.#filters.filter((one) => JSON.stringify(one) !== now));
    if (filter !== undefined) await this.#changes.update({ ...settings, filter }, 'filter');
  }
}

function afterPosition(position: number) {
  return { $case: 'afterPosition', value: BigInt(position) } as const;
}
