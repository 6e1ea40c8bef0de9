import { describe, expect, it } from 'vitest';
import {
  applySettings,
  assertFilterIsSeen,
  consumerCriteria,
  DEFAULT_SETTINGS,
  differingSettings,
  Ordering,
  type SettingsPatch,
  selectsOtherwise,
  streamCriteria,
} from '../../../../src/domain/consumers/consumer.js';
import { EVERY_EVENT } from '../../../../src/domain/consumers/settings/consumer-filter.js';
import { EntryKind } from '../../../../src/domain/events/event.js';
import type { EventFilter } from '../../../../src/domain/events/event-filter.js';

const key = { context: 'default', name: 'billing' };

describe('consumer settings', () => {
  it('take what is given and keep the rest', () => {
    expect(applySettings(DEFAULT_SETTINGS, {})).toEqual(DEFAULT_SETTINGS);
    expect(applySettings(DEFAULT_SETTINGS, { ignoreOwn: false, maxAttempts: 3, ordering: Ordering.NONE })).toEqual({
      ...DEFAULT_SETTINGS,
      maxAttempts: 3,
      ordering: Ordering.NONE,
    });
  });

  it('differ only in what is given, named as on the wire', () => {
    const stored = { ...DEFAULT_SETTINGS, filter: { topics: ['a'] } };
    expect(differingSettings(stored, {})).toEqual([]);
    expect(differingSettings(stored, stored)).toEqual([]);
    expect(differingSettings(stored, { filter: EVERY_EVENT, ackTimeoutMs: 1_000, ephemeral: false })).toEqual([
      { field: 'filter.topics', stored: '["a"]' },
      { field: 'ack_timeout', stored: '60s' },
    ]);
  });

  it('that differ are told with their units and by their names', () => {
    const filter = { subjects: [4], kinds: [EntryKind.INVALIDATED], description: '{"a":1}' };
    const stored = { ...DEFAULT_SETTINGS, filter, ackTimeoutMs: 1_500 };
    const other = {
      filter: EVERY_EVENT,
      ackTimeoutMs: 30_000,
      ordering: Ordering.NONE,
      maxAttempts: 3,
      ignoreOwn: true,
    };
    expect(differingSettings(stored, other)).toEqual([
      { field: 'filter.subjects', stored: '["CREATED"]' },
      { field: 'filter.statuses', stored: '["INVALIDATED"]' },
      { field: 'filter.description', stored: '{"a":1}' },
      { field: 'ack_timeout', stored: '1.5s' },
      { field: 'max_attempts', stored: '10' },
      { field: 'ordering', stored: 'BY_STREAM' },
      { field: 'ignore_own', stored: 'false' },
    ]);
  });

  it('that differ in the filter are named by the field that gives it, and by where for what only that can say', () => {
    const stored = { ...DEFAULT_SETTINGS, filter: { topics: ['a'], units: ['u'], properties: { k: 'v' } } };
    const named = (filterField: 'filter' | 'where') =>
      differingSettings(stored, { filter: EVERY_EVENT, filterField }).map(({ field }) => field);
    expect(named('filter')).toEqual(['filter.topics', 'where.units', 'where.properties']);
    expect(named('where')).toEqual(['where.topics', 'where.units', 'where.properties']);
    expect(differingSettings(stored, { filter: stored.filter, filterField: 'where' })).toEqual([]);
  });

  it('have a filter that filter changes only where it can say all of it', () => {
    const settings = (filter: EventFilter) => ({ ...DEFAULT_SETTINGS, filter });
    const change = (filter: EventFilter, patch: SettingsPatch) => () => assertFilterIsSeen(settings(filter), patch);
    const byFilter = { filter: EVERY_EVENT, filterField: 'filter' } as const;
    expect(change({ topics: ['a'], description: '{"a":1}' }, byFilter)).not.toThrow();
    expect(change({ topics: ['a'], sessionIds: ['s'] }, byFilter)).toThrow(/settings\.filter/);
    expect(change({ sessionIds: ['s'] }, { ...byFilter, filterField: 'where' })).not.toThrow();
    expect(change({ sessionIds: ['s'] }, { maxAttempts: 1 })).not.toThrow();
  });

  it('that are a back-off differ member by member', () => {
    const stored = { ...DEFAULT_SETTINGS, retryBackoff: { initialMs: 250, maxMs: 60_000, jitter: 0.5 } };
    expect(differingSettings(stored, { retryBackoff: { initialMs: 250, maxMs: 1, jitter: 0 } })).toEqual([
      { field: 'retry_backoff.max', stored: '60s' },
      { field: 'retry_backoff.jitter', stored: '0.5' },
    ]);
    expect(differingSettings(stored, { retryBackoff: { ...stored.retryBackoff, initialMs: 1 } })).toEqual([
      { field: 'retry_backoff.initial', stored: '0.25s' },
    ]);
    expect(selectsOtherwise(stored, DEFAULT_SETTINGS)).toBe(false);
  });

  it('select otherwise by the filter and by ignore_own alone', () => {
    expect(selectsOtherwise(DEFAULT_SETTINGS, { ...DEFAULT_SETTINGS, ackTimeoutMs: 1, ordering: Ordering.NONE })).toBe(
      false,
    );
    expect(selectsOtherwise(DEFAULT_SETTINGS, { ...DEFAULT_SETTINGS, ignoreOwn: true })).toBe(true);
    expect(selectsOtherwise(DEFAULT_SETTINGS, { ...DEFAULT_SETTINGS, filter: { tags: ['x'] } })).toBe(true);
  });
});

describe('consumer criteria', () => {
  it('name the consumer, so that what is addressed to others is left out', () => {
    expect(consumerCriteria(key, DEFAULT_SETTINGS)).toMatchObject({
      context: 'default',
      consumer: 'billing',
      ignoreOwn: false,
    });
  });

  it('of one stream keep the rest of the filter, and its own context for a consumer of all', () => {
    const settings = { ...DEFAULT_SETTINGS, filter: { topics: ['a'], streams: ['s', 't'] } };
    const stream = { context: 'north', name: 's' };
    expect(streamCriteria(key, settings, stream)).toMatchObject({ context: 'default', topics: ['a'], streams: ['s'] });
    expect(streamCriteria({ ...key, context: 'all' }, settings, stream)).toMatchObject({
      context: 'north',
      streams: ['s'],
    });
  });
});
