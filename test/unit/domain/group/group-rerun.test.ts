// What a group that is run again after an unanswered COMMIT takes for its own.

import { describe, expect, it } from 'vitest';
import { EntryKind } from '../../../../src/domain/events/event.js';
import { extendStream, handedOver } from '../../../../src/domain/events/stream.js';
import { type PushOutcome, type UnitOutcome, withCawins } from '../../../../src/domain/group/group-outcomes.js';
import { shapeInUse, unknownShape } from '../../../../src/domain/group/group-plan-refusals.js';
import type { ObserveUnit } from '../../../../src/domain/group/group-plan-types.js';
import { plannedBefore, recognised, unitAgain } from '../../../../src/domain/group/group-rerun.js';
import type { EventOutcome } from '../../../../src/domain/waits/wait.js';
import { preparedCawin } from '../../../support/cawins/prepared-cawin.js';

const OUTCOME: EventOutcome = {
  eventId: 7,
  state: EntryKind.AWAITED,
  entryEventId: 7,
  position: 0,
  expiresAt: 9,
  context: 'default',
  topic: 't',
};
const MADE = { id: 3, created: true };

function pushed(...pushes: readonly PushOutcome[]): UnitOutcome {
  return { kind: 'pushed', pushes };
}

function found(eventId: number): PushOutcome {
  return { kind: 'found', eventId, position: 0, cawinAt: 0 };
}

function duplicate(eventId: number): PushOutcome {
  return { kind: 'duplicate', eventId, position: 0 };
}

describe('an outcome of a group that made cawins', () => {
  it('has its own, and only where it came with one', () => {
    const others = [{ id: 1, created: false }, MADE];
    expect(withCawins({ kind: 'observed', event: OUTCOME, cawinAt: 1 }, others)).toMatchObject({ cawin: MADE });
    expect(withCawins(pushed({ ...found(7), cawinAt: 1 } as PushOutcome, duplicate(8)), others)).toEqual(
      pushed({ ...found(7), cawinAt: 1, cawin: MADE } as PushOutcome, duplicate(8)),
    );
    expect(withCawins({ kind: 'expired', count: 2 }, others)).toEqual({ kind: 'expired', count: 2 });
  });
});

describe('a unit whose COMMIT was not answered', () => {
  it('is run again with the cawin that may be there', () => {
    const unit: ObserveUnit = { kind: 'observe', eventId: 7, cawin: preparedCawin(), expiresAt: undefined };
    const again = unitAgain(unit, { kind: 'observed', event: OUTCOME, cawinAt: 0, cawin: MADE });
    expect(again).toEqual({ ...unit, cawin: { ...unit.cawin, former: MADE } });
    expect(unitAgain(unit, { kind: 'expired', count: 1 })).toBe(unit);
  });

  it('is answered with what it did then, its cawin too, where the rerun finds it stored', () => {
    const sent = withCawins(pushed(found(7)), [MADE]);
    expect(recognised(pushed(duplicate(7)), sent)).toEqual(sent);
    expect(recognised(pushed(duplicate(8)), sent)).toEqual(pushed(duplicate(8)));
    expect(plannedBefore(pushed(duplicate(7)), sent)).toEqual(sent);
    const registered = { kind: 'registered', created: true } as const;
    expect(recognised({ ...registered, created: false }, registered)).toBe(registered);
    const dropped = { kind: 'dropped', shapeIds: [3] } as const;
    expect(recognised({ kind: 'refused', error: unknownShape() }, dropped)).toBe(dropped);
    const begun = { context: 'c', stream: 's', issuer: 'a', position: 1, createdAt: 1 };
    const stream = handedOver(extendStream(undefined, begun), 'b', 2);
    const transferred = { kind: 'transferred', stream, changed: true } as const;
    const handedOn = { ...transferred, stream: handedOver(stream, 'c', 3), changed: false };
    expect(recognised(handedOn, transferred)).toBe(transferred);
    const inUse = { kind: 'refused', error: shapeInUse('awaited') } as const;
    expect(recognised(inUse, dropped)).toBe(inUse);
  });

  it('is answered with what the rerun did where nothing of it was stored', () => {
    const sent = withCawins(pushed(found(7)), [MADE]);
    const again = withCawins(pushed(found(9)), [{ id: 4, created: true }]);
    expect(recognised(again, sent)).toEqual(again);
    expect(plannedBefore(again, sent)).toEqual(again);
  });
});
