// What of a shared queue one caller has at a time: counted in events, and by the clock of the test.

import { describe, expect, it } from 'vitest';
import { type Admissible, GroupAdmission } from '../../../../src/engine/group/group-admission.js';
import { GroupPace } from '../../../../src/engine/group/group-pace.js';
import { Callers } from '../../../../src/lib/callers.js';
import { ManualClock } from '../../../support/manual-clock.js';

class Scene {
  readonly clock = new ManualClock();
  readonly callers = new Callers(this.clock);
  pausesOver = 0;
  readonly admission = new GroupAdmission<Admissible>({
    most: { events: 20_000, bytes: 64 * 1024 * 1024 },
    callers: this.callers,
    clock: this.clock,
    onPauseOver: () => {
      this.pausesOver += 1;
    },
  });

  add(
    caller: string,
    { events = 1, units = 1, memory = 1_100 }: Partial<Record<'events' | 'units' | 'memory', number>> = {},
    alone = false,
  ): void {
    for (let n = 0; n < units; n += 1) this.admission.add({ caller, events, memory, turn: events, alone });
  }

  /** Everything that is admitted now. */
  admitted(): Admissible[] {
    const items: Admissible[] = [];
    for (let item = this.admission.next(); item !== undefined; item = this.admission.next()) items.push(item);
    return items;
  }

  /** A group of all that is admitted now, which takes so long. */
  async group(ms: number): Promise<Record<string, number>> {
    const items = this.admitted();
    this.admission.grouped(items);
    await this.clock.pass(ms);
    this.admission.settled(items, ms);
    return eventsOf(items);
  }
}

function eventsOf(items: readonly Admissible[]): Record<string, number> {
  const events: Record<string, number> = {};
  for (const { caller, events: more } of items) events[caller] = (events[caller] ?? 0) + more;
  return events;
}

/** Groups in which an event costs so many milliseconds. */
function slow(pace: GroupPace, eventMs: number): void {
  for (let n = 0; n < 100; n += 1) {
    pace.observe(1, 1);
    pace.observe(100, 1 + 100 * eventMs);
  }
}

describe('a caller that is alone', () => {
  it('has a thousand events admitted, and the next ones while these are in a group', () => {
    const scene = new Scene();
    scene.add('many', { units: 3_000 });
    const first = scene.admitted();
    expect(first).toHaveLength(1_000);
    scene.admission.grouped(first);
    expect(scene.admitted()).toHaveLength(1_000);
  });

  it('does not pause', async () => {
    const scene = new Scene();
    scene.add('many', { units: 3_000 });
    expect(await scene.group(50)).toEqual({ many: 1_000 });
    expect(await scene.group(50)).toEqual({ many: 1_000 });
  });
});

describe('while several push, one with very much', () => {
  it('has events of a few milliseconds under way, whatever an event costs', () => {
    const scene = new Scene();
    slow(scene.admission.pace, 0.04);
    scene.callers.note('few');
    scene.add('many', { units: 3_000 });
    const first = scene.admitted();
    expect(first).toHaveLength(100);
    scene.admission.grouped(first);
    // In a group or not: no second group of it waits behind the first.
    expect(scene.admitted()).toHaveLength(0);
    scene.add('few');
    expect(eventsOf(scene.admitted())).toEqual({ few: 1 });
  });

  it('pauses after a group for as long as that took; others come meanwhile', async () => {
    const scene = new Scene();
    scene.callers.note('few');
    scene.add('many', { units: 3_000 });
    expect(await scene.group(10)).toEqual({ many: 512 });
    expect(scene.admitted()).toHaveLength(0);
    scene.add('few');
    expect(await scene.group(9)).toEqual({ few: 1 });
    expect(scene.pausesOver).toBe(0);
    await scene.clock.pass(1);
    expect(scene.pausesOver).toBe(1);
    expect(eventsOf(scene.admitted())).toEqual({ many: 512 });
  });

  it('has one large unit at a time', async () => {
    const scene = new Scene();
    scene.callers.note('few');
    scene.add('many', { events: 1_000, units: 3 });
    expect(await scene.group(25)).toEqual({ many: 1_000 });
    await scene.clock.pass(25);
    expect(await scene.group(25)).toEqual({ many: 1_000 });
  });

  it('has one unit at a time of those that are groups by themselves', async () => {
    const scene = new Scene();
    scene.callers.note('few');
    scene.add('many', { units: 100 }, true);
    expect(await scene.group(15)).toEqual({ many: 1 });
    scene.add('few', { units: 20 });
    expect(await scene.group(15)).toEqual({ few: 20, many: 1 });
  });

  it('pauses for few events of many bytes, and not for few small ones', async () => {
    const scene = new Scene();
    scene.callers.note('few');
    scene.add('large', { units: 8, memory: 64 * 1024 });
    scene.add('small', { units: 8 });
    expect(await scene.group(5)).toEqual({ large: 8, small: 8 });
    scene.add('large');
    scene.add('small');
    expect(eventsOf(scene.admitted())).toEqual({ small: 1 });
  });

  it('has what it had when a group is to be made again', async () => {
    const scene = new Scene();
    slow(scene.admission.pace, 0.04);
    scene.callers.note('few');
    scene.add('many', { units: 3_000 });
    const items = scene.admitted();
    for (let again = 0; again < 3; again += 1) {
      scene.admission.grouped(items);
      scene.admission.regrouped(items);
      scene.admission.settled(items, 0);
      expect(scene.admission.waitingEvents).toBe(3_000);
    }
    scene.admission.withdrawn(items);
    await scene.clock.pass(0);
    expect(scene.admission.waitingEvents).toBe(2_900);
    expect(scene.admitted()).toHaveLength(100);
  });
});

describe('the pace', () => {
  it.each([
    [0.000_1, 512],
    [0.04, 100],
    [10, 32],
  ])('of events that take %d ms each is %i of them', (eventMs, events) => {
    const pace = new GroupPace();
    slow(pace, eventMs);
    expect(pace.sharedEvents).toBeGreaterThanOrEqual(events - 1);
    expect(pace.sharedEvents).toBeLessThanOrEqual(events);
  });
});
