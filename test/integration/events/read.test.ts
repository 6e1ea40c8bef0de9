import { describe, expect, it } from 'vitest';
import { type Event as EventMessage, EventStatus, type NewEvent } from '../../../generated/madeleine/v1/event.js';
import type { ReadEventsResponse, WatchEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf, take } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { withPayloadHash } from '../../support/events/payload-hash.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();

async function push(changes: Partial<NewEvent> = {}): Promise<EventMessage> {
  const { event } = await suite.client.events.pushEvent({ event: newEvent(changes) });
  return event as EventMessage;
}

async function pushMany(changes: Partial<NewEvent>[]): Promise<EventMessage[]> {
  const { results } = await suite.client.events.pushEvents({
    events: changes.map((change) => ({ event: newEvent(change) })),
  });
  return results.map(({ event }) => event as EventMessage);
}

const eventsOf = (frames: readonly { events: EventMessage[] }[]) => frames.flatMap(({ events }) => events);
const positionsOf = (events: readonly EventMessage[]) => events.map(({ position }) => position);
const newsOf = (frames: readonly (ReadEventsResponse | WatchEventsResponse)[]) =>
  frames.map(({ frame }) => frame?.$case ?? 'events');

describe('ReadEvents', () => {
  it('returns everything after a position, in order, and ends caught up', async () => {
    const pushed = await pushMany(
      Array.from({ length: 600 }, (_, n) => ({ context: 'read', payload: jsonPayload({ n }) })),
    );
    const frames = await take(suite.client.events.readEvents({ context: 'read' }), () => false);
    expect(positionsOf(eventsOf(frames))).toEqual(positionsOf(pushed));
    expect(newsOf(frames)).toEqual(['events', 'events', 'events', 'caughtUp']);
    const middle = pushed[299] as EventMessage;
    const rest = await take(
      suite.client.events.readEvents({ context: 'read', afterPosition: middle.position }),
      () => false,
    );
    expect(positionsOf(eventsOf(rest))).toEqual(positionsOf(pushed.slice(300)));
  });

  it('goes on live without a seam', async () => {
    const pushed = await pushMany([{ topic: 'seam' }, { topic: 'seam' }]);
    const reading = take(
      suite.client.events.readEvents({ topics: ['seam'], follow: true }),
      (seen) => eventsOf(seen).length === 52,
    );
    for (let n = 0; n < 50; n += 1) pushed.push(await push({ topic: 'seam' }));
    expect(positionsOf(eventsOf(await reading))).toEqual(positionsOf(pushed));
  });

  it('meets every event once while many push', async () => {
    const reading = take(
      suite.client.events.readEvents({ topics: ['busy'], follow: true, batchSize: 7 }),
      (seen) => eventsOf(seen).length >= 300,
    );
    const pushed = await Promise.all(Array.from({ length: 300 }, () => push({ topic: 'busy' })));
    const expected = positionsOf(pushed).sort((a, b) => Number(a - b));
    expect(positionsOf(eventsOf(await reading))).toEqual(expected);
  });

  it('starts strictly after a time', async () => {
    const [a, b] = (await pushMany([{ topic: 'timed' }, { topic: 'timed' }])) as [EventMessage, EventMessage];
    const since = async (startTime: EventMessage['createdAt']) =>
      positionsOf(eventsOf(await take(suite.client.events.readEvents({ topics: ['timed'], startTime }), () => false)));
    expect(await since(a.createdAt)).toEqual([b.position]);
    expect(await since(b.createdAt)).toEqual([]);
    expect(await since({ seconds: 0n, nanos: 0 })).toEqual([a.position, b.position]);
  });

  it('filters by every criterion', async () => {
    const context = 'filters';
    const [plain] = await pushMany([{ context }]);
    const cases: [Partial<NewEvent>, object][] = [
      [{ topic: 'other' }, { topics: ['other', 'none'] }],
      [{ stream: 's-1' }, { stream: 's-1' }],
      [{ issuer: 'anna' }, { issuer: 'anna' }],
      [{ subject: 4 }, { subjects: [4, 5] }],
      [{ tag: 'blue' }, { tags: ['blue', 'red'] }],
      [{ entityType: 'Order' }, { entityTypes: ['Order'] }],
    ];
    for (const [changes, filter] of cases) {
      const event = await push({ context, ...changes });
      const seen = eventsOf(await take(suite.client.events.readEvents({ context, ...filter }), () => false));
      expect(positionsOf(seen)).toEqual([event.position]);
    }
    expect(plain?.context).toBe(context);
    const nothing = await take(suite.client.events.readEvents({ context: 'never used' }), () => false);
    expect(newsOf(nothing)).toEqual(['caughtUp']);
  });

  it('filters by a part of the payload, live too, and shows what is described by it', async () => {
    const { events } = suite.client;
    const context = 'described';
    const payload = (order: object) => ({ context, payload: jsonPayload({ order, at: 1 }) });
    const [a, , c] = (await pushMany([
      payload({ id: 1, state: 'paid' }),
      payload({ id: 2, state: 'paid' }),
      payload({ id: 1, state: 'sent' }),
      { context, payload: bytesPayload('{"order":{"id":1}}', 'text/plain') },
    ])) as [EventMessage, EventMessage, EventMessage];
    const description = { order: { id: 1 } };
    const expected = [a.position, c.position];
    const reading = take(events.readEvents({ context, description, follow: true }), (frames) =>
      eventsOf(frames).some(({ position }) => position > c.position),
    );
    const listed = await events.listEvents({ filter: { context, description } });
    expect(positionsOf(listed.events)).toEqual(expected);
    const live = await push(payload({ id: 1.0 }));
    expect(positionsOf(eventsOf(await reading))).toEqual([...expected, live.position]);
    const wait = await events.pushEvent({
      event: { ...newEvent({ context, payload: undefined }), description: { order: { id: 1, state: 'lost' } } },
    });
    const awaited = await events.listEvents({
      filter: { context, description, statuses: [EventStatus.EVENT_STATUS_AWAITED] },
    });
    expect(awaited.events.map(({ id }) => id)).toEqual([wait.event?.id]);
  });

  it('reads all contexts as one log', async () => {
    const pushed = await pushMany([
      { context: 'one', topic: 'all-of-it' },
      { context: 'two', topic: 'all-of-it' },
    ]);
    const seen = eventsOf(
      await take(suite.client.events.readEvents({ context: 'all', topics: ['all-of-it'] }), () => false),
    );
    expect(positionsOf(seen)).toEqual(positionsOf(pushed));
  });

  it('finds by any mix of streams, topics and contexts what a full scan finds', async () => {
    const everything = async (request: object) =>
      eventsOf(await take(suite.client.events.readEvents(request), () => false));
    const changes = Array.from({ length: 200 }, (_, n) => ({
      context: `mix-${n % 2}`,
      topic: `t-${n % 5}`,
      stream: n % 3 === 0 ? `s-${n % 7}` : '',
      issuer: 'mixer',
    }));
    await pushMany(changes);
    const all = (await everything({ context: 'all' })).filter(({ issuer }) => issuer === 'mixer');
    for (const topics of [[], ['t-1'], ['t-1', 't-4', 'absent']]) {
      for (const stream of ['', 's-3']) {
        for (const context of ['mix-0', 'mix-1', 'all']) {
          const expected = all.filter(
            (e) =>
              (context === 'all' || e.context === context) &&
              (stream === '' || e.stream === stream) &&
              (topics.length === 0 || topics.includes(e.topic)),
          );
          const seen = await everything({ context, stream, topics, issuer: 'mixer' });
          expect(positionsOf(seen)).toEqual(positionsOf(expected));
        }
      }
    }
  });

  it('ends frames at about a mebibyte', async () => {
    const text = 'x'.repeat(200_000);
    await pushMany(Array.from({ length: 12 }, () => ({ topic: 'large', payload: jsonPayload(text) })));
    const frames = await take(suite.client.events.readEvents({ topics: ['large'] }), () => false);
    const sizes = frames.map(({ events }) => events.length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6);
    expect(eventsOf(frames)).toHaveLength(12);
  });

  it('refuses positions beyond the head, and bad fields', async () => {
    const read = (request: object) => refusalOf(take(suite.client.events.readEvents(request), () => false));
    expect(await read({ afterPosition: 2n ** 64n - 1n })).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'POSITION_BEYOND_HEAD',
    });
    expect(await read({ description: {} })).toMatchObject({ reason: 'FIELD_INVALID', fields: ['description'] });
    expect(await read({ description: { a: Number.NaN } })).toMatchObject({ fields: ['description'] });
    expect(await read({ statuses: [2, 1] })).toMatchObject({ reason: 'FIELD_INVALID', fields: ['statuses[1]'] });
    expect(await read({ statuses: [17] })).toMatchObject({ reason: 'FIELD_INVALID', fields: ['statuses[0]'] });
    expect(await read({ topics: ['ok', ' bad'] })).toMatchObject({ fields: ['topics[1]'] });
    expect(await read({ topics: Array.from({ length: 101 }, (_, n) => `t${n}`) })).toMatchObject({
      fields: ['topics'],
    });
    expect(await read({ batchSize: -1 })).toMatchObject({ fields: ['batch_size'] });
    expect(await read({ stream: ' bad' })).toMatchObject({ fields: ['stream'] });
    expect(await read({ issuer: ' bad' })).toMatchObject({ fields: ['issuer'] });
    expect(await read({ statuses: Array(101).fill(2) })).toMatchObject({ fields: ['statuses'] });
    expect(await read({ subjects: Array(101).fill(1) })).toMatchObject({ fields: ['subjects'] });
    expect(await read({ subjects: [99] })).toMatchObject({ fields: ['subjects[0]'] });
    expect(await read({ payloadEncoding: 9 })).toMatchObject({ fields: ['payload_encoding'] });
  });
});

