// New calls are begun in turns of the event loop: how many in one, in which order, and what becomes of those who gave up. Counted in
// turns, on a clock that only the calls move.

import { EventEmitter } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import { CallTurns, IN_TURN } from '../../../src/grpc/server/call-turns.js';
import type { Clock, Timer } from '../../../src/lib/clock.js';
import type { Millis } from '../../../src/units.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

class Moved implements Clock {
  atMs: Millis = 0;
  monotonicMs = () => this.atMs;
  nowMs = () => this.atMs;
  after(): Timer {
    throw new Error('not asked for');
  }
  every(): Timer {
    throw new Error('not asked for');
  }
}

class Stream extends EventEmitter {
  readonly name: string;
  closed = false;
  readableEnded = false;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

interface Begun {
  readonly name: string;
  readonly turn: number;
}

const scenes: Scene[] = [];
afterEach(() => {
  for (const scene of scenes.splice(0)) scene.end();
});

/** Calls that take so many milliseconds each: when they are begun, and, by ticks and promises, right after. */
class Scene {
  readonly begun: Begun[] = [];
  readonly #clock = new Moved();
  readonly #turns: CallTurns<Stream>;
  #turn = 0;
  #counting: NodeJS.Immediate;

  constructor(callMs: Millis) {
    this.#turns = new CallTurns(this.#clock, ({ name }) => {
      this.begun.push({ name, turn: this.#turn });
      process.nextTick(() => Promise.resolve().then(() => this.#pass(callMs)));
    });
    this.#counting = setImmediate(() => this.#count());
    scenes.push(this);
  }

  get turn(): number {
    return this.#turn;
  }

  get names(): string[] {
    return this.begun.map(({ name }) => name);
  }

  /** Calls that were begun, turn by turn. */
  get byTurn(): number[] {
    const counts = new Map<number, number>();
    for (const { turn } of this.begun) counts.set(turn, (counts.get(turn) ?? 0) + 1);
    return [...counts.values()];
  }

  call(caller: string, number = 0): Stream {
    const stream = new Stream(`${caller} ${number}`);
    this.#turns.take(caller, stream, {}, 0, []);
    return stream;
  }

  /** As Node tells of calls that it read together: what one does by ticks and promises is done before the next one comes. */
  async calls(caller: string, count: number): Promise<Stream[]> {
    const streams: Stream[] = [];
    for (let number = 0; number < count; number += 1) {
      streams.push(this.call(caller, number));
      await new Promise<void>((resolve) => process.nextTick(() => process.nextTick(resolve)));
    }
    return streams;
  }

  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) await nextTurn();
  }

  end(): void {
    clearImmediate(this.#counting);
  }

  #pass(ms: Millis): void {
    this.#clock.atMs += ms;
  }

  #count(): void {
    this.#turn += 1;
    this.#counting = setImmediate(() => this.#count());
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const immediates = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length;

describe('a turn', () => {
  it.each([
    ['as a millisecond holds', 0.15, 7],
    ['as there are at least, however long they take', 25, IN_TURN.least],
    ['as there may be, however little they take', 0, IN_TURN.most],
  ])('begins as many calls %s, the first ones at once', async (_, callMs, inTurn) => {
    const scene = new Scene(callMs);
    await scene.calls('one', 4 * inTurn);
    expect(scene.begun).toHaveLength(inTurn);
    await scene.until(() => scene.begun.length === 4 * inTurn);
    expect(scene.byTurn).toEqual([inTurn, inTurn, inTurn, inTurn]);
  });

  it('begins calls at once again when none waits any more', async () => {
    const scene = new Scene(0.4);
    await scene.calls('one', 10);
    await scene.until(() => scene.begun.length === 10);
    await nextTurn();
    await scene.calls('one', IN_TURN.least);
    expect(scene.begun).toHaveLength(10 + IN_TURN.least);
  });

  it('leaves nothing behind when all have begun', async () => {
    const scene = new Scene(0.4);
    scene.end();
    await scene.calls('one', 100);
    await scene.until(() => scene.begun.length === 100);
    await nextTurn();
    await nextTurn();
    expect(immediates()).toBe(0);
  });
});

describe('callers', () => {
  it('take turns: a call is begun as the second of those who wait, whatever others have brought', async () => {
    const scene = new Scene(25);
    await scene.calls('many', 500);
    scene.call('few');
    const { turn } = scene;
    await scene.until(() => scene.names.includes('few 0'));
    expect(scene.names.indexOf('few 0')).toBe(IN_TURN.least + 1);
    // A turn ends, and the next one begins it.
    expect((scene.begun.at(-1)?.turn ?? 0) - turn).toBeLessThanOrEqual(2);
  });

  it('get theirs in the order in which they came', async () => {
    const scene = new Scene(0.1);
    await scene.calls('many', 200);
    await scene.until(() => scene.begun.length === 200);
    expect(scene.names).toEqual(Array.from({ length: 200 }, (_, n) => `many ${n}`));
  });
});

describe('a call that waits', () => {
  it('is told once that its request has ended, if nobody listened then', async () => {
    const scene = new Scene(25);
    const streams = (await scene.calls('one', IN_TURN.least + 2)).slice(-3);
    const told: string[] = [];
    for (const stream of streams) stream.on('end', () => told.push(stream.name));
    for (const stream of streams.slice(0, -1)) stream.readableEnded = true;
    await scene.until(() => scene.begun.length === IN_TURN.least + 2);
    expect(told).toEqual([`one ${IN_TURN.least}`]);
  });

  it('may end with an error while nobody else listens', async () => {
    const scene = new Scene(25);
    const waiting = (await scene.calls('many', IN_TURN.least + 1)).at(-1);
    expect(() => waiting?.emit('error', new Error('the connection ended'))).not.toThrow();
  });
});

describe('a call that is over before it is begun', () => {
  it('is not begun, and costs the others no turn', async () => {
    const scene = new Scene(25);
    const cancelled = (await scene.calls('many', 1_000)).slice(IN_TURN.least);
    for (const stream of cancelled) stream.closed = true;
    scene.call('many', 1_000);
    const { turn } = scene;
    await scene.until(() => scene.begun.length > IN_TURN.least);
    expect(scene.begun.at(-1)?.name).toBe('many 1000');
    expect((scene.begun.at(-1)?.turn ?? 0) - turn).toBeLessThanOrEqual(2);
    await nextTurn();
    expect(scene.begun).toHaveLength(IN_TURN.least + 1);
  });

  it('is not begun if it was so when it came either', () => {
    const stream = new Stream('gone');
    stream.closed = true;
    const begun: Stream[] = [];
    new CallTurns<Stream>(new Moved(), (one) => begun.push(one)).take('one', stream, {}, 0, []);
    expect(begun).toEqual([]);
  });

  it('is let go of while others wait before it', async () => {
    const scene = new Scene(25);
    await scene.calls('many', 50);
    const over: WeakRef<Stream>[] = [];
    for (let n = 0; n < 10_000; n += 1) {
      const stream = scene.call('many', n);
      stream.closed = true;
      over.push(new WeakRef(stream));
    }
    // What a reference points to is held until the turn is over.
    await nextTurn();
    collectGarbage();
    expect(scene.begun.length).toBeLessThan(50);
    expect(over.filter((stream) => stream.deref() !== undefined).length).toBeLessThan(200);
  });
});
