import { describe, expect, it } from 'vitest';
import {
  type Cawin,
  cawinState,
  END_KINDS,
  endsForDeadline,
  type Firing,
  FiringState,
  isOver,
  kindBits,
  kindsOf,
} from '../../../../src/domain/cawins/cawin.js';
import { EntryKind } from '../../../../src/domain/events/event.js';

const { OCCURRED, INVALIDATED, EXPIRED } = EntryKind;
const end = (kind: typeof OCCURRED | typeof INVALIDATED | typeof EXPIRED, createdAt: number) => ({
  ...{ kind, createdAt },
  position: createdAt,
});

function cawin(states: readonly FiringState[], changes: Partial<Cawin> = {}) {
  const firings = states.map((state, n): Firing => {
    return {
      kind: END_KINDS[n]!,
      position: 1,
      state,
      dueAt: undefined,
      attempts: 1,
      createdAt: 1,
      held: false,
      lastError: '',
    };
  });
  return { active: true, closed: false, firings, ...changes };
}

describe('the state of a cawin', () => {
  const { PENDING, DELIVERED, FAILED, HELD } = FiringState;
  it.each([
    ['WAITING', cawin([])],
    ['CLOSED', cawin([], { closed: true })],
    ['FIRING', cawin([PENDING])],
    ['FIRED', cawin([DELIVERED])],
    ['FIRED', cawin([DELIVERED], { closed: true })],
    ['FIRING', cawin([DELIVERED, PENDING])],
    ['FAILED', cawin([FAILED, PENDING])],
    ['INACTIVE', cawin([HELD], { active: false })],
  ])('is %s', (state, given) => {
    expect(cawinState(given)).toBe(state);
  });
});

describe('kinds', () => {
  it('survive being one number', () => {
    for (const kinds of [[], [OCCURRED], [EXPIRED, OCCURRED], END_KINDS]) {
      expect(kindsOf(kindBits(kinds))).toEqual([...kinds].sort());
    }
  });

  it.each([
    [[OCCURRED], [], false],
    [[OCCURRED], [OCCURRED], true],
    [[OCCURRED, INVALIDATED], [OCCURRED], false],
    [[INVALIDATED], [OCCURRED, INVALIDATED], true],
    [[INVALIDATED], [EXPIRED], true],
    [[OCCURRED], [EXPIRED], true],
  ])('asked for %j after %j: over %s', (notifyOn, ends, over) => {
    expect(isOver(notifyOn, ends)).toBe(over);
  });
});

describe('a deadline of its own', () => {
  const ends = [end(OCCURRED, 100), end(INVALIDATED, 200)];

  it.each([
    ['none', undefined, 1_000, [OCCURRED, INVALIDATED]],
    ['after the first end: the second counts too', 150, 1_000, [OCCURRED, INVALIDATED]],
    ['in the instant of the end: it has passed', 100, 1_000, [EXPIRED]],
    ['before the end: only the passing counts', 50, 1_000, [EXPIRED]],
  ])('%s', (_, expiresAt, now, kinds) => {
    expect(endsForDeadline(ends, expiresAt, now).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('that has not come counts for nothing', () => {
    expect(endsForDeadline([], 500, 499)).toEqual([]);
    expect(endsForDeadline([], 500, 500)).toMatchObject([{ kind: EXPIRED, position: 0, createdAt: 500 }]);
  });
});
