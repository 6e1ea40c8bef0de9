// The counting of the log as it goes on: in parts, with pauses, and by one instance at a time.

import { describe, expect, it } from 'vitest';
import { EventCounter } from '../../../../src/engine/statistics/event-counter.js';
import type { CountHold, CountStore } from '../../../../src/storage/ports/statistics-storage.js';
import { ManualClock, turns } from '../../../support/manual-clock.js';

/** A place in the log that is counted up to, which may be taken away, and may be out of reach. */
class CountedLog implements CountStore {
  position = 0;
  epoch = 0;
  owner = '';
  isUp = true;
  readonly parts: (readonly [after: number, upTo: number])[] = [];
  /** Whether the next part is counted and its answer lost. */
  losesAnswer = false;

  async acquire(owner: string) {
    this.#reach();
    if (this.owner !== '' && this.owner !== owner) return { position: this.position, hold: undefined };
    this.owner = owner;
    this.epoch += 1;
    return { position: this.position, hold: { owner, epoch: this.epoch } };
  }

  async renew(hold: CountHold) {
    this.#reach();
    return this.#isHeld(hold);
  }

  async release(hold: CountHold) {
    this.#reach();
    if (this.#isHeld(hold)) this.owner = '';
  }

  async releaseEnded() {}

  async tally(after: number, upTo: number) {
    this.#reach();
    return { tallies: [], at: upTo - after };
  }

  async add(hold: CountHold, after: number, { position }: { readonly position: number }) {
    this.#reach();
    if (!this.#isHeld(hold) || after !== this.position) return false;
    this.position = position;
    this.parts.push([after, position]);
    if (!this.losesAnswer) return true;
    this.losesAnswer = false;
    throw new Error('the answer is lost');
  }

  #isHeld({ owner, epoch }: CountHold): boolean {
    return this.owner === owner && this.epoch === epoch;
  }

  #reach(): void {
    if (!this.isUp) throw new Error('the database is away');
  }
}

class Scene {
  readonly clock = new ManualClock();
  readonly log = new CountedLog();
  readonly warnings: string[] = [];
  visible = 0;

  counter(instanceId = 'here'): EventCounter {
    const { clock, log: store } = this;
    const scene = this;
    const source = {
      clock,
      get visible() {
        return scene.visible;
      },
      waitBeyond: (position: number, signal: AbortSignal) =>
        new Promise<number>((resolve) => {
          const look = () => {
            if (scene.visible > position) resolve(position);
            else clock.after(10, look);
          };
          look();
          signal.addEventListener('abort', () => resolve(position));
        }),
    };
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (_: object, message: string) => this.warnings.push(message),
    };
    const counter = new EventCounter({ store, source, instanceId, clock, logger });
    counter.start();
    return counter;
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10) {
      await this.clock.advance(10);
      await turns();
    }
  }
}

describe('the counting of events', () => {
  it('takes an old log in parts, a few a second, and then what comes once a second', async () => {
    const scene = new Scene();
    scene.visible = 25_000;
    const counter = scene.counter();
    await scene.pass(500);
    expect(scene.log.parts).toEqual([
      [0, 10_000],
      [10_000, 20_000],
      [20_000, 25_000],
    ]);
    expect(counter.lag).toBe(0);
    for (let n = 0; n < 30; n += 1) {
      scene.visible += 1;
      await scene.pass(100);
    }
    expect(scene.log.position).toBeGreaterThan(25_000);
    expect(scene.log.parts.length).toBeLessThanOrEqual(3 + 4);
    await scene.pass(1_000);
    expect(scene.log.position).toBe(scene.visible);
  });

  it('is done by one instance, and by another one when that stops', async () => {
    const scene = new Scene();
    const first = scene.counter('first');
    await scene.pass(10);
    const second = scene.counter('second');
    scene.visible = 10;
    await scene.pass(6_000);
    expect(scene.log.owner).toBe('first');
    // The other one knows how far it is.
    expect(second.lag).toBe(0);
    await first.stop();
    scene.visible = 20;
    await scene.pass(6_000);
    expect(scene.log.owner).toBe('second');
    expect(scene.log.parts).toEqual([
      [0, 10],
      [10, 20],
    ]);
  });

  it('stops when its hold is lost, and asks for it again', async () => {
    const scene = new Scene();
    scene.counter();
    scene.visible = 5;
    await scene.pass(100);
    scene.log.owner = 'another';
    scene.visible = 9;
    await scene.pass(6_000);
    expect(scene.log.parts).toEqual([[0, 5]]);
    scene.log.owner = '';
    await scene.pass(6_000);
    expect(scene.log.parts).toEqual([
      [0, 5],
      [5, 9],
    ]);
  });

  it('counts nothing twice whose answer was lost, and says once that it fails', async () => {
    const scene = new Scene();
    scene.log.losesAnswer = true;
    scene.visible = 7;
    scene.counter();
    await scene.pass(2_500);
    expect(scene.log.parts).toEqual([[0, 7]]);
    scene.log.isUp = false;
    scene.visible = 8;
    await scene.pass(5_000);
    expect(scene.warnings).toEqual(['events are not counted at present']);
    scene.log.isUp = true;
    await scene.pass(2_000);
    expect(scene.log.parts).toEqual([
      [0, 7],
      [7, 8],
    ]);
  });
});
