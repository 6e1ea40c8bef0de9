// A topic and a consumer of its own for each test, on the file's server; what subscribed is cancelled after the test.

import { afterEach } from 'vitest';
import {
  type AcknowledgeResponse,
  type AckStatus,
  type Consumer,
  ConsumerSettings,
  type Delivery,
  FetchRequest,
  type FetchResponse,
  RejectRequest,
  type SubscribeRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { type Refusal, refusalOf } from '../contract/refusals.js';
import type { Suite } from '../server/suite.js';
import { acknowledgements, type ConsumerClient, pushNumbers, TestSubscriber } from './consumer.js';

export interface Scene {
  readonly topic: string;
  readonly consumer: string;
  /** Only events of the topic, and what the test asked for. */
  readonly settings: ConsumerSettings;
  subscribe(changes?: Partial<SubscribeRequest>, client?: ConsumerClient): TestSubscriber;
  /** The refusal of a subscription. */
  refused(changes?: Partial<SubscribeRequest>, client?: ConsumerClient): Promise<Refusal>;
  fetch(changes?: Partial<FetchRequest>): Promise<FetchResponse>;
  /** Pushes {"n": from} … into the topic; returns the positions. */
  push(
    count: number,
    changes?: Partial<NewEvent> | ((n: number) => Partial<NewEvent>),
    from?: number,
  ): Promise<bigint[]>;
  ack(deliveries: readonly Delivery[]): Promise<AcknowledgeResponse>;
  /** Rejects; the statuses, in the order of the deliveries. */
  reject(deliveries: readonly Delivery[], how: Partial<RejectRequest>): Promise<AckStatus[]>;
  /** The statuses of single acknowledgements. */
  ackStatuses(items: readonly { position: bigint; lease: bigint }[]): Promise<AckStatus[]>;
  get(): Promise<Consumer>;
}

/** Call it once a file; the returned function makes scenes inside the tests. */
export function useScenes(suite: Suite): (settings?: Partial<ConsumerSettings>) => Scene {
  const subscribers: TestSubscriber[] = [];
  let count = 0;
  afterEach(async () => {
    await Promise.all(subscribers.splice(0).map((subscriber) => subscriber.cancel()));
  });
  return (settings = {}) => {
    count += 1;
    const topic = `topic-${count}`;
    return makeScene(suite, { topic, consumer: `consumer-${count}`, given: settings, subscribers });
  };
}

interface SceneParts {
  readonly topic: string;
  readonly consumer: string;
  readonly given: Partial<ConsumerSettings>;
  readonly subscribers: TestSubscriber[];
}

function makeScene(suite: Suite, { topic, consumer, given, subscribers }: SceneParts): Scene {
  const settings = ConsumerSettings.fromPartial({
    ...given,
    filter: { topics: [topic], ...given.filter },
  } as ConsumerSettings);
  const consumers = () => suite.client.consumers;
  const scene: Scene = {
    topic,
    consumer,
    settings,
    subscribe(changes = {}, client = consumers()) {
      const subscriber = new TestSubscriber(client, { consumer, settings, ...changes });
      subscribers.push(subscriber);
      return subscriber;
    },
    async refused(changes = {}, client = consumers()) {
      return refusalOf(
        scene
          .subscribe(changes, client)
          .end()
          .then((error) => (error === null ? null : Promise.reject(error))),
      );
    },
    fetch: (changes = {}) =>
      consumers().fetch(FetchRequest.fromPartial({ consumer, settings, ...changes } as FetchRequest)),
    push(n, changes = {}, from = 1) {
      const own = typeof changes === 'function' ? changes : () => changes;
      return pushNumbers(suite.client.events, n, (i) => ({ topic, ...own(i) }), from);
    },
    ack: (deliveries) => consumers().acknowledge({ consumer, acknowledgements: acknowledgements(deliveries) }),
    async reject(deliveries, how) {
      const request = RejectRequest.fromPartial({ consumer, rejections: acknowledgements(deliveries), ...how });
      return (await consumers().reject(request)).results.map(({ status }) => status);
    },
    async ackStatuses(items) {
      const { results } = await consumers().acknowledge({ consumer, acknowledgements: [...items] });
      return results.map(({ status }) => status);
    },
    async get() {
      const { consumer: found } = await consumers().getConsumer({ name: consumer });
      if (found === undefined) throw new Error('an answer without a consumer');
      return found;
    },
  };
  return scene;
}
