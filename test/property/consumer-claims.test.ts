// What HOLD keeps for a consumer and what EXPIRE counts as lost, against a naive reading of what it has not passed: one and the same.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConsumerSettings, consumerCriteria, DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { encodeRanges } from '../../src/domain/consumers/position-ranges.js';
import { ConsumerClaims } from '../../src/domain/consumers/unread/consumer-claims.js';
import { ENTRY_KINDS, EntryKind, type LogEntry } from '../../src/domain/events/event.js';
import { UnpassedEvents } from '../../src/engine/retention/unpassed.js';
import { LoopSlices } from '../../src/lib/loop-slices.js';
import type { ConsumerBehind, DueEntry } from '../../src/storage/ports/retention-storage.js';
import { CONTEXTS, entryOf, naivelySelects, someEvent, someFilter } from '../support/events/filters.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';

const parameters = propertyParameters(1_000);
const EVENTS = 12;

interface Logged {
  readonly entry: LogEntry;
  /** What its payload says, or says no more. */
  readonly n: number | undefined;
  /** Whether it withdraws what had occurred. */
  readonly withdraws: boolean;
}

const someLog: fc.Arbitrary<readonly Logged[]> = fc
  .array(fc.tuple(someEvent, fc.constantFrom(...ENTRY_KINDS), fc.boolean()), { maxLength: EVENTS })
  .map((events) =>
    events.map(([event, kind, hadOccurred], index) => {
      const entry = { ...entryOf(event, kind), position: index + 1 };
      const withdraws = kind === EntryKind.INVALIDATED && hadOccurred;
      const n = kind === EntryKind.OCCURRED ? event.n : undefined;
      return { entry: withdraws ? { ...entry, rest: { ...entry.rest, occurredAt: 1 } } : entry, n, withdraws };
    }),
  );

const positions = fc.subarray(Array.from({ length: EVENTS }, (_, index) => index + 1));
const someConsumer = fc.record({
  context: fc.constantFrom(...CONTEXTS, 'all'),
  filter: someFilter,
  ignoreOwn: fc.boolean(),
  offset: fc.nat(EVENTS),
  acked: positions,
  parked: positions,
});

describe('a durable consumer', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it('has held what it would lose: what it has not passed and may get', async () => {
    await fc.assert(
      fc.asyncProperty(someLog, someConsumer, async (log, given) => {
        const { context, filter, ignoreOwn, offset, acked, parked } = given;
        const settings: ConsumerSettings = { ...DEFAULT_SETTINGS, filter, ignoreOwn };
        const key = { context, name: 'a' };
        const isUnpassed = ({ entry, n, withdraws }: Logged) => {
          if (entry.position <= offset || acked.includes(entry.position)) return false;
          const criteria = consumerCriteria(key, settings);
          const { description: _, ...others } = criteria;
          return naivelySelects(withdraws ? others : criteria, entry, n);
        };
        const expected = log.filter(isUnpassed).map(({ entry }) => entry.position);

        const ranges = acked.map((position) => [position, position] as const);
        const consumer: ConsumerBehind = {
          ...key,
          id: 1,
          generation: 1,
          settings,
          offset,
          acked: encodeRanges(ranges),
        };
        expect(await heldFor(consumer, log)).toEqual(expected);

        const isParked = new Set(parked);
        const claims = new ConsumerClaims(consumer, isParked);
        const counted = log.flatMap(({ entry }) => (claims.on(entry) === undefined ? [] : [entry.position]));
        const lost = log.map(({ entry }) => entry.position).filter((at) => isParked.has(at) || expected.includes(at));
        expect(counted).toEqual(lost);
        expect(counted.every((position) => claims.mayClaim(position))).toBe(true);
      }),
      parameters,
    );
  });
});

/** What HOLD keeps of the log for the consumer. */
async function heldFor(consumer: ConsumerBehind, log: readonly Logged[]): Promise<readonly number[]> {
  const unpassed = new UnpassedEvents({
    store: { behind: async () => [consumer], moves: async () => 0 },
    log: { readAt: async () => log.map(({ entry }) => entry) },
    slices: new LoopSlices(),
  });
  const due = log.map(({ entry }): DueEntry => ({ ...entry, streamId: undefined, bytes: 0 }));
  const found = await unpassed.of({ context: 'default', name: 'a' }, due);
  return found.flatMap((one) => one.positions);
}
