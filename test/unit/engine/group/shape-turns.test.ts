// How many shapes one caller makes while others want some: counted in units that wait for a group, and in those before one's own.

import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { type Shape, shapeOf } from '../../../../src/domain/descriptions/shape.js';
import type { OutcomeOf, UnitOutcome } from '../../../../src/domain/group/group-outcomes.js';
import { planGroup } from '../../../../src/domain/group/group-plan.js';
import type { GroupUnit } from '../../../../src/domain/group/group-plan-types.js';
import { ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';
import { ShapeIndex } from '../../../../src/engine/group/shape-index.js';
import { SystemClock, type Timer } from '../../../../src/lib/clock.js';
import { FairGate } from '../../../../src/lib/fair-gate.js';
import { LoopSlices } from '../../../../src/lib/loop-slices.js';

const turn = () => new Promise<void>((done) => setImmediate(done));
const SHAPE = shapeOf([['a']]);

/** A clock on which nothing is over until the test says so. */
class StandingClock extends SystemClock {
  readonly #due = new Set<() => void>();

  override after(_delayMs: number, work: () => void): Timer {
    this.#due.add(work);
    const timer = { stop: () => void this.#due.delete(work), unref: () => timer };
    return timer;
  }

  ring(): void {
    for (const work of this.#due) work();
  }
}

interface Submitted {
  readonly unit: GroupUnit;
  readonly resolve: (outcome: UnitOutcome) => void;
}

/** An index of shapes whose units are committed when the test says so. */
class Scene {
  readonly clock = new StandingClock();
  /** Units that wait for a group. */
  readonly waiting: Submitted[] = [];
  most = 0;
  /** What was committed, in order: the topic of a watch unit, the id of a shape that is ready. */
  readonly committed: (string | number)[] = [];
  readonly catalog = new ShapeCatalogCache({
    store: { load: async () => ShapeCatalog.of(0, []) },
    durableReads: { durable: (read) => read() },
  });
  readonly #index = new ShapeIndex({
    store: { index: async () => true, positionBefore: async () => 0 },
    catalog: this.catalog,
    groupCommit: { submit: (unit) => this.#submit(unit) },
    release: { makeRoom: async () => {} },
    uses: { note() {}, idle: async () => {} },
    // Of topics without a past nothing is read.
    log: { readPage: () => Promise.reject(new Error('read')), positionAt: async () => 0 },
    pages: new FairGate(1),
    slices: new LoopSlices(),
    clock: this.clock,
    logger: pino({ level: 'silent' }),
  });

  ensure(caller: string, topic: string, shape: Shape = SHAPE, signal?: AbortSignal): Promise<void> {
    return this.#index.ensure({ context: 'default', topic }, shape, { caller, signal });
  }

  /** Each of so many topics of a caller wants a shape. */
  flood(caller: string, count: number): Promise<unknown> {
    return Promise.all(Array.from({ length: count }, (_, n) => this.ensure(caller, `${caller} ${n}`)));
  }

  /** Commits what waits, and what comes meanwhile, until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    while (!isSettled) {
      this.#commitNext();
      await turn();
    }
    return promise;
  }

  #commitNext(): void {
    const next = this.waiting.shift();
    if (next === undefined) return;
    const { unit } = next;
    const { current } = this.catalog;
    const head = { position: 0, nextEventId: 1, createdAt: 1, nextShapeId: current.version + 1 };
    const locked = { head, now: 1, streams: new Map(), pushed: undefined, waits: undefined };
    const { writes, outcomes } = planGroup(locked, [unit], current);
    if (unit.kind === 'watch') this.committed.push(unit.topic);
    if (unit.kind === 'ready') this.committed.push(unit.shapeId);
    if (writes.waits?.catalog !== undefined) this.catalog.committed(current, writes.waits.catalog);
    next.resolve(outcomes[0] as UnitOutcome);
  }

  #submit<U extends GroupUnit>(unit: U): Promise<OutcomeOf<U>> {
    return new Promise((resolve) => {
      this.waiting.push({ unit, resolve: resolve as Submitted['resolve'] });
      this.most = Math.max(this.most, this.waiting.length);
    });
  }
}

describe('beside a caller that wants shapes without end', () => {
  it('no more than two units wait for a group', async () => {
    const scene = new Scene();
    await scene.until(scene.flood('many', 100));
    expect(scene.most).toBe(2);
    expect(scene.committed).toHaveLength(200);
  });

  it('another one gets its own after a few turns', async () => {
    const scene = new Scene();
    const flooded = scene.flood('many', 100);
    await scene.until(scene.ensure('few', 'mine'));
    // Two units waited before; then each of the three lines has a turn, once for its watch unit, once for that which is ready.
    expect(scene.committed.length).toBeLessThanOrEqual(8);
    await scene.until(flooded);
  });

  it('another one gets the same shape as early, and it is made once', async () => {
    const scene = new Scene();
    const flooded = scene.flood('many', 100);
    await scene.until(scene.ensure('few', 'many 99'));
    expect(scene.committed.length).toBeLessThanOrEqual(8);
    await scene.until(flooded);
    expect(scene.committed.filter((one) => one === 'many 99')).toHaveLength(1);
    expect(scene.committed).toHaveLength(200);
  });

  it('what is being made is waited for by all', async () => {
    const scene = new Scene();
    const made = Array.from({ length: 10 }, (_, n) => scene.ensure(`caller ${n}`, 'shared'));
    await scene.until(Promise.all(made));
    expect(scene.committed).toEqual(['shared', 1]);
  });
});

describe('whoever gives up while it waits for a turn', () => {
  it('leaves its place: nothing is made for it', async () => {
    const scene = new Scene();
    const leaving = Array.from({ length: 50 }, () => new AbortController());
    const first = [scene.ensure('a', 'one'), scene.ensure('a', 'two')];
    const left = leaving.map(({ signal }, n) => scene.ensure('a', `left ${n}`, SHAPE, signal));
    const refused = Promise.allSettled(left);
    await turn();
    for (const one of leaving) one.abort(new Error('gone'));
    expect((await refused).every(({ status }) => status === 'rejected')).toBe(true);
    await scene.until(Promise.all([...first, scene.ensure('a', 'three')]));
    expect(scene.committed.filter((one) => typeof one === 'string')).toEqual(['one', 'two', 'three']);
  });

  it('after its patience is told that others are first', async () => {
    const scene = new Scene();
    const waits = Array.from({ length: 3 }, (_, n) => scene.ensure('a', `topic ${n}`).catch(({ message }) => message));
    await turn();
    scene.clock.ring();
    const [one, other, last] = await Promise.all(waits);
    expect([one, other]).toEqual(Array(2).fill(expect.stringContaining('still being indexed')));
    expect(last).toContain('not being indexed for this description yet');
    await turn();
    expect(scene.waiting).toHaveLength(2);
  });
});
