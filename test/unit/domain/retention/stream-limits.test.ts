import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryKind } from '../../../../src/domain/events/event.js';
import { RetentionMode, surplusTimes } from '../../../../src/domain/retention/retention-policy.js';
import {
  isTooMuch,
  limitsOf,
  NewestOfStreams,
  readLimit,
  surplusOf,
} from '../../../../src/domain/retention/stream-limits.js';

const DAY = 86_400_000_000;

interface Entry {
  readonly kind: EntryKind;
  readonly streamId: number | undefined;
  readonly bytes: number;
}

const anyEntry: fc.Arbitrary<Entry> = fc.record({
  kind: fc.constantFrom(EntryKind.OCCURRED, EntryKind.OCCURRED, EntryKind.INVALIDATED),
  streamId: fc.constantFrom(1, 2, undefined),
  bytes: fc.nat(20),
});
const anyLimits = fc.record({ maxEvents: fc.integer({ min: 0, max: 5 }), maxBytes: fc.integer({ min: 0, max: 60 }) });

/** What stays of the entries of a stream: the longest end that is within the limits, or else the newest event. */
function staying(entries: readonly Entry[], limits: { readonly maxEvents: number; readonly maxBytes: number }) {
  const isOver = (from: number) => {
    const events = entries.slice(from).filter(({ kind }) => kind === EntryKind.OCCURRED);
    const bytes = events.reduce((sum, entry) => sum + entry.bytes, 0);
    const isTooMany = limits.maxEvents > 0 && events.length > limits.maxEvents;
    return events.length > 1 && (isTooMany || (limits.maxBytes > 0 && bytes > limits.maxBytes));
  };
  let from = 0;
  while (isOver(from)) from += 1;
  return entries.slice(from);
}

describe('what is too much in a stream', () => {
  it('is all but the longest end that is within both limits, from the oldest on and from the newest back', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 30 }), anyLimits, (entries, { maxEvents, maxBytes }) => {
        const limits = limitsOf(maxEvents, maxBytes);
        const newest = limits && new NewestOfStreams(limits);
        const stays = entries.toReversed().filter((entry) => newest?.goes(entry) !== true);
        for (const streamId of [1, 2]) {
          const own = entries.filter((entry) => entry.streamId === streamId);
          const expected = staying(own, { maxEvents, maxBytes });
          expect(stays.toReversed().filter((entry) => entry.streamId === streamId)).toEqual(expected);
          const occurred = own.filter(({ kind }) => kind === EntryKind.OCCURRED);
          const count = { events: occurred.length, bytes: occurred.reduce((sum, { bytes }) => sum + bytes, 0) };
          const gone = limits === undefined ? [] : surplusOf(own, count, limits);
          expect(own.slice(gone.length)).toEqual(expected);
        }
        expect(stays.filter(({ streamId }) => streamId === undefined)).toHaveLength(
          entries.filter(({ streamId }) => streamId === undefined).length,
        );
      }),
    );
  });

  it('is all of what is seen of it where the rest has to go, too', () => {
    const withdrawal = { kind: EntryKind.INVALIDATED, bytes: 0 };
    const limits = { maxEvents: 1, maxBytes: Number.POSITIVE_INFINITY };
    expect(surplusOf([withdrawal], { events: 2, bytes: 0 }, limits)).toEqual([withdrawal]);
    expect(surplusOf([withdrawal], { events: 1, bytes: 0 }, limits)).toEqual([]);
  });

  it('is never the newest event', () => {
    expect(isTooMuch({ events: 1, bytes: 1_000 }, { maxEvents: 1, maxBytes: 1 })).toBe(false);
    expect(isTooMuch({ events: 2, bytes: 1_000 }, { maxEvents: 5, maxBytes: 1 })).toBe(true);
  });
});

describe('a limit', () => {
  it('is a number up to the greatest one, and 0 is none', () => {
    expect(readLimit(0n, 10, 'a')).toBe(0);
    expect(readLimit(10n, 10, 'a')).toBe(10);
    expect(() => readLimit(11n, 10, 'a')).toThrow(expect.objectContaining({ reason: 'FIELD_INVALID' }));
    expect(limitsOf(0, 0)).toBeUndefined();
    expect(limitsOf(3, 0)).toEqual({ maxEvents: 3, maxBytes: Number.POSITIVE_INFINITY });
  });
});

describe('times of what is too much', () => {
  const clock = { now: 1_000 * DAY, leapt: [], stopped: undefined, waitsUntil: 0 };
  const policy = { ageMicros: undefined, mode: RetentionMode.HOLD, unreadWarning: 'none' };

  it('end a hold by the age of what is held, and none with EXPIRE', () => {
    expect(surplusTimes(policy, clock)).toEqual({ overdue: 970 * DAY, parkedSince: 910 * DAY, repeatable: 999 * DAY });
    expect(surplusTimes({ ...policy, mode: RetentionMode.EXPIRE }, clock).overdue).toBe(Number.POSITIVE_INFINITY);
  });

  it('end nothing by a clock that leapt, or that nobody looked at', () => {
    const nothing = { overdue: 0, parkedSince: 0, repeatable: 0 };
    expect(surplusTimes(policy, { ...clock, stopped: { at: 1, leaptBy: 1 } })).toEqual(nothing);
    expect(surplusTimes(policy, { ...clock, waitsUntil: 1_001 * DAY })).toEqual(nothing);
    expect(surplusTimes(policy, { ...clock, leapt: [{ from: 500 * DAY, to: 990 * DAY }] }).overdue).toBe(480 * DAY);
  });
});
