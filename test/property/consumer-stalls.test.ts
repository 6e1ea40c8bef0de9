// Random lives of a consumer whose wake-ups and reads are lost now and then: whatever is lost, everything is delivered in the end, in the
// order of each stream. Without losses it never counts as standing still.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ordering } from '../../src/domain/consumers/consumer.js';
import { EngineScene, type SceneMember } from '../support/consumers/engine-scene.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';

type Command =
  | { readonly do: 'push'; readonly count: number; readonly streams: number; readonly bytes: number }
  | { readonly do: 'join'; readonly maxInFlight: number; readonly maxInFlightBytes: number }
  | { readonly do: 'fetch'; readonly limit: number; readonly waitMs: number }
  | { readonly do: 'ack'; readonly share: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'slow'; readonly ms: number }
  | { readonly do: 'lose wakes' | 'lose reads' };

const command = (lossy: boolean): fc.Arbitrary<Command> =>
  fc.oneof(
    fc.record({
      do: fc.constant('push' as const),
      count: fc.integer({ min: 1, max: 40 }),
      streams: fc.integer({ min: 0, max: 4 }),
      bytes: fc.constantFrom(10, 2_000),
    }),
    fc.record({
      do: fc.constant('join' as const),
      maxInFlight: fc.integer({ min: 1, max: 20 }),
      maxInFlightBytes: fc.constantFrom(1_024, 5_000, 1_000_000),
    }),
    fc.record({
      do: fc.constant('fetch' as const),
      limit: fc.integer({ min: 1, max: 10 }),
      waitMs: fc.constantFrom(0, 5_000, 60_000),
    }),
    fc.record({ do: fc.constant('ack' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({ do: fc.constant('slow' as const), ms: fc.constantFrom(0, 100, 8_000) }),
    ...(lossy ? [fc.record({ do: fc.constantFrom('lose wakes' as const, 'lose reads' as const) })] : []),
  );

class Life {
  readonly scene: EngineScene;
  readonly members: SceneMember[] = [];

  constructor(ordering: Ordering) {
    this.scene = new EngineScene({ ordering, ackTimeoutMs: 45_000 });
  }

  async run(commands: readonly Command[]): Promise<void> {
    await this.#join(10, 1_000_000);
    for (const one of commands) await this.#do(one);
    this.scene.source.readMs = 0;
    this.scene.source.wakesToLose = 0;
    this.scene.source.readsToHang = 0;
  }

  /**
   * Acknowledges all that comes, until nothing is left; longer than any loss may take to be found. A narrow member gets one event after
   * the other.
   */
  async finish(): Promise<void> {
    for (let n = 0; n < 60 + this.scene.head && (await this.#isBehind()); n += 1) {
      await this.scene.clock.advance(30_000);
      await this.#ack(1);
    }
  }

  async #isBehind(): Promise<boolean> {
    return (await this.scene.view('mailer')).offset < this.scene.head;
  }

  async #do(one: Command): Promise<void> {
    const { scene } = this;
    switch (one.do) {
      case 'push':
        return scene.push(one.count, (n) => (one.streams === 0 ? '' : `s${n % one.streams}`), one.bytes);
      case 'join':
        return this.#join(one.maxInFlight, one.maxInFlightBytes);
      case 'fetch':
        this.members.push(scene.fetch('mailer', one.limit, one.waitMs));
        return scene.clock.advance(0);
      case 'ack':
        return this.#ack(one.share);
      case 'wait':
        return scene.clock.advance(one.ms);
      case 'slow':
        scene.source.readMs = one.ms;
        return undefined;
      case 'lose wakes':
        scene.source.wakesToLose = 1;
        return undefined;
      case 'lose reads':
        scene.source.readsToHang = 1;
        return undefined;
    }
  }

  async #join(maxInFlight: number, maxInFlightBytes: number): Promise<void> {
    const name = `member-${this.members.length}`;
    this.members.push(await this.scene.subscribe('mailer', name, { maxInFlight, maxInFlightBytes }));
  }

  async #ack(share: number): Promise<void> {
    for (const { deliveries } of this.members) {
      await this.scene.acknowledge('mailer', deliveries.slice(0, Math.ceil(deliveries.length * share)));
    }
    await this.scene.clock.advance(0);
  }
}

const lives = (lossy: boolean) =>
  fc.tuple(
    fc.constantFrom(Ordering.BY_STREAM, Ordering.NONE),
    fc.array(command(lossy), { minLength: 1, maxLength: 30 }),
  );

describe('a consumer that loses wake-ups and reads', () => {
  it(
    'is sent on its way: everything is delivered and acknowledged in the end',
    async () => {
      await fc.assert(
        fc.asyncProperty(lives(true), async ([ordering, commands]) => {
          const life = new Life(ordering);
          await life.run(commands);
          await life.finish();
          expect((await life.scene.view('mailer')).offset).toBe(life.scene.head);
          const delivered = new Set(life.members.flatMap(({ positions }) => positions));
          expect(delivered.size).toBe(life.scene.head);
        }),
        propertyParameters(60),
      );
    },
    PROPERTY_TIMEOUT_MS,
  );

  it(
    'never stands still when nothing is lost',
    async () => {
      await fc.assert(
        fc.asyncProperty(lives(false), async ([ordering, commands]) => {
          const life = new Life(ordering);
          await life.run(commands);
          await life.finish();
          expect((await life.scene.view('mailer')).offset).toBe(life.scene.head);
          expect(await life.scene.stalls()).toEqual({ prodded: 0, begun_anew: 0 });
        }),
        propertyParameters(60),
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});
