// The counters are the same in whatever parts the log is counted.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addUp, type EventCounts, type Tally } from '../../src/domain/statistics/event-counts.js';
import { propertyParameters } from '../support/property.js';

const count = fc.integer({ min: 1, max: 1_000 });
const tallies: fc.Arbitrary<readonly Tally[]> = fc.array(
  fc.record({
    contextId: fc.constantFrom(1, 2),
    topicId: fc.integer({ min: 1, max: 4 }),
    streamId: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    day: fc.integer({ min: 20_000, max: 20_070 }),
    events: count,
    bytes: count,
    addressed: fc.constant(0),
    reserved: fc.boolean(),
  }),
);

/** Counters as a database keeps them: by table and key. */
class Counters {
  readonly #rows = new Map<string, number>();

  add(counts: EventCounts): this {
    for (const [table, rows] of Object.entries(counts) as [string, readonly { events: number }[]][]) {
      for (const { events, ...row } of rows) {
        const { bytes, addressed, ...key } = row as Record<string, unknown>;
        const name = `${table} ${JSON.stringify(key)}`;
        this.#rows.set(name, (this.#rows.get(name) ?? 0) + events);
      }
    }
    return this;
  }

  get rows() {
    return Object.fromEntries([...this.#rows].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

describe('counters', () => {
  it('do not depend on the parts in which the log is counted', () => {
    fc.assert(
      fc.property(tallies, fc.array(fc.nat(200)), (all, cuts) => {
        const ends = [...new Set(cuts.filter((cut) => cut < all.length)), all.length].sort((a, b) => a - b);
        const parts = new Counters();
        let from = 0;
        for (const end of ends) {
          parts.add(addUp(all.slice(from, end)));
          from = end;
        }
        expect(parts.rows).toEqual(new Counters().add(addUp(all)).rows);
      }),
      propertyParameters(),
    );
  });

  it('have every event once in each table that is to have it', () => {
    fc.assert(
      fc.property(tallies, (all) => {
        const { topicDays, streamDays, streamMonths, streamTotals, seriesTotals } = addUp(all);
        const sum = (rows: readonly { readonly events: number }[]) =>
          rows.reduce((total, { events }) => total + events, 0);
        const inStreams = sum(all.filter(({ streamId }) => streamId !== undefined));
        expect(sum(topicDays)).toBe(sum(all));
        expect([sum(streamDays), sum(streamMonths), sum(streamTotals)]).toEqual([inStreams, inStreams, inStreams]);
        expect(sum(seriesTotals)).toBe(sum(all) + sum(all.filter(({ reserved }) => !reserved)));
      }),
      propertyParameters(),
    );
  });
});
