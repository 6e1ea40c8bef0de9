// Turns of streams, counted in rounds of the event loop and of the clock of the test.

import { describe, expect, it } from 'vitest';
import { Callers } from '../../../src/lib/callers.js';
import { LoopTurns, TURNS_OF_ROUND } from '../../../src/lib/loop-turns.js';
import { ManualClock } from '../../support/manual-clock.js';

class Scene {
  readonly clock = new ManualClock();
  readonly callers = new Callers(this.clock);
  readonly turns = new LoopTurns({ callers: this.callers, clock: this.clock });
  readonly order: string[] = [];

  /** Streams that want one turn each. */
  ask(caller: string, streams: number): void {
    for (let n = 0; n < streams; n += 1) void this.turns.next(caller).then(() => this.order.push(caller));
  }
}

describe('streams that could go on and on', () => {
  it('have a few turns in a round of the loop, whatever their number', async () => {
    const { turns } = new Scene();
    const inRound = new Map<number, number>();
    let round = 0;
    let isDone = false;
    const count = () => {
      round += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const note = () => inRound.set(round, (inRound.get(round) ?? 0) + 1);
    await Promise.all(Array.from({ length: 300 }, () => turns.next('many').then(note)));
    isDone = true;
    expect(Math.max(...inRound.values())).toBe(TURNS_OF_ROUND);
    expect(inRound.size).toBe(300 / TURNS_OF_ROUND);
  });

  it('of a caller with few wait for a turn of another with many, and rounds pause while there are several', async () => {
    const scene = new Scene();
    scene.callers.note('few');
    scene.ask('many', 100);
    scene.ask('few', 1);
    await scene.clock.pass(0);
    expect(scene.order).toHaveLength(0);
    await scene.clock.pass(1);
    expect(scene.order.sort()).toEqual(['few', 'many']);
  });
});