describe('WatchEvents', () => {
  it('streams what occurs from now on', async () => {
    await push({ topic: 'watched' });
    const stream = suite.client.events.watchEvents({ topics: ['watched'] })[Symbol.asyncIterator]();
    expect(((await stream.next()).value as WatchEventsResponse).frame?.$case).toBe('watching');
    const event = await push({ topic: 'watched' });
    await push({ topic: 'unwatched' });
    const { events } = (await stream.next()).value as WatchEventsResponse;
    expect(positionsOf(events)).toEqual([event.position]);
    await stream.return?.();
  });
});

describe('PeekEvent', () => {
  it('walks a topic event by event, to the end', async () => {
    const pushed = await pushMany([{ topic: 'peeked' }, { topic: 'peeked' }]);
    const head = await push({ topic: 'beside' });
    let position = 0n;
    for (const event of pushed) {
      const answer = await suite.client.events.peekEvent({ topic: 'peeked', afterPosition: position });
      expect(answer.event?.position).toBe(event.position);
      expect(answer.caughtUp).toBe(false);
      position = answer.position;
    }
    const end = await suite.client.events.peekEvent({ topic: 'peeked', afterPosition: position });
    expect(end).toMatchObject({ event: undefined, caughtUp: true, position: head.position });
  });
});

