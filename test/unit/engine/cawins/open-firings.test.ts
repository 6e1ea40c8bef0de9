// Events take turns, the ends of one event keep their order, and the place never passes what is not done.

import { describe, expect, it } from 'vitest';
import { EntryKind } from '../../../../src/domain/events/event.js';
import { OpenFirings } from '../../../../src/engine/cawins/open-firings.js';
import type { FiringJob } from '../../../../src/storage/ports/cawin-storage.js';

const job = (eventId: number, position: number, afterCawin = 0): FiringJob => ({
  end: { kind: EntryKind.OCCURRED, position, createdAt: position, firstEndAt: position },
  eventId,
  afterCawin,
});

describe('open firings', () => {
  it('give each event its turn', () => {
    const open = new OpenFirings();
    for (const one of [job(1, 10), job(2, 11), job(3, 12)]) open.add(one);
    const turns: number[][] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const jobs = open.next(2);
      turns.push(jobs.map(({ eventId }) => eventId));
      open.advance(jobs, jobs);
    }
    expect(turns).toEqual([
      [1, 2],
      [3, 1],
      [2, 3],
    ]);
  });

  it('of one event come one after the other', () => {
    const open = new OpenFirings();
    for (const one of [job(1, 10), job(1, 15), job(2, 12)]) open.add(one);
    expect(open.next(10).map(({ end }) => end.position)).toEqual([10, 12]);
    open.advance(open.next(10), [job(1, 10, 500)]);
    expect(open.next(10)).toEqual([job(1, 10, 500)]);
    expect(open.lowest).toBe(10);
    open.advance(open.next(10), []);
    expect(open.next(10)).toEqual([job(1, 15)]);
    expect(open.lowest).toBe(15);
    open.advance(open.next(10), []);
    expect([open.size, open.lowest]).toEqual([0, undefined]);
  });

  it('keep the place below what is not done, whatever was done meanwhile', () => {
    const open = new OpenFirings();
    for (const one of [job(1, 10), job(2, 20), job(3, 30)]) open.add(one);
    open.advance(open.next(10), [job(2, 20, 7)]);
    expect(open.lowest).toBe(20);
    open.add(job(4, 40));
    open.advance([job(2, 20, 7)], []);
    expect(open.lowest).toBe(40);
  });
});
