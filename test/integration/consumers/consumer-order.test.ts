// The order that a consumer keeps, whatever the number of its members: of a stream, later events come again after one that failed,
// and no other stream waits; members come and go; work moves to who has credit; under NONE every event stands alone.

import { describe, expect, it } from 'vitest';
import {
  type ConsumerSettings,
  type Delivery,
  Ordering,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { numberOf, type TestSubscriber } from '../../support/consumers/consumer.js';
import { type Scene, useScenes } from '../../support/consumers/consumer-scene.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);

const COUNTS = [1, 2, 8];
const STREAMS = 8;
const ACK_TIMEOUT = { seconds: 3n, nanos: 0 };
const RETRY = { verdict: Verdict.VERDICT_RETRY, delay: ACK_TIMEOUT };

/** A consumer with so many members, and what they were given all together, in the order of its leases. */
class Members {
  readonly all: TestSubscriber[] = [];
  /** Leases that were looked at. */
  readonly #handled = new Set<bigint>();

  constructor(
    readonly scene: Scene,
    count: number,
    maxInFlight = 100,
  ) {
    for (let n = 1; n <= count; n += 1) this.join(`member ${n}`, maxInFlight);
  }

  join(member: string, maxInFlight = 100): TestSubscriber {
    const subscriber = this.scene.subscribe({ member, maxInFlight });
    this.all.push(subscriber);
    return subscriber;
  }

  async opened(): Promise<void> {
    await Promise.all(this.all.map((subscriber) => subscriber.opened()));
  }

  get deliveries(): Delivery[] {
    const all = this.all.flatMap(({ deliveries }) => deliveries);
    return all.sort((a, b) => (a.lease < b.lease ? -1 : 1));
  }

  async count(deliveries: number): Promise<Delivery[]> {
    await waitUntil(() => this.deliveries.length >= deliveries, {
      what: `${deliveries} deliveries; there are ${this.deliveries.map(labelOf)}`,
      timeoutMs: 20_000,
    });
    return this.deliveries;
  }

  /** Acknowledges whatever comes, until enough was seen. */
  async acknowledgeUntil(isEnough: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const work = async () => {
      const fresh = this.deliveries.filter(({ lease }) => !this.#handled.has(lease));
      for (const { lease } of fresh) this.#handled.add(lease);
      if (fresh.length > 0) await this.scene.ack(fresh);
      return isEnough();
    };
    await waitUntil(work, { what, timeoutMs: 20_000 });
  }

  /** How many events came. */
  get events(): number {
    return new Set(this.deliveries.map(numberOf)).size;
  }

  /** The member that has the delivery. */
  holderOf({ lease }: Delivery): number {
    return this.all.findIndex(({ deliveries }) => deliveries.some((delivery) => delivery.lease === lease));
  }
}

const streamOf = (n: number) => ({ stream: `stream ${n % STREAMS}` });
const isOf = (stream: string) => (delivery: Delivery) => delivery.event?.stream === stream;
const labelOf = (delivery: Delivery) => `${delivery.event?.stream} ${numberOf(delivery)}`;
const attemptsOf = (deliveries: readonly Delivery[]) => deliveries.map((d) => [numberOf(d), d.attempt]);

describe.each(COUNTS)('BY_STREAM with %i members', (count) => {
  it.each<[what: string, settings: Partial<ConsumerSettings>, fail: (one: Scene, delivery: Delivery) => unknown]>([
    ['timed out', { ackTimeout: ACK_TIMEOUT }, () => undefined],
    ['was rejected', {}, (one, delivery) => one.reject([delivery], RETRY)],
  ])('delivers the later events of a stream again after one that %s, and no other stream waits', async (...given) => {
    const [, settings, fail] = given;
    const one = scene(settings);
    const members = new Members(one, count);
    await members.opened();
    const isPoisoned = isOf('stream 1');
    await one.push(5 * STREAMS, streamOf);
    const first = (await members.count(5 * STREAMS)).filter(isPoisoned);
    expect(first.map(numberOf)).toEqual([1, 9, 17, 25, 33]);
    // All but the second event and what comes after it, of that stream.
    await one.ack(members.deliveries.filter((delivery) => !isPoisoned(delivery) || numberOf(delivery) === 1));
    await fail(one, first[1] as Delivery);
    // Meanwhile the others go on: what is pushed now comes before what has to wait.
    await one.push(STREAMS - 1, (n) => streamOf(n - 101 + 2), 101);
    const meanwhile = (await members.count(6 * STREAMS - 1)).slice(5 * STREAMS);
    expect(meanwhile.some(isPoisoned)).toBe(false);
    await one.ack(meanwhile);
    const again = (await members.count(6 * STREAMS - 1 + 4)).slice(6 * STREAMS - 1);
    expect(attemptsOf(again)).toEqual([
      [9, 2],
      [17, 1],
      [25, 1],
      [33, 1],
    ]);
    expect(new Set(again.map((delivery) => members.holderOf(delivery))).size).toBe(1);
    await one.ack(again);
    expect((await one.get()).pending).toBe(0n);
  });

  it('keeps a stream with one member, however many come and go', async () => {
    const one = scene({ ackTimeout: ACK_TIMEOUT });
    const members = new Members(one, count, 3);
    const pushed = one.push(200, streamOf);
    for (let turn = 1; turn <= 6; turn += 1) {
      await members.acknowledgeUntil(() => members.events >= 15 * turn, `${15 * turn} events`);
      const leaving = members.all[turn - 1] as TestSubscriber;
      members.join(`late ${turn}`, 1 + turn);
      await leaving.cancel();
    }
    await pushed;
    await members.acknowledgeUntil(async () => (await one.get()).pending === 0n, 'nothing is pending');
    expect(members.events).toBe(200);
    // The first time that each event came, by stream: in order.
    const firsts = new Map<unknown, Set<number>>();
    for (const delivery of members.deliveries) {
      const { stream } = delivery.event ?? {};
      firsts.set(stream, (firsts.get(stream) ?? new Set()).add(Number(numberOf(delivery))));
    }
    for (const [stream, numbers] of firsts)
      expect([...numbers], String(stream)).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('moves work to who has credit', async () => {
    const one = scene();
    // They take what they may have, one stream each, and do nothing with it.
    const members = new Members(one, count, 1);
    await members.opened();
    await one.push(3 * 20, (n) => ({ stream: `stream ${n % 20}` }));
    const held = new Set((await members.count(count)).map(({ event }) => event?.stream));
    expect(held.size).toBe(count);
    const fresh = members.join('fresh');
    const moved = await fresh.first(3 * (20 - count));
    expect(moved.some(({ event }) => held.has(event?.stream))).toBe(false);
    expect(members.deliveries).toHaveLength(count + moved.length);
    await members.acknowledgeUntil(() => members.events === 3 * 20, 'every event');
  });
});

describe.each(COUNTS)('NONE with %i members', (count) => {
  it('delivers the one that timed out again, alone', async () => {
    const one = scene({ ackTimeout: ACK_TIMEOUT, ordering: Ordering.ORDERING_NONE });
    const members = new Members(one, count);
    await members.opened();
    await one.push(40, () => ({ stream: 'one and the same' }));
    const first = await members.count(40);
    if (count > 1) expect(new Set(first.map((delivery) => members.holderOf(delivery))).size).toBe(count);
    await one.ack(first.filter((delivery) => numberOf(delivery) !== 7));
    const again = (await members.count(41)).slice(40);
    expect(attemptsOf(again)).toEqual([[7, 2]]);
    if (count > 1) expect(members.holderOf(again[0] as Delivery)).not.toBe(members.holderOf(first[6] as Delivery));
    await one.ack(again);
    expect((await one.get()).pending).toBe(0n);
    expect(members.deliveries).toHaveLength(41);
  });

  it('gives events of a stream to whoever has credit, while others of it are in other hands', async () => {
    const one = scene({ ordering: Ordering.ORDERING_NONE });
    const members = new Members(one, count, 2);
    await members.opened();
    await one.push(2 * count + 6, () => ({ stream: 'one and the same' }));
    await members.count(2 * count);
    const fresh = members.join('fresh');
    expect((await fresh.first(6)).map(numberOf)).toEqual(Array.from({ length: 6 }, (_, n) => 2 * count + 1 + n));
  });
});
