// Large works of callers, counted in works that run at a time, and by the clock of the test.

import { describe, expect, it } from 'vitest';
import { Callers } from '../../../src/lib/callers.js';
import { Paced } from '../../../src/lib/paced.js';
import { ManualClock } from '../../support/manual-clock.js';

/** Works that end when the test says so. */
class Scene {
  readonly clock = new ManualClock();
  readonly callers = new Callers(this.clock);
  readonly paced = new Paced({ callers: this.callers, clock: this.clock });
  readonly running: { readonly caller: string; readonly end: () => void }[] = [];
  readonly done: string[] = [];

  begin(caller: string, count = 1): void {
    for (let n = 0; n < count; n += 1) {
      const work = () => new Promise<void>((end) => this.running.push({ caller, end }));
      void this.paced.run(caller, work).then(() => this.done.push(caller));
    }
  }

  async end(): Promise<void> {
    this.running.shift()?.end();
    await this.clock.pass(0);
  }
}

describe('large works', () => {
  it('of a caller that is alone all run at once', async () => {
    const scene = new Scene();
    scene.begin('many', 10);
    expect(scene.running).toHaveLength(10);
  });

  it('of one of several run one at a time, with a pause as long as each took', async () => {
    const scene = new Scene();
    scene.callers.note('other');
    scene.begin('many', 3);
    await scene.clock.pass(20);
    expect(scene.running).toHaveLength(1);
    await scene.end();
    expect(scene.done).toEqual(['many']);
    await scene.clock.pass(19);
    expect(scene.running).toHaveLength(0);
    await scene.clock.pass(1);
    expect(scene.running).toHaveLength(1);
  });

  it('of another caller do not wait for that', async () => {
    const scene = new Scene();
    scene.callers.note('few');
    scene.begin('many', 100);
    scene.begin('few');
    await scene.clock.pass(0);
    expect(scene.running.map(({ caller }) => caller)).toEqual(['many', 'few']);
  });

  it('go on after one that fails, without a pause once a caller is alone', async () => {
    const scene = new Scene();
    scene.callers.note('other');
    const failed = scene.paced.run('many', () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    scene.begin('many', 2);
    await scene.clock.pass(2_000);
    await scene.end();
    expect(scene.running).toHaveLength(1);
    await scene.end();
    expect(scene.done).toEqual(['many', 'many']);
  });
});
