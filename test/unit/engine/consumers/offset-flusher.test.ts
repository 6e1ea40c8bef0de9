// Work that writes a consumer's row by other means than the flusher: one at a time, and nobody else meanwhile.

import { expect, it } from 'vitest';
import { type FlushTarget, OffsetFlusher } from '../../../../src/engine/consumers/offset-flusher.js';
import { ManualClock, turns } from '../../../support/manual-clock.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const target: FlushTarget = {
  ...{ takeWrite: () => undefined, written() {}, loseHold() {} },
  holdLostError: () => new Error('lost'),
};

it('is done one after the other, however many wait', async () => {
  const flusher = new OffsetFlusher({
    store: { flush: async () => new Set() },
    clock: new ManualClock(),
    logger: silent,
  });
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await turns();
    steps.push(`${name} ends`);
  };
  const names = ['one', 'two', 'three'];
  await Promise.all(names.map((name) => flusher.apart(target, work(name))));
  expect(steps).toEqual(names.flatMap((name) => [`${name} begins`, `${name} ends`]));
  expect(flusher.isApart(target)).toBe(false);
});
