// Whether anybody has a neighbour: by the clock of the test.

import { expect, it } from 'vitest';
import { Callers, SERVER } from '../../../src/lib/callers.js';
import { ManualClock } from '../../support/manual-clock.js';

it('one caller is alone, however often it comes, and whatever the server does by itself', () => {
  const callers = new Callers(new ManualClock());
  for (const caller of ['a', 'a', SERVER, 'a', SERVER]) callers.note(caller);
  expect(callers.areMany).toBe(false);
});

it('two are many until one of them has been alone for a second', async () => {
  const clock = new ManualClock();
  const callers = new Callers(clock);
  callers.note('a');
  callers.note('b');
  expect(callers.areMany).toBe(true);
  await clock.pass(999);
  callers.note('b');
  expect(callers.areMany).toBe(true);
  await clock.pass(1);
  expect(callers.areMany).toBe(false);
  callers.note('a');
  expect(callers.areMany).toBe(true);
});
