// The one filter of lists, readers, watchers and consumers: each way selects the same events, echoes the same filter, and refuses what
// means nothing to it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventFilter, EventStatus, type NewEvent, Subject } from '../../../generated/madeleine/v1/event.js';
import { ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { EntryKind } from '../../../src/domain/events/event.js';
import { type Refusal, refusalOf, take } from '../../support/contract/refusals.js';
import { jsonPayload } from '../../support/events/builders.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { entryOf, naivelySelects, reworded, someEvent, someFilter } from '../../support/events/filters.js';
import { useServer } from '../../support/server/suite.js';

type Filter = Partial<EventFilter>;

interface Selected {
  readonly events: readonly Event[];
  readonly echo: EventFilter | undefined;
}

/** A way to select events. */
interface Way {
  readonly way: string;
  /** Where the filter stands in the request. */
  readonly path: string;
  /** The events in `among` that the filter selects, and the filter that the answer echoes. */
  readonly select: (filter: Filter, among: () => Promise<readonly Event[]>) => Promise<Selected>;
}

const suite = useServer();
const { push, invalidate } = eventCalls(suite);
const INVALID = { status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID' };
let count = 0;

async function list(filter: Filter, among: () => Promise<readonly Event[]>): Promise<Selected> {
  await among();
  const { events, filter: echo } = await suite.client.events.listEvents({ filter });
  return { events, echo };
}

async function read(filter: Filter, among: () => Promise<readonly Event[]>): Promise<Selected> {
  await among();
  const frames = await take(suite.client.events.readEvents({ filter }), () => false);
  const [opened] = frames;
  const echo = opened?.frame?.$case === 'opened' ? opened.frame.value.filter : undefined;
  return { events: frames.flatMap(({ events }) => events), echo };
}

async function watch(filter: Filter, among: () => Promise<readonly Event[]>): Promise<Selected> {
  const events: Event[] = [];
  let echo: EventFilter | undefined;
  let last: bigint | undefined;
  for await (const { events: seen, frame } of suite.client.events.watchEvents({ filter })) {
    if (last === undefined) {
      echo = frame?.$case === 'watching' ? frame.value.filter : undefined;
      await among();
      // Whatever the filter is, it selects this one.
      last = (await push(marker(filter))).position;
    }
    events.push(...seen);
    if (events.at(-1)?.position === last) break;
  }
  return { events: events.slice(0, -1), echo };
}

/** An event that the filter selects. */
function marker(filter: Filter): Partial<NewEvent> {
  const { context, topics, streams, stream, issuers, issuer, subjects, subject, tags, tag } = filter;
  return {
    ...{ context: context === 'all' ? '' : (context ?? ''), topic: topics?.[0] ?? 'marker' },
    ...{ stream: streams?.[0] ?? stream ?? '', issuer: issuers?.[0] ?? issuer ?? 'shop' },
    ...{ subject: subjects?.[0] ?? subject ?? 0, tag: tags?.[0] ?? tag ?? '' },
    ...{ entityType: filter.entityTypes?.[0] ?? '', sessionId: filter.sessionIds?.[0] ?? filter.sessionId ?? '' },
    ...{ correlationId: filter.correlationIds?.[0] ?? '', to: filter.toNames?.[0] ?? '' },
    ...{ replyTo: filter.replyToNames?.[0] ?? '', organization: filter.organizations?.[0] ?? '' },
    ...{ unit: filter.units?.[0] ?? '', properties: filter.properties ?? {} },
    payload: jsonPayload(filter.description ?? { n: 1 }),
  };
}

async function fetch(where: Filter, among: () => Promise<readonly Event[]>): Promise<Selected> {
  await among();
  const { context = 'default', toNames } = where;
  const consumer = toNames?.[0] ?? `c-${++count}`;
  const settings = ConsumerSettings.fromPartial({ where } as ConsumerSettings);
  const { deliveries, filter } = await suite.client.consumers.fetch({ context, consumer, settings, limit: 1_000 });
  await suite.client.consumers.deleteConsumer({ context, name: consumer });
  // The context of a consumer goes without saying.
  const echo = filter && { ...filter, context };
  return { events: deliveries.flatMap(({ event }) => (event === undefined ? [] : [event])), echo };
}

async function subscribe(where: Filter, among: () => Promise<readonly Event[]>): Promise<Selected> {
  const pushed = await among();
  const { context = 'default', toNames } = where;
  const consumer = toNames?.[0] ?? `c-${++count}`;
  const settings = ConsumerSettings.fromPartial({ where } as ConsumerSettings);
  const events: Event[] = [];
  let echo: EventFilter | undefined;
  for await (const { deliveries, frame } of suite.client.consumers.subscribe({ context, consumer, settings })) {
    if (frame?.$case === 'opened') echo = frame.value.consumer?.settings?.where;
    events.push(...deliveries.flatMap(({ event }) => (event === undefined ? [] : [event])));
    if (frame?.$case === 'caughtUp' && frame.value.position >= (pushed.at(-1)?.position ?? 0n)) break;
  }
  await suite.client.consumers.deleteConsumer({ context, name: consumer });
  return { events, echo: echo && { ...echo, context } };
}

const WAYS: readonly Way[] = [
  { way: 'ListEvents', path: 'filter', select: list },
  { way: 'ReadEvents', path: 'filter', select: read },
  { way: 'WatchEvents', path: 'filter', select: watch },
  { way: 'Fetch', path: 'settings.where', select: fetch },
  { way: 'Subscribe', path: 'settings.where', select: subscribe },
];

/** Members of a filter that are lists of texts, and the event's field. */
const TEXT_LISTS = [
  ['streams', 'stream'],
  ['issuers', 'issuer'],
  ['tags', 'tag'],
  ['entityTypes', 'entityType'],
  ['sessionIds', 'sessionId'],
  ['correlationIds', 'correlationId'],
  ['toNames', 'to'],
  ['replyToNames', 'replyTo'],
  ['organizations', 'organization'],
  ['units', 'unit'],
] as const satisfies readonly (readonly [keyof EventFilter, keyof NewEvent & keyof EventFilter])[];

describe.each(WAYS)('the filter of $way', ({ way, path, select }) => {
  const refused = (filter: Filter): Promise<Refusal> => refusalOf(select(filter, async () => []));

  it.each(TEXT_LISTS)('selects by %s, and echoes them', async (many, field) => {
    const topic = `t-${++count}`;
    const value = (name: string) => `${name} ${topic}`;
    // What is addressed to another is no consumer's, and a stream has one issuer.
    const wanted = many === 'toNames' ? [value('a')] : [value('b'), value('a')];
    const events = ['a', 'b', 'c'].map((name) => ({ topic, [field]: value(name) }));
    const pushed: Event[] = [];
    const among = async () => {
      for (const event of events) pushed.push(await push(event));
      return pushed;
    };
    const { events: found, echo } = await select({ topics: [topic], [many]: wanted }, among);
    expect(found.map(({ position }) => position)).toEqual(pushed.slice(0, wanted.length).map((e) => e.position));
    expect(echo).toEqual({
      ...EventFilter.fromPartial({ context: 'default', topics: [topic] }),
      [many]: wanted.toSorted(),
    });
  });

  it('joins the single value of a field with the list of it, and tells both as one list', async () => {
    const topic = `t-${++count}`;
    const pushed: Event[] = [];
    const among = async () => {
      for (const subject of [Subject.SUBJECT_CREATED, Subject.SUBJECT_UPDATED, Subject.SUBJECT_DELETED])
        for (const tag of ['x', 'y']) pushed.push(await push({ topic, subject, tag }));
      return pushed;
    };
    const said = {
      ...{ topics: [topic, topic], subject: Subject.SUBJECT_DELETED, subjects: [Subject.SUBJECT_CREATED] },
      ...{ tag: 'x', tags: ['x', 'y'], statuses: [EventStatus.EVENT_STATUS_OCCURRED] },
    };
    const { events, echo } = await select(said, among);
    expect(events.map(({ position }) => position)).toEqual([0, 1, 4, 5].map((index) => pushed[index]?.position));
    const subjects = [Subject.SUBJECT_CREATED, Subject.SUBJECT_DELETED];
    expect(echo).toEqual(EventFilter.fromPartial({ context: 'default', topics: [topic], subjects, tags: ['x', 'y'] }));
  });

  it('selects by context, statuses, properties and description together', async () => {
    const topic = `t-${++count}`;
    const context = `site ${count}`;
    const withdrawn = { properties: { a: '1', b: '2' }, payload: jsonPayload({ order: { id: 7 }, n: 1 }) };
    const among = async () => {
      const { id } = await push({ context, topic, ...withdrawn });
      await push({ context, topic, ...withdrawn, payload: jsonPayload({ order: { id: 8 } }) });
      await push({ context, topic, ...withdrawn, properties: { a: '1' } });
      await push({ topic, ...withdrawn });
      const { event } = await invalidate(id);
      // Of the invalidation, not of the event: it is the last entry.
      return event === undefined ? [] : [await push({ context, topic: `${topic} x` })];
    };
    const { EVENT_STATUS_INVALIDATED, EVENT_STATUS_OCCURRED } = EventStatus;
    const filter = {
      ...{ context, topics: [topic], properties: { b: '2', a: '1' }, description: { order: { id: 7 } } },
      statuses: [EVENT_STATUS_INVALIDATED, EVENT_STATUS_OCCURRED],
    };
    const { events, echo } = await select(filter, among);
    const statuses = events.map(({ status }) => status);
    // The entry that withdraws has no properties of its own.
    expect(statuses).toContain(EVENT_STATUS_OCCURRED);
    expect(events.every(({ topic: of }) => of === topic)).toBe(true);
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    expect(echo?.statuses).toEqual([EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED]);
    expect(echo).toMatchObject({ context, properties: { a: '1', b: '2' }, description: { order: { id: 7 } } });
  });

  it('keeps to its bounds', async () => {
    const many = (length: number) => Array.from({ length }, (_, n) => `name ${n}`);
    expect(await refused({ streams: many(101) })).toMatchObject({ ...INVALID, fields: [`${path}.streams`] });
    expect(await refused({ streams: many(100), stream: 'other' })).toMatchObject({
      ...INVALID,
      fields: [`${path}.streams`],
    });
    const { echo } = await select({ streams: many(100), stream: 'name 7' }, async () => []);
    expect(echo?.streams).toHaveLength(100);
    expect(await refused({ tags: ['x', ' y'] })).toMatchObject({ ...INVALID, fields: [`${path}.tags[1]`] });
    expect(await refused({ tag: ' y' })).toMatchObject({ ...INVALID, fields: [`${path}.tag`] });
    expect(await refused({ sessionIds: [''] })).toMatchObject({ ...INVALID, fields: [`${path}.session_ids[0]`] });
    expect(await refused({ subjects: [4, 99 as Subject] })).toMatchObject({
      ...INVALID,
      fields: [`${path}.subjects[1]`],
    });
    const long = Object.fromEntries(many(17).map((name) => [name, 'x']));
    expect(await refused({ properties: long })).toMatchObject({ ...INVALID, fields: [`${path}.properties`] });
    for (const value of ['x'.repeat(4_097), 'ü'.repeat(2_049)]) {
      expect(await refused({ properties: { a: value } })).toMatchObject({ ...INVALID, fields: [`${path}.properties`] });
    }
    const wide = Object.fromEntries(many(5).map((name) => [name, 'x'.repeat(4_000)]));
    expect(await refused({ properties: wide })).toMatchObject({ ...INVALID, fields: [`${path}.properties`] });
    expect(await refused({ description: {} })).toMatchObject({ ...INVALID, fields: [`${path}.description`] });
    const context = path === 'filter' ? 'filter.context' : 'context';
    expect(await refused({ context: ' x' })).toMatchObject({ ...INVALID, fields: [context] });
  });

  it('takes AWAITED in lists only', async () => {
    const statuses = [EventStatus.EVENT_STATUS_OCCURRED, EventStatus.EVENT_STATUS_AWAITED];
    const topics = [`t-${++count}`];
    if (way === 'ListEvents') expect((await select({ topics, statuses }, async () => [])).events).toEqual([]);
    else expect(await refused({ topics, statuses })).toMatchObject({ ...INVALID, fields: [`${path}.statuses[1]`] });
    expect(await refused({ topics, statuses: [0] })).toMatchObject({ ...INVALID, fields: [`${path}.statuses[0]`] });
  });

  it('takes times and positions where they mean something', async () => {
    const time = { seconds: 1n, nanos: 0 };
    const bounds: readonly (readonly [string, Filter])[] = [
      ['start_time', { startTime: time }],
      ['end_time', { endTime: time }],
      ['after_position', { afterPosition: 1n }],
      ['before_position', { beforePosition: 1n }],
    ];
    for (const [field, bound] of bounds) {
      const isRead = way === 'ListEvents' || way === 'ReadEvents';
      if (isRead) expect((await select({ ...bound, topics: ['none'] }, async () => [])).echo).toMatchObject(bound);
      else expect(await refused(bound)).toMatchObject({ ...INVALID, fields: [`${path}.${field}`] });
    }
  });
});

describe('random filters', () => {
  it('select the same events of a list, a reader and a consumer', { timeout: 120_000 }, async () => {
    const context = `random ${++count}`;
    for (const { n, ...event } of fc.sample(someEvent, { numRuns: 120, seed: 2 }))
      await push({ ...event, context, payload: jsonPayload({ n }) });
    // Without what the server tells of the consumers below.
    const topics = ['a', 'b'];
    const all = (await suite.client.events.listEvents({ filter: { context, topics }, pageSize: 1_000 })).events;
    const positions = (events: readonly Event[]) => events.map(({ position }) => position);
    await fc.assert(
      fc.asyncProperty(someFilter, async (said) => {
        const { kinds: _, description, ...lists } = reworded(said);
        const filter = {
          ...(lists as Filter),
          topics: (said.topics ?? []).length === 0 ? topics : [...(said.topics ?? [])],
          ...(description === undefined ? {} : { description: JSON.parse(description) }),
          context,
        };
        const expected = all.filter((event) => {
          const payload = event.payload?.body?.value as { n: number };
          const entry = { ...entryOf({ ...event, n: payload.n }, EntryKind.OCCURRED), context };
          return naivelySelects({ ...said, kinds: [], context }, entry, payload.n);
        });
        const listed = await suite.client.events.listEvents({ filter, pageSize: 1_000 });
        expect(positions(listed.events)).toEqual(positions(expected));
        expect(positions((await read(filter, async () => [])).events)).toEqual(positions(expected));
        // A consumer is an addressee.
        if (said.toNames !== undefined && said.toNames.length > 0 && !said.toNames.includes('a')) return;
        const settings = ConsumerSettings.fromPartial({ where: filter } as ConsumerSettings);
        const consumer = { context, consumer: 'a', settings, limit: 1_000 };
        const { deliveries } = await suite.client.consumers.fetch(consumer);
        await suite.client.consumers.deleteConsumer({ context, name: 'a' });
        const own = expected.filter(({ to }) => to === '' || to === 'a');
        expect(deliveries.map(({ event }) => event?.position)).toEqual(positions(own));
      }),
      { numRuns: 60 },
    );
  });
});

describe('ReadEvents', () => {
  const FORMER = {
    ...{ context: 'x', topics: ['x'], start_time: { seconds: 1n, nanos: 0 }, stream: 'x', issuer: 'x', subjects: [4] },
    ...{ tags: ['x'], entity_types: ['x'], statuses: [2], description: { a: 1 } },
  };
  const refused = (request: object): Promise<Refusal> =>
    refusalOf(take(suite.client.events.readEvents(request), () => false));

  it.each(Object.entries(FORMER))('refuses %s beside the filter, naming both', async (field, value) => {
    const member = field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    expect(await refused({ filter: {}, [member]: value })).toMatchObject({ ...INVALID, fields: [field, 'filter'] });
  });

  it('names all fields beside the filter at once', async () => {
    const { fields } = await refused(
      ReadEventsRequest.fromPartial({ filter: {}, context: 'x', topics: ['y'], tags: ['z'] }),
    );
    expect(fields).toEqual(['context', 'topics', 'tags', 'filter']);
  });

  it('reads the span of the filter, and ends there', async () => {
    const topic = `t-${++count}`;
    const pushed: Event[] = [];
    for (let n = 0; n < 6; n += 1) pushed.push(await push({ topic }));
    const positions = async (filter: Filter, request: object = {}) =>
      (await take(suite.client.events.readEvents({ filter: { topics: [topic], ...filter }, ...request }), () => false))
        .flatMap(({ events }) => events)
        .map(({ position }) => pushed.findIndex((event) => event.position === position));
    const at = (index: number) => pushed[index]?.position ?? 0n;
    expect(await positions({})).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await positions({ afterPosition: at(1), beforePosition: at(4) })).toEqual([2, 3]);
    expect(await positions({ beforePosition: at(4) }, { afterPosition: at(2), batchSize: 1 })).toEqual([3]);
    expect(await positions({ beforePosition: at(2) }, { afterPosition: at(4) })).toEqual([]);
    expect(await positions({ beforePosition: 0n })).toEqual([]);
    expect(await positions({ beforePosition: 2n ** 64n - 1n })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await positions({ startTime: pushed[1]?.createdAt, endTime: pushed[4]?.createdAt })).toEqual([2, 3]);
    expect(await positions({ endTime: { seconds: 1n, nanos: 0 } })).toEqual([]);
  });

  it('refuses a position that is said twice or lies above the head, and an end of what goes on', async () => {
    expect(await refused({ afterPosition: 1n, filter: { afterPosition: 1n } })).toMatchObject({
      ...INVALID,
      fields: ['after_position', 'filter.after_position'],
    });
    expect(await refused({ filter: { afterPosition: 2n ** 50n } })).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'POSITION_BEYOND_HEAD', fields: ['filter.after_position'] },
    });
    const ends = { endTime: { seconds: 1n, nanos: 0 }, beforePosition: 1n };
    expect(await refused({ follow: true, filter: ends })).toMatchObject({
      ...INVALID,
      fields: ['follow', 'filter.end_time', 'filter.before_position'],
    });
  });

  it('goes on live with a filter', async () => {
    const topic = `t-${++count}`;
    const first = await push({ topic, tag: 'a' });
    const frames = take(
      suite.client.events.readEvents({ filter: { topics: [topic], tags: ['a', 'b'] }, follow: true }),
      (seen) => seen.flatMap(({ events }) => events).length === 2,
    );
    await push({ topic, tag: 'c' });
    const second = await push({ topic, tag: 'b' });
    const seen = await frames;
    expect(seen[0]?.frame).toMatchObject({ $case: 'opened', value: { logEpoch: expect.any(BigInt) } });
    expect(seen.flatMap(({ events }) => events).map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  it('opens with nothing but events for who says what it reads as before', async () => {
    const topic = `t-${++count}`;
    await push({ topic });
    const frames = await take(suite.client.events.readEvents({ topics: [topic] }), () => false);
    expect(frames.map(({ frame }) => frame?.$case)).toEqual([undefined, 'caughtUp']);
  });
});

describe('WatchEvents', () => {
  it.each([
    ['context', { context: 'x' }],
    ['topics', { topics: ['x'] }],
  ])('refuses %s beside the filter, naming both', async (field, beside) => {
    const watching = take(suite.client.events.watchEvents({ filter: {}, ...beside }), () => false);
    expect(await refusalOf(watching)).toMatchObject({ ...INVALID, fields: [field, 'filter'] });
  });

  it('echoes nothing to who says what it watches as before', async () => {
    const [first] = await take(suite.client.events.watchEvents({ topics: ['x'] }), () => true);
    expect(first?.frame).toMatchObject({ $case: 'watching', value: { filter: undefined } });
  });
});

describe('ListEvents', () => {
  it('echoes nothing without a filter, and in pages the whole one', async () => {
    const topic = `t-${++count}`;
    for (let n = 0; n < 3; n += 1) await push({ topic, tag: 'a' });
    expect((await suite.client.events.listEvents({})).filter).toBeUndefined();
    const filter = { topics: [topic], tags: ['b', 'a'] };
    const first = await suite.client.events.listEvents({ filter, pageSize: 2 });
    // The same selection in other words takes the token.
    const same = { topics: [topic], tag: 'b', tags: ['a', 'b', 'a'] };
    const next = await suite.client.events.listEvents({ filter: same, pageSize: 2, pageToken: first.nextPageToken });
    expect([first, next].map(({ events }) => events.length)).toEqual([2, 1]);
    expect(next.filter).toEqual(first.filter);
    const other = suite.client.events.listEvents({ filter: { topics: [topic] }, pageToken: first.nextPageToken });
    expect(await refusalOf(other)).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  });
});
