// Steps by some events of a selection, over a log that is read in pages of any size.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventSteps } from '../../../../src/engine/log/event-steps.js';
import { FairGate } from '../../../../src/lib/fair-gate.js';
import type { EventLog } from '../../../../src/storage/ports/log-storage.js';

const HEAD = 40;
const CRITERIA = { context: 'default' };

/** A log that has matching events at the positions, and looks at so many positions a page. */
function logOf(positions: readonly number[], scanned: number): Pick<EventLog, 'readPositions'> {
  return {
    async readPositions(_criteria, { after, upTo, limit, newestFirst }) {
      const [low, high] = newestFirst
        ? [Math.max(after, upTo - scanned), upTo]
        : [after, Math.min(upTo, after + scanned)];
      const all = positions.filter((position) => position > low && position <= high);
      const taken = newestFirst ? all.slice(-limit) : all.slice(0, limit);
      const isFull = taken.length === limit;
      const end = newestFirst ? (taken[0] ?? 1) - 1 : (taken.at(-1) ?? 0);
      return { positions: taken, scannedTo: isFull ? end : newestFirst ? low : high };
    },
  };
}

it('goes back and forward by as many events as there are, and stays where there is none', async () => {
  const positions = fc.uniqueArray(fc.integer({ min: 1, max: HEAD }), { maxLength: 20 });
  const offsets = fc.integer({ min: 0, max: HEAD });
  const counts = fc.integer({ min: -8, max: 8 }).filter((n) => n !== 0);
  await fc.assert(
    fc.asyncProperty(positions, offsets, counts, fc.integer({ min: 1, max: 9 }), async (given, offset, by, scanned) => {
      const sorted = [...given].sort((a, b) => a - b);
      const log = logOf(sorted, scanned);
      const steps = new EventSteps({ log, source: { visible: HEAD }, pages: new FairGate(1) });
      const passed = sorted.filter((position) => position <= offset).slice(by < 0 ? by : Number.POSITIVE_INFINITY);
      const ahead = sorted.filter((position) => position > offset).slice(0, Math.max(by, 0));
      const moved = passed.length + ahead.length;
      const expected = by < 0 ? (passed[0] ?? offset + 1) - 1 : (ahead.at(-1) ?? offset);
      expect(await steps.from(CRITERIA, offset, by)).toEqual({ offset: expected, moved });
    }),
  );
});

it.each([-3, 3])('ends by %i with the reason of who asks no more, and reads nothing further', async (by) => {
  const caller = new AbortController();
  const log = logOf([], 1);
  let pages = 0;
  const counted: typeof log = {
    readPositions: (criteria, options) => {
      pages += 1;
      if (pages === 2) caller.abort(new Error('gone'));
      return log.readPositions(criteria, options);
    },
  };
  const steps = new EventSteps({ log: counted, source: { visible: HEAD }, pages: new FairGate(1) });
  await expect(steps.from(CRITERIA, HEAD / 2, by, caller.signal)).rejects.toThrow('gone');
  expect(pages).toBe(2);
});
