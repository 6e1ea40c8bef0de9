// Who gets the events of the server's own topics: who names them.

import { describe, expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { compileCriteria, type EventCriteria } from '../../../../src/domain/events/event-filter.js';
import { isReservedTopic, reservedTopicProblem } from '../../../../src/domain/names.js';

function entry(topic: string): LogEntry {
  const own = { kind: EntryKind.OCCURRED, position: 1, eventId: 1, sequence: 0, messageId: '', createdAt: 1 };
  return { ...BLANK_ENVELOPE, context: 'default', topic, ...own, payload: undefined };
}

describe('a topic of the server', () => {
  it.each([
    ['madeleine.audit', true],
    ['madeleine.', true],
    ['madeleine', false],
    ['madeleines.of.proust', false],
    ['Madeleine.audit', false],
    ['my.madeleine.audit', false],
  ])('is known by its name: %s', (topic, isReserved) => {
    expect(isReservedTopic(topic)).toBe(isReserved);
    expect(reservedTopicProblem(topic) !== undefined).toBe(isReserved);
  });

  it.each<[what: string, criteria: Partial<EventCriteria>, matches: boolean]>([
    ['for everything', {}, false],
    ['for every context', { context: 'all' }, false],
    ['for a list of no topics', { topics: [] }, false],
    ['for an issuer', { issuers: ['madeleine', ''] }, false],
    ['for every kind', { kinds: [EntryKind.OCCURRED, EntryKind.INVALIDATED] }, false],
    ['as a consumer', { consumer: 'c' }, false],
    ['for another topic of the server', { topics: ['madeleine.endpoint'] }, false],
    ['for the topic', { topics: ['madeleine.audit'] }, true],
    ['for the topic and others', { topics: ['orders', 'madeleine.audit'] }, true],
    ['as the server itself', { withReserved: true }, true],
  ])('matches who asks %s as its name is told or not', (_what, criteria, matches) => {
    const isMatch = compileCriteria({ context: 'default', ...criteria });
    expect(isMatch(entry('madeleine.audit'))).toBe(matches);
    expect(isMatch(entry('orders'))).toBe(
      criteria.topics === undefined || ['', 'orders'].includes(criteria.topics[0] ?? ''),
    );
  });
});
