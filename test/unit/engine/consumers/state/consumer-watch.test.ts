// The rows of the table of states in consumer-watch.ts, and how much the watch asks of those that are well.

import { describe, expect, it } from 'vitest';
import {
  ANSWER_MS,
  ConsumerWatch,
  STALL_MS,
  type WatchedConsumer,
} from '../../../../../src/engine/consumers/state/consumer-watch.js';
import { Metrics } from '../../../../../src/telemetry.js';
import { ManualClock } from '../../../../support/manual-clock.js';

const LOOK_MS = 1_000;

/** A consumer whose answers the test sets, and that counts what it is asked. */
class Watched implements WatchedConsumer {
  readonly key = { context: 'default', name: 'mailer' };
  isWaiting = false;
  isQueued = false;
  isEmptyHanded = true;
  goesOn = true;
  done = 0;
  asked = 0;
  readonly calls: string[] = [];
  #can: boolean;

  constructor(can = true) {
    this.#can = can;
  }

  set can(can: boolean) {
    this.#can = can;
  }

  get canGoOn(): boolean {
    this.asked += 1;
    return this.#can;
  }

  get steps(): number {
    this.asked += 1;
    return this.done;
  }

  prod(): boolean {
    this.calls.push('prod');
    if (this.goesOn) this.done += 1;
    return this.goesOn;
  }

  beginAnew(): void {
    this.calls.push('begin anew');
    this.done += 1;
  }

  describe(): object {
    return { head: 7 };
  }
}

function scene(...consumers: Watched[]) {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const told: object[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => told.push(fields) };
  const watch = new ConsumerWatch({ clock, metrics, logger });
  const look = (ms: number) => {
    for (let left = ms; left > 0; left -= LOOK_MS) {
      watch.look(consumers);
      clock.leap(LOOK_MS);
    }
  };
  const stalls = async () => {
    const { values } = await metrics.consumerStalls.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.mended, value]));
  };
  return { clock, watch, look, told, stalls };
}

describe('the watch over consumers', () => {
  it('asks one thing of each consumer that has nothing to do, and keeps nothing of it', async () => {
    const idle = Array.from({ length: 10_000 }, () => new Watched(false));
    const { watch, look, stalls } = scene(...idle);
    look(20 * LOOK_MS);
    expect(idle.every(({ asked }) => asked === 20)).toBe(true);
    expect(watch.suspects).toBe(0);
    expect(await stalls()).toEqual({ prodded: 0, begun_anew: 0 });
  });

  it('leaves those alone that do anything now and then', async () => {
    const busy = new Watched();
    const { watch, look, stalls } = scene(busy);
    for (let n = 0; n < 100; n += 1) {
      look(STALL_MS - 2 * LOOK_MS);
      busy.done += 1;
    }
    expect(watch.suspects).toBe(1);
    expect(busy.calls).toEqual([]);
    expect(await stalls()).toEqual({ prodded: 0, begun_anew: 0 });
  });

  it('prods one that did nothing for so long; that it goes on then is a stall', async () => {
    const consumer = new Watched();
    const { look, told, stalls } = scene(consumer);
    look(STALL_MS);
    expect(consumer.calls).toEqual([]);
    look(LOOK_MS);
    expect(consumer.calls).toEqual(['prod']);
    const standing = { standsMs: STALL_MS, waitsForDatabase: false, mended: 'prodded', head: 7 };
    expect(told).toEqual([{ context: 'default', consumer: 'mailer', ...standing }]);
    expect(await stalls()).toEqual({ prodded: 1, begun_anew: 0 });
  });

  it('begins one anew that does nothing when it is prodded, if all of its credit is free', async () => {
    const consumer = new Watched();
    consumer.goesOn = false;
    const { look, stalls } = scene(consumer);
    look(STALL_MS + LOOK_MS);
    expect(consumer.calls).toEqual(['prod', 'begin anew']);
    expect(await stalls()).toEqual({ prodded: 0, begun_anew: 1 });
    // Ever more seldom, as long as it does not go on: 20 s, 40 s …
    look(STALL_MS);
    expect(consumer.calls).toHaveLength(2);
    look(STALL_MS + LOOK_MS);
    expect(consumer.calls).toHaveLength(4);
    look(3 * STALL_MS);
    expect(consumer.calls).toHaveLength(4);
  });

  it('takes one for well that does nothing when it is prodded while something is in flight: nothing fits', async () => {
    const consumer = new Watched();
    consumer.goesOn = false;
    consumer.isEmptyHanded = false;
    const { look, told, stalls } = scene(consumer);
    look(10 * STALL_MS);
    expect(new Set(consumer.calls)).toEqual(new Set(['prod']));
    expect(told).toEqual([]);
    expect(await stalls()).toEqual({ prodded: 0, begun_anew: 0 });
  });

  it('begins one anew that waits for one answer for too long, but not for its turn', async () => {
    const consumer = new Watched();
    consumer.isWaiting = true;
    consumer.isQueued = true;
    const { look, stalls, told } = scene(consumer);
    look(2 * ANSWER_MS);
    expect(consumer.calls).toEqual([]);
    consumer.isQueued = false;
    look(LOOK_MS);
    expect(consumer.calls).toEqual(['begin anew']);
    expect(told).toMatchObject([{ waitsForDatabase: true, mended: 'begun_anew' }]);
    expect(await stalls()).toEqual({ prodded: 0, begun_anew: 1 });
  });

  it('begins to count anew when something held it up meanwhile', () => {
    const consumer = new Watched();
    const { look } = scene(consumer);
    look(STALL_MS);
    consumer.can = false;
    look(LOOK_MS);
    consumer.can = true;
    look(STALL_MS);
    expect(consumer.calls).toEqual([]);
    look(LOOK_MS);
    expect(consumer.calls).toEqual(['prod']);
  });

  it('does not count the time in which the process stood still', () => {
    const consumer = new Watched();
    const { clock, look } = scene(consumer);
    look(LOOK_MS);
    clock.leap(3_600_000);
    look(LOOK_MS);
    expect(consumer.calls).toEqual([]);
  });
});
