// What a member answers to what it was given: the right thing, a part of it, something from before, or something made up.

import type { RandomChoices } from '../random.js';
import type { TestClient } from '../server/server.js';
import type { SeenDelivery } from './operation-log.js';
import type { Asked, RecordedConsumer } from './recorded-consumer.js';

export class RandomAnswers {
  readonly #consumer: RecordedConsumer;
  readonly #random: RandomChoices;

  constructor(consumer: RecordedConsumer, random: RandomChoices) {
    this.#consumer = consumer;
    this.#random = random;
  }

  /** Acknowledges the deliveries, in one of several ways. */
  async all(client: TestClient, deliveries: readonly SeenDelivery[]): Promise<void> {
    const random = this.#random;
    const items = deliveries.map(asked);
    const way = random.weighted({ together: 6, apart: 2, upTo: 2, twice: 1, withOdd: 3, rejecting: 4, extending: 1 });
    if (way === 'together') await this.#send(client, items);
    else if (way === 'apart') await Promise.all(random.some(items, 1).map((item) => this.#send(client, [item])));
    else if (way === 'upTo') await this.#upTo(client, deliveries);
    else if (way === 'rejecting') await this.#reject(client, deliveries);
    else if (way === 'extending') await this.#extend(client, deliveries);
    else if (way === 'twice') await Promise.all([this.#send(client, items), this.#send(client, items)]);
    else await this.#send(client, random.some([...items, ...this.#odd(deliveries)], 1));
  }

  /** Acknowledges some of the deliveries, in any order. */
  async some(client: TestClient, deliveries: readonly SeenDelivery[]): Promise<void> {
    const chosen = this.#random.some(deliveries, 0.6).map(asked);
    await this.#send(client, chosen);
  }

  /** Answers for what is of before, of another event, or of nobody. */
  async odd(client: TestClient): Promise<void> {
    const items = this.#odd(this.#consumer.record.deliveries.slice(-40));
    if (items.length === 0) return;
    const kind = this.#random.weighted({ acknowledge: 6, retry: 1, park: 1, skip: 1, extend: 1 });
    if (kind === 'acknowledge') await this.#send(client, items);
    else if (kind === 'extend') await this.#consumer.extend(client, items, this.#random.between(1, 900));
    else await this.#consumer.reject(client, items, kind, 0);
  }

  /** Rejects a few of the deliveries, and acknowledges the others before, after or at the same time. */
  async #reject(client: TestClient, deliveries: readonly SeenDelivery[]): Promise<void> {
    const random = this.#random;
    const rejected = random.some(deliveries, 0.3);
    const others = deliveries.filter((delivery) => !rejected.includes(delivery)).map(asked);
    const kind = random.weighted({ retry: 5, park: 2, skip: 2 });
    const delayMs = random.chance(0.5) ? 0 : random.between(1, 600);
    const reject = async () => {
      if (rejected.length > 0) await this.#consumer.reject(client, rejected.map(asked), kind, delayMs);
    };
    const order = random.weighted({ before: 1, after: 1, together: 1 });
    if (order === 'before') await this.#send(client, others);
    if (order === 'together') await Promise.all([reject(), this.#send(client, others)]);
    else await reject();
    if (order === 'after') await this.#send(client, others);
  }

  /** Asks for a little more time first, for some of the deliveries or for all that the member has. */
  async #extend(client: TestClient, deliveries: readonly SeenDelivery[]): Promise<void> {
    const random = this.#random;
    const chosen = random.some(deliveries, 0.5).map(asked);
    const extensionMs = random.between(1, 900);
    const member = deliveries[0]?.call.member ?? '';
    if (chosen.length === 0) await this.#consumer.extendAll(client, member, extensionMs);
    else await this.#consumer.extend(client, chosen, extensionMs);
    await this.#send(client, random.some(deliveries, 0.8).map(asked));
  }

  async #upTo(client: TestClient, deliveries: readonly SeenDelivery[]): Promise<void> {
    const last = deliveries.at(-1);
    if (last === undefined) return;
    const position = Math.max(...deliveries.map(({ event }) => event.position));
    await this.#consumer.acknowledge(client, [], { position, member: last.call.member });
  }

  #odd(deliveries: readonly SeenDelivery[]): Asked[] {
    const random = this.#random;
    const former = random.of(this.#consumer.record.deliveries);
    const one = random.of(deliveries);
    const other = random.of(deliveries);
    if (former === undefined || one === undefined || other === undefined) return [];
    const kind = random.weighted({ former: 4, mistyped: 1, ofAnother: 1, withoutLease: 1 });
    if (kind === 'former') return [asked(former)];
    if (kind === 'mistyped') return [{ ...asked(former), lease: former.lease ^ 1n }];
    if (kind === 'withoutLease') return [{ ...asked(former), lease: 0n }];
    return [{ position: one.event.position, lease: other.lease }];
  }

  async #send(client: TestClient, items: readonly Asked[]): Promise<void> {
    if (items.length > 0) await this.#consumer.acknowledge(client, items);
  }
}

function asked({ event, lease }: SeenDelivery): Asked {
  return { position: event.position, lease };
}
