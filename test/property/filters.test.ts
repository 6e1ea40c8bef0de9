// Filters against a naive reading of them, and their normal form.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENTRY_KINDS, EntryKind } from '../../src/domain/events/event.js';
import { compileCriteria } from '../../src/domain/events/event-filter.js';
import { normalFilter } from '../../src/domain/events/normal-filter.js';
import { entryOf, naivelySelects, reworded, someCriteria, someEvent, someFilter } from '../support/events/filters.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';

const parameters = propertyParameters(2_000);

describe('a filter', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it('selects what its members say, and in its normal form the same', () => {
    const events = fc.array(fc.tuple(someEvent, fc.constantFrom(...ENTRY_KINDS)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(someCriteria, events, (criteria, pushed) => {
        const matchers = [criteria, { ...criteria, ...blank(criteria), ...normalFilter(criteria) }].map(
          compileCriteria,
        );
        for (const [event, kind] of pushed) {
          const entry = entryOf(event, kind);
          // What withdraws is selected by another entry's payload, which is not here.
          const n = kind === EntryKind.OCCURRED ? event.n : undefined;
          const expected = naivelySelects(criteria, entry, n);
          expect(matchers.map((matches) => matches(entry))).toEqual([expected, expected]);
        }
      }),
      parameters,
    );
  });

  it('has one normal form, whatever its words', () => {
    fc.assert(
      fc.property(someFilter, (filter) => {
        const normal = normalFilter(filter);
        expect(JSON.stringify(normalFilter(reworded(filter)))).toBe(JSON.stringify(normal));
        expect(normalFilter(normal)).toEqual(normal);
        expect(normalFilter(JSON.parse(JSON.stringify(normal)))).toEqual(normal);
        expect(Object.values(normal)).not.toContainEqual([]);
      }),
      parameters,
    );
  });
});

/** Takes away the members that the normal form leaves out. */
function blank(criteria: object): object {
  const own = new Set(['context', 'consumer', 'ignoreOwn']);
  return Object.fromEntries(Object.keys(criteria).flatMap((key) => (own.has(key) ? [] : [[key, undefined]])));
}
