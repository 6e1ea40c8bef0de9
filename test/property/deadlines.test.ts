// A deadline, a payload that would satisfy the wait, a withdrawal, another asker and the expiry itself, each in a group of its own, at
// the same moment or microseconds apart, in any order: the wait ends one way, by one entry, and every cawin is told that end once.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counts, type EndKind, endsForDeadline, type WaitEnd } from '../../src/domain/cawins/cawin.js';
import { parseDescription } from '../../src/domain/descriptions/description.js';
import { EMPTY_ENVELOPE } from '../../src/domain/events/envelope.js';
import { EntryKind, type EventDraft, type LogEntry } from '../../src/domain/events/event.js';
import { planGroup } from '../../src/domain/group/group-plan.js';
import { matchPushes, needsOf, waitKeyText } from '../../src/domain/group/group-plan-needs.js';
import type { GroupUnit, LockedState, Push } from '../../src/domain/group/group-plan-types.js';
import { ShapeCatalog } from '../../src/domain/group/shape-catalog.js';
import type { Wait } from '../../src/domain/waits/wait.js';
import { preparedCawin } from '../support/cawins/prepared-cawin.js';
import { propertyParameters } from '../support/property.js';

const START = 1_000_000;
const EVENT_ID = 1;
const DESCRIPTION = parseDescription(Buffer.from('{"a":1}'), 'd');
const CATALOG = ShapeCatalog.of(1, [
  {
    context: 'c',
    topic: 't',
    shape: { ...DESCRIPTION.shape, id: 1, ready: true, watchedAfter: 0, builtTo: 0, neededAt: 0 },
  },
]);

type Act = 'occur' | 'expire' | 'invalidate' | 'look' | 'raise' | 'repeat';
interface Step {
  readonly act: Act;
  /** Microseconds after the step before; 0: the database's clock did not move. */
  readonly after: number;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    act: fc.constantFrom<Act>('occur', 'expire', 'expire', 'invalidate', 'look', 'raise', 'repeat'),
    after: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
);

let minted = 0;
function pushOf(payload: string | undefined, waitMicros: number): Push {
  const draft: EventDraft = {
    ...EMPTY_ENVELOPE,
    ...{ context: 'c', topic: 't', issuer: 'x', messageId: '' },
    payload: payload === undefined ? undefined : { contentType: '', bytes: Buffer.from(payload) },
    description: payload === undefined ? DESCRIPTION : undefined,
  };
  minted += 1;
  const base = { draft, messageId: `m${minted}`, digest: undefined, expectedSequence: undefined };
  return payload === undefined ? { ...base, terms: { waitMicros, since: Number.MAX_SAFE_INTEGER, after: 0 } } : base;
}

/** One wait and what became of it, read and written as a committer does. */
class World {
  head: LockedState['head'] = { position: 0, nextEventId: EVENT_ID, createdAt: 0, nextShapeId: 2 };
  readonly waits = new Map<number, Wait>();
  readonly entries: LogEntry[] = [];

  run(unit: GroupUnit, now: number): void {
    matchPushes([unit], CATALOG);
    const needs = needsOf([unit], false);
    const open = [...this.waits.values()].filter(({ state }) => state === EntryKind.AWAITED);
    const events = (needs.waits?.eventIds ?? []).flatMap((id) => {
      const wait = this.waits.get(id);
      const entries = this.entries.filter(({ eventId }) => eventId === (wait?.endedById ?? id));
      return wait === undefined ? [] : [[id, { wait, entries }] as const];
    });
    const waits = needs.waits && {
      awaited: new Map(open.map((wait) => [waitKeyText(wait.shapeId, wait.hash), wait])),
      found: new Map(),
      identities: new Map(),
      shapes: new Map(),
      events: new Map(events),
    };
    const { writes } = planGroup(
      { head: this.head, now, streams: new Map(), pushed: undefined, waits },
      [unit],
      CATALOG,
    );
    this.entries.push(...writes.entries.map(({ entry }) => entry));
    for (const wait of [...(writes.waits?.added ?? []), ...(writes.waits?.changed ?? [])])
      this.waits.set(wait.eventId, wait);
    const freed = writes.waits?.freed;
    for (const wait of this.waits.values()) {
      if (freed === undefined || wait.endedById !== freed.eventId) continue;
      this.waits.set(wait.eventId, { ...wait, state: EntryKind.INVALIDATED, position: freed.position });
    }
    this.head = writes.head;
  }

