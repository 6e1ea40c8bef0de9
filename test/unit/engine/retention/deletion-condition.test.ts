// What is said of the deletion: one sentence for each reason for which it may stand, the one that stops it everywhere first.

import { describe, expect, it } from 'vitest';
import { type DeletionFacts, deletionCondition } from '../../../../src/engine/retention/deletion-condition.js';

const DAY = 86_400_000_000;
const NOW = 20_000 * DAY;
const CLOCK = { now: NOW, stopped: undefined, waitsUntil: 0 };
const DELETING: DeletionFacts = {
  ...{ clock: CLOCK, isHeld: true, failsSince: undefined, isIdle: false, isPurging: false, held: [] },
};
const standing = (overdue: number, ...consumers: string[]) => ({
  ...{ context: 'shop', name: 'orders', overdue },
  heldBy: consumers.map((name) => ({ context: 'shop', name })),
});
const said = (facts: Partial<DeletionFacts>) => {
  const { state, detail, since, mend } = deletionCondition({ ...DELETING, ...facts });
  return { state, detail, ...(since === undefined ? {} : { since }), ...(mend === undefined ? {} : { mend }) };
};

describe('the condition of the deletion', () => {
  it('is that it deletes, that there is nothing to delete, or that another instance does', () => {
    expect(said({})).toEqual({ state: 'up', detail: 'deletes what is due' });
    expect(said({ clock: undefined })).toEqual({ state: 'up', detail: 'deletes what is due' });
    expect(said({ isIdle: true })).toEqual({ state: 'idle', detail: 'every topic keeps everything' });
    expect(said({ isHeld: false })).toEqual({ state: 'up', detail: 'another instance deletes' });
  });

  it('is down everywhere while the clock says so, whatever else there is', () => {
    const stopped = { at: NOW - DAY, leaptBy: 365 * DAY };
    for (const facts of [{}, { isHeld: false }, { isIdle: true }, { failsSince: NOW }]) {
      expect(said({ ...facts, clock: { ...CLOCK, stopped } })).toEqual({
        ...{ state: 'down', detail: 'nothing is deleted: the clock of the database leapt by 365 days' },
        ...{ since: NOW - DAY, mend: 'once the clock is right: madeleine retention resume' },
      });
    }
    const back = { at: NOW, leaptBy: -1.5 * DAY };
    expect(said({ clock: { ...CLOCK, stopped: back } }).detail).toContain('leapt back by 1.5 days');
    expect(said({ clock: { ...CLOCK, waitsUntil: NOW + 1 } }).state).toBe('down');
    expect(said({ clock: { ...CLOCK, waitsUntil: NOW } }).state).toBe('up');
  });

  it('is down while it fails', () => {
    expect(said({ failsSince: 5, isHeld: false })).toMatchObject({ state: 'down', since: 5 });
  });

  it('says who holds what for how long, the longest, and how many more', () => {
    expect(said({ held: [standing(3 * DAY, 'mailer')] }).detail).toBe(
      'deletes what is due, but "orders" in "shop" is held by consumer "mailer", for 3 days by now',
    );
    expect(said({ held: [standing(1, 'mailer', 'biller', 'x'), standing(0, 'x')] }).detail).toBe(
      'deletes what is due, but "orders" in "shop" is held by consumer "mailer" and 2 more, for 1 s by now, and 1 more topics are held',
    );
    expect(said({ held: [standing(7_200_000_000, 'mailer')] }).detail).toContain('for 2 h by now');
    expect(said({ isPurging: true }).detail).toBe('waits for the database to clear away what was deleted');
  });
});
