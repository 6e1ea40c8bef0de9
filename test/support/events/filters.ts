// Random filters over events of small alphabets, and a naive reading of what they select.

import fc from 'fast-check';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { EMPTY_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { ENTRY_KINDS, EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import type { EventCriteria, EventFilter } from '../../../src/domain/events/event-filter.js';

/** The lists of a filter, and what of an event has to be in each. */
const LISTS = {
  topics: ({ topic }) => topic,
  streams: ({ stream }) => stream,
  issuers: ({ issuer }) => issuer,
  subjects: ({ subject }) => subject,
  tags: ({ tag }) => tag,
  entityTypes: ({ entityType }) => entityType,
  sessionIds: ({ sessionId }) => sessionId,
  correlationIds: ({ correlationId }) => correlationId,
  toNames: ({ to }) => to,
  replyToNames: ({ replyTo }) => replyTo,
  organizations: ({ organization }) => organization,
  units: ({ unit }) => unit,
} as const satisfies {
  [List in Exclude<keyof EventFilter, 'kinds' | 'properties' | 'description'>]-?: (entry: LogEntry) => string | number;
};

/** Names of small alphabets; the last is of no event. */
const names = ['a', 'b', 'never used'] as const;
const text = fc.constantFrom('', 'a', 'b');
const properties = fc.constantFrom({}, { p: '1' }, { p: '1', q: '2' });
const list = <T>(...values: T[]) => fc.option(fc.subarray(values), { nil: undefined, freq: 2 });

/** Contexts of events. */
export const CONTEXTS = ['default', 'others'] as const;

/** An event to push. A stream has one issuer. */
export const someEvent: fc.Arbitrary<Partial<NewEvent> & { readonly n: number }> = fc
  .record({
    context: fc.constantFrom(...CONTEXTS),
    topic: fc.constantFrom('a', 'b'),
    stream: text,
    issuer: fc.constantFrom('a', 'b'),
    subject: fc.constantFrom(0, 4, 5),
    tag: text,
    entityType: text,
    sessionId: text,
    correlationId: text,
    to: text,
    replyTo: text,
    organization: text,
    unit: text,
    properties,
    n: fc.nat(2),
  })
  .map((event) => ({ ...event, issuer: event.stream === '' ? event.issuer : 'a' }));

/** A filter in no particular order, with what occurs twice and lists that are empty. */
export const someFilter: fc.Arbitrary<EventFilter> = fc
  .record(
    {
      ...{ topics: list(...names), streams: list(...names), issuers: list(...names), subjects: list(4, 5, 13) },
      ...{ tags: list(...names), entityTypes: list(...names), sessionIds: list(...names) },
      ...{ correlationIds: list(...names), toNames: list(...names), replyToNames: list(...names) },
      ...{ organizations: list(...names), units: list(...names), kinds: list(...ENTRY_KINDS) },
      properties: fc.constantFrom({}, { p: '1' }, { q: '2', p: '1' }, { p: 'never' }),
      description: fc.constantFrom('{"n":0}', '{"n":1}'),
    },
    { requiredKeys: [] },
  )
  .map((filter) => Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)));

/** A filter with where it looks, and who asks. */
export const someCriteria: fc.Arbitrary<EventCriteria> = fc
  .record({
    filter: someFilter,
    context: fc.constantFrom(...CONTEXTS, 'all', 'never used'),
    asks: fc.constantFrom({}, {}, { consumer: 'a' }, { consumer: 'a', ignoreOwn: true }),
  })
  .map(({ filter, context, asks }) => ({ ...filter, context, ...asks }));

/** The same filter in other words: its lists turned round and longer, its members in another order. */
export function reworded(filter: EventFilter): EventFilter {
  const others = Object.entries(filter).map(([member, value]) => {
    if (Array.isArray(value)) return [member, [...value.toReversed(), ...value]];
    return [member, typeof value === 'object' ? Object.fromEntries(Object.entries(value).reverse()) : value];
  });
  return Object.fromEntries(others.reverse());
}

/** An entry of the event, as if it had been stored. */
export function entryOf({ n, ...event }: Partial<NewEvent> & { readonly n: number }, kind: EntryKind): LogEntry {
  const rest = event.properties === undefined ? undefined : { properties: event.properties };
  const payload = { contentType: '', bytes: Buffer.from(JSON.stringify({ n, m: { n: 7 } })) };
  return {
    ...EMPTY_ENVELOPE,
    ...{ context: 'default', topic: '', issuer: '', ...(event as object), rest },
    ...{ position: 1, kind, eventId: 1, sequence: 0, messageId: '', createdAt: 1 },
    payload: kind === EntryKind.OCCURRED ? payload : undefined,
  };
}

/** Whether the criteria select the entry. `n`: what the payload says that its description is held against. */
export function naivelySelects(criteria: EventCriteria, entry: LogEntry, n: number | undefined): boolean {
  const { kinds = [], context, properties: wanted = {}, description, consumer, ignoreOwn } = criteria;
  const lists = Object.entries(LISTS) as [keyof typeof LISTS, (entry: LogEntry) => string | number][];
  return [
    context === 'all' || context === entry.context,
    kinds.length === 0 ? entry.kind === EntryKind.OCCURRED : kinds.includes(entry.kind),
    ...lists.map(([member, of]) => {
      const values: readonly unknown[] = criteria[member] ?? [];
      return values.length === 0 || values.includes(of(entry));
    }),
    ...Object.entries(wanted).map(([key, value]) => entry.rest?.properties?.[key] === value),
    description === undefined || (n !== undefined && (JSON.parse(description) as { n: number }).n === n),
    consumer === undefined || entry.to === '' || entry.to === consumer,
    consumer === undefined || ignoreOwn !== true || (entry.issuer !== consumer && entry.replyTo !== consumer),
  ].every(Boolean);
}
