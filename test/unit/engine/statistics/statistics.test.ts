// Who reads statistics when.

import { describe, expect, it } from 'vitest';
import { Statistics } from '../../../../src/engine/statistics/statistics.js';
import { Callers } from '../../../../src/lib/callers.js';
import { FairGate } from '../../../../src/lib/fair-gate.js';
import { Paced } from '../../../../src/lib/paced.js';
import type { StoredStats } from '../../../../src/storage/ports/statistics-storage.js';
import { ManualClock } from '../../../support/manual-clock.js';

const NONE: StoredStats = { asOf: { position: 0, at: 0 }, days: new Map(), topics: [], streams: [] };
const REQUEST = { context: 'all', period: undefined, reserved: false, topics: 10, streams: 10 };

/** Statistics of a store whose reads end one by one, when they are told to. */
function scene() {
  const clock = new ManualClock();
  const callers = new Callers(clock);
  const open: (() => void)[] = [];
  const store = { stats: () => new Promise<StoredStats>((resolve) => open.push(() => resolve(NONE))) };
  const pages = new FairGate(6);
  const statistics = new Statistics({ store, pages, paced: new Paced({ callers, clock }), clock });
  const ask = (signal = new AbortController().signal) => statistics.stats(REQUEST, { caller: 'a', signal });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { open, pages, ask, settle };
}

describe('statistics', () => {
  it('are read two at a time, and leave room for pages of the log, however many ask', async () => {
    const { open, pages, ask, settle } = scene();
    const asked = Array.from({ length: 20 }, () => ask());
    await settle();
    expect(open).toHaveLength(2);
    expect(await pages.run('b', async () => 'a page')).toBe('a page');
    for (let ended = 1; ended <= asked.length; ended += 1) {
      open.shift()?.();
      await settle();
      expect(open).toHaveLength(Math.min(2, asked.length - ended));
    }
    expect(await Promise.all(asked)).toHaveLength(20);
  });

  it('are not read for those who have gone', async () => {
    const { open, ask, settle } = scene();
    const first = [ask(), ask()];
    const leaving = new AbortController();
    const third = ask(leaving.signal);
    leaving.abort(new Error('gone'));
    await expect(third).rejects.toThrow('gone');
    for (const end of open.splice(0)) end();
    await Promise.all(first);
    await settle();
    expect(open).toHaveLength(0);
  });
});