describe('GetEvent', () => {
  it('finds by id and by context and message id', async () => {
    const event = await push({ context: 'get' });
    const byId = await suite.client.events.getEvent({ key: { $case: 'id', value: event.id } });
    const byMessage = await suite.client.events.getEvent({
      context: 'get',
      key: { $case: 'messageId', value: event.messageId },
    });
    expect(byId.event).toEqual(withPayloadHash(event));
    expect(byMessage.event).toEqual(withPayloadHash(event));
  });

  it('answers what it does not know with NOT_FOUND', async () => {
    const get = (request: object) => refusalOf(suite.client.events.getEvent(request));
    expect(await get({ key: { $case: 'id', value: 2n ** 64n - 1n } })).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'EVENT_UNKNOWN',
    });
    const event = await push();
    const elsewhere = { context: 'elsewhere', key: { $case: 'messageId', value: event.messageId } } as const;
    expect(await get(elsewhere)).toMatchObject({ reason: 'EVENT_UNKNOWN' });
    await expect(suite.client.events.getEvent(elsewhere)).rejects.toThrow(
      `there is no event with message id "${event.messageId}" in context "elsewhere"`,
    );
    expect(await get({})).toMatchObject({ reason: 'FIELD_INVALID', fields: ['id'] });
    expect(await get({ key: { $case: 'messageId', value: '7' } })).toMatchObject({ fields: ['message_id'] });
  });
});