  get ends(): WaitEnd[] {
    return this.entries
      .filter(({ eventId }) => eventId === EVENT_ID)
      .map(({ kind, position, createdAt }) => ({ kind: kind as EndKind, position, createdAt }));
  }
}

function unitOf(act: Act, deadline: number): GroupUnit {
  const kind = 'push';
  switch (act) {
    case 'occur':
      return { kind, atomic: false, pushes: [pushOf('{"a":1}', 0)] };
    case 'look':
      return { kind, atomic: false, pushes: [pushOf(undefined, 2)] };
    case 'invalidate':
      return { kind: 'invalidate', eventId: EVENT_ID, reason: '' };
    case 'raise':
      return { kind: 'observe', eventId: EVENT_ID, cawin: preparedCawin(), expiresAt: deadline + 2 };
    default:
      return { kind: 'expire', eventIds: [EVENT_ID] };
  }
}

describe('a deadline', () => {
  it('and whatever else ends a wait end it one way', () => {
    const property = fc.property(steps, fc.integer({ min: 1, max: 8 }), (acts, waitMicros) => {
      const world = new World();
      world.run({ kind: 'push', atomic: false, pushes: [pushOf(undefined, waitMicros)] }, START);
      let now = START;
      for (const { act, after } of acts) {
        now += after;
        const before = world.waits.get(EVENT_ID) as Wait;
        const time = Math.max(world.head.createdAt + 1, now);
        const unit = unitOf(act, before.expiresAt);
        world.run(unit, now);
        if (act === 'repeat') world.run(unit, now);
        const wait = world.waits.get(EVENT_ID) as Wait;
        if (before.state !== EntryKind.AWAITED) continue;
        const isDue = before.expiresAt <= time;
        // What is not due is never expired, what is due ends in no other way, and is not raised any more.
        if (!isDue) expect(wait.state).not.toBe(EntryKind.EXPIRED);
        if (isDue) expect([EntryKind.AWAITED, EntryKind.EXPIRED]).toContain(wait.state);
        if (isDue) expect(wait.expiresAt).toBe(before.expiresAt);
        if (isDue && act !== 'raise') expect(wait.state).toBe(EntryKind.EXPIRED);
        if (!isDue && act === 'occur') expect(wait.state).toBe(EntryKind.OCCURRED);
      }
      const kinds = world.ends.map(({ kind }) => kind);
      const wait = world.waits.get(EVENT_ID) as Wait;
      const lawful = [[], [EntryKind.EXPIRED], [EntryKind.INVALIDATED], [EntryKind.OCCURRED]];
      expect([...lawful, [EntryKind.OCCURRED, EntryKind.INVALIDATED]]).toContainEqual(kinds);
      expect(wait.state).toBe(kinds.at(-1) ?? EntryKind.AWAITED);
    });
    fc.assert(property, propertyParameters(2_000));
  });

  it('of a cawin and the end of its event, seen in any order, make one firing of each kind that counts', () => {
    const end = fc.constantFrom<EndKind[]>(
      [EntryKind.OCCURRED],
      [EntryKind.OCCURRED, EntryKind.INVALIDATED],
      [EntryKind.INVALIDATED],
      [EntryKind.EXPIRED],
    );
    const around = fc.integer({ min: 97, max: 103 });
    const property = fc.property(
      end,
      around,
      around,
      fc.array(fc.boolean(), { maxLength: 8 }),
      (kinds, at, own, order) => {
        // An event expires at its deadline at the earliest, which is no earlier than that of any of its cawins.
        const deadline = kinds[0] === EntryKind.EXPIRED ? Math.min(own, at) : own;
        const ends = kinds.map((kind, index) => ({ kind, position: index + 1, createdAt: at + index }));
        const [first] = ends as [WaitEnd];
        const fired = new Set<EndKind>();
        let passed = false;
        // The look at the log (all ends, once or again) and the look at deadlines, however they alternate; both come in the end.
        for (const isLog of [...order, true, false, true]) {
          if (isLog) {
            for (const { kind } of ends) if (counts(kind, first.createdAt, deadline)) fired.add(kind);
            continue;
          }
          const due = endsForDeadline(ends, deadline, 200);
          if (due[0]?.position === 0) passed = true;
          if (due[0]?.position === 0) fired.add(EntryKind.EXPIRED);
        }
        const inTime = first.createdAt < deadline || first.kind === EntryKind.EXPIRED;
        expect([...fired].sort()).toEqual(inTime ? [...kinds].sort() : [EntryKind.EXPIRED]);
        expect(passed).toBe(!inTime);
      },
    );
    fc.assert(property, propertyParameters(2_000));
  });
});
