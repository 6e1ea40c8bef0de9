// Members that come, forget to acknowledge, die and are replaced, in random order: nothing is lost, streams keep their order.

import { describe, expect, it } from 'vitest';
import type { ConsumerSettings, Delivery } from '../../../generated/madeleine/v1/consumer_service.js';
import { Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import { numberOf, type TestSubscriber } from '../../support/consumers/consumer.js';
import { type Scene, useScenes } from '../../support/consumers/consumer-scene.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer({ tailBytes: String(1024 * 1024) });
const scene = useScenes(suite);

const EVENTS = 600;
const STREAMS = 12;

/** Numbers in [0, 1) that depend on the seed alone. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** A member that acknowledges some of what it gets, in random order, and forgets the rest. */
class Member {
  readonly subscriber: TestSubscriber;
  #seen = 0;

  constructor(
    readonly scene: Scene,
    readonly random: () => number,
    name: string,
  ) {
    this.subscriber = scene.subscribe({ member: name, maxInFlight: 1 + Math.floor(random() * 40) });
  }

  async work(): Promise<void> {
    const fresh = this.subscriber.deliveries.slice(this.#seen);
    this.#seen += fresh.length;
    const done = fresh.filter(() => this.random() > 0.05);
    const [now, later] = [done.filter(() => this.random() < 0.5), done];
    for (const part of [now, later]) if (part.length > 0) await this.scene.ack(part);
  }
}

async function run(settings: Partial<ConsumerSettings>, seed: number): Promise<Delivery[][]> {
  const random = randomOf(seed);
  const one = scene({ ...settings, ackTimeout: { seconds: 1n, nanos: 0 } });
  const members: Member[] = [];
  const all: TestSubscriber[] = [];
  const pushed = one.push(EVENTS, (n) => (n % 7 === 0 ? {} : { stream: `random-${seed}-${n % STREAMS}` }));
  const join = () => {
    const name = `m${Math.floor(random() * 4)}`;
    const member = new Member(one, random, name);
    all.push(member.subscriber);
    for (const former of members.splice(0)) if (former.subscriber.ended === undefined) members.push(former);
    members.push(member);
  };
  join();
  await Promise.all([pushed, all[0]?.opened()]);
  const deadline = performance.now() + 25_000;
  for (let turn = 0; (await one.get()).pending > 0n; turn += 1) {
    if (performance.now() > deadline)
      throw new Error(`seed ${seed}: stuck with ${JSON.stringify(await one.get(), text)}`);
    if (turn % 3 === 0 && members.length < 5 && turn < 60) join();
    if (turn < 60 && random() < 0.15)
      await members.splice(Math.floor(random() * members.length), 1)[0]?.subscriber.cancel();
    if (members.length === 0) join();
    const live = members.filter(({ subscriber }) => subscriber.ended === undefined);
    if (live.length === 0) join();
    await Promise.all(live.map((member) => member.work()));
  }
  return all.map(({ deliveries }) => deliveries);
}

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

describe('a consumer with members that come and go', () => {
  it.each([1, 2, 3])('acknowledges every event in the end, by stream (seed %i)', async (seed) => {
    const delivered = await run({}, seed);
    const numbers = new Set(delivered.flat().map(numberOf));
    expect(numbers.size).toBe(EVENTS);
    for (const deliveries of delivered) {
      // A member sees a stream in order; going back is allowed only to redeliver.
      const newest = new Map<string, number>();
      for (const delivery of deliveries) {
        const stream = delivery.event?.stream ?? '';
        const sequence = Number(delivery.event?.sequence ?? 0n);
        if (stream === '') continue;
        const before = newest.get(stream);
        if (before !== undefined && sequence > before + 1) {
          // It may have missed what another member did meanwhile, never what nobody was given.
          expect(
            delivered.flat().some((d) => d.event?.stream === stream && d.event.sequence === BigInt(sequence - 1)),
          ).toBe(true);
        }
        newest.set(stream, Math.max(before ?? 0, sequence));
      }
    }
  });

  it.each([4, 5])('acknowledges every event in the end, without order (seed %i)', async (seed) => {
    const delivered = await run({ ordering: Ordering.ORDERING_NONE }, seed);
    expect(new Set(delivered.flat().map(numberOf)).size).toBe(EVENTS);
  });

  it('leaves nothing behind on the server', async () => {
    await waitUntil(
      async () => {
        const { consumers } = await suite.client.consumers.listConsumers({});
        return consumers.every(({ members }) => members.length === 0);
      },
      { what: 'no members left' },
    );
  });
});