describe('ListEvents', () => {
  const list = (request: object) => suite.client.events.listEvents(request);

  it('pages through a filter, both ways', async () => {
    const context = 'pages';
    const pushed = positionsOf(await pushMany(Array.from({ length: 25 }, () => ({ context }))));
    for (const newestFirst of [false, true]) {
      const seen: bigint[] = [];
      let pageToken = '';
      do {
        const page = await list({ filter: { context }, newestFirst, pageSize: 10, pageToken });
        seen.push(...positionsOf(page.events));
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
      expect(seen).toEqual(newestFirst ? pushed.toReversed() : pushed);
    }
  });

  it('keeps to positions and times', async () => {
    const context = 'bounds';
    const events = await pushMany(Array.from({ length: 5 }, () => ({ context })));
    const [, b, , d] = events as [EventMessage, EventMessage, EventMessage, EventMessage];
    const filters = [
      { context, afterPosition: b.position, beforePosition: d.position },
      { context, startTime: b.createdAt, endTime: d.createdAt },
    ];
    for (const filter of filters) expect(positionsOf((await list({ filter })).events)).toEqual([b.position + 1n]);
    expect((await list({ filter: { context, beforePosition: 0n } })).events).toEqual([]);
  });

  it('filters by every member of the envelope', async () => {
    const context = 'envelope';
    await push({ context });
    const changes: Partial<NewEvent>[] = [
      { sessionId: 's' },
      { correlationId: 'c' },
      { to: 'billing' },
      { replyTo: 'inbox' },
      { organization: 'acme' },
      { unit: 'u' },
      { tag: 'blue' },
      { entityType: 'Order' },
      { issuer: 'anna' },
      { stream: 'x' },
      { properties: { a: '1', b: '2' } },
    ];
    for (const change of changes) {
      const event = await push({ context, ...change });
      expect(positionsOf((await list({ filter: { context, ...change } })).events)).toEqual([event.position]);
    }
    expect((await list({ filter: { context, properties: { a: '2' } } })).events).toEqual([]);
    expect((await list({ filter: { context, subject: 13 } })).events).toEqual([]);
  });

  it('treats hostile texts as texts', async () => {
    const hostile = `'; DROP TABLE log; -- " \` % _ \\`;
    const event = await push({ context: 'hostile', tag: hostile, sessionId: hostile });
    const found = await list({ filter: { context: 'hostile', tag: hostile, sessionId: hostile } });
    expect(positionsOf(found.events)).toEqual([event.position]);
    expect((await list({ filter: { context: 'hostile', tag: '%' } })).events).toEqual([]);
  });

  it('refuses foreign and broken page tokens', async () => {
    await pushMany([{ context: 'tokens' }, { context: 'tokens' }]);
    const { nextPageToken } = await list({ filter: { context: 'tokens' }, pageSize: 1 });
    expect(nextPageToken).not.toBe('');
    const requests = [
      { filter: { context: 'other' }, pageSize: 1, pageToken: nextPageToken },
      { filter: { context: 'tokens' }, newestFirst: true, pageToken: nextPageToken },
      { filter: { context: 'tokens' }, pageToken: `${nextPageToken.slice(0, -2)}xx` },
      { filter: { context: 'tokens' }, pageToken: 'nonsense' },
    ];
    for (const request of requests) {
      expect(await refusalOf(list(request))).toMatchObject({
        status: 'INVALID_ARGUMENT',
        reason: 'PAGE_TOKEN_INVALID',
        fields: ['page_token'],
      });
    }
  });

  it('refuses bad sizes and fields', async () => {
    expect((await refusalOf(list({ pageSize: -1 }))).fields).toEqual(['page_size']);
    expect((await refusalOf(list({ filter: { subject: 99 } }))).fields).toEqual(['filter.subject']);
    expect((await refusalOf(list({ filter: { stream: ' bad' } }))).fields).toEqual(['filter.stream']);
    expect((await refusalOf(list({ filter: { issuer: 'bad ' } }))).fields).toEqual(['filter.issuer']);
    expect((await refusalOf(list({ filter: { tag: 'a\u0007' } }))).fields).toEqual(['filter.tag']);
    expect((await refusalOf(list({ filter: { description: {} } }))).fields).toEqual(['filter.description']);
    const long = { description: { a: 'x'.repeat(17_000) } };
    expect((await refusalOf(list({ filter: long }))).fields).toEqual(['filter.description']);
    expect((await refusalOf(list({ filter: { startTime: { seconds: 0n, nanos: 1e9 } } }))).fields).toEqual([
      'filter.start_time',
    ]);
  });
});
