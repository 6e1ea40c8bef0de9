// Which consumers get what the counters count.

import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import { EntryKind } from '../../../../src/domain/events/event.js';
import type { EventFilter } from '../../../../src/domain/events/event-filter.js';
import { normalFilter } from '../../../../src/domain/events/normal-filter.js';
import { countedScope } from '../../../../src/domain/statistics/counted-scope.js';

const KEY = { context: 'site', name: 'mailer' };
const scope = (filter: EventFilter, settings = {}) =>
  countedScope(KEY, { ...DEFAULT_SETTINGS, ...settings, filter: normalFilter(filter) });

describe('a consumer gets what is counted', () => {
  it.each([
    ['without a filter', {}, { topics: [], streams: [] }],
    ['with topics', { topics: ['a', 'b'] }, { topics: ['a', 'b'], streams: [] }],
    ['with topics and streams', { topics: ['a'], streams: ['s'] }, { topics: ['a'], streams: ['s'] }],
    ['with the status of what occurs', { kinds: [EntryKind.OCCURRED] }, { topics: [], streams: [] }],
    ['with lists that are empty', { tags: [], topics: ['a'] }, { topics: ['a'], streams: [] }],
  ])('%s', (_, filter, expected) => {
    expect(scope(filter)).toEqual({ context: 'site', ...expected });
  });

  it.each<EventFilter>([
    { issuers: ['x'] },
    { subjects: [1] },
    { tags: ['x'] },
    { entityTypes: ['x'] },
    { sessionIds: ['x'] },
    { properties: { a: 'x' } },
    { description: '{"n":1}' },
    { kinds: [EntryKind.OCCURRED, EntryKind.INVALIDATED] },
    { kinds: [EntryKind.EXPIRED] },
  ])('but not with %j', (filter) => expect(scope({ topics: ['a'], ...filter })).toBeUndefined());

  it('but not when it passes over its own', () => expect(scope({}, { ignoreOwn: true })).toBeUndefined());
});
