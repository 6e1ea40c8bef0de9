import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Event as EventMessage,
  EventStatus,
  type NewEvent,
  Subject,
} from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { withPayloadHash } from '../../support/events/payload-hash.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();

async function push(changes: Partial<NewEvent> = {}, expectedSequence?: bigint) {
  const response = await suite.client.events.pushEvent({ event: newEvent(changes), expectedSequence });
  return { outcome: response.outcome, event: response.event as EventMessage };
}

async function headPosition(): Promise<bigint> {
  const { events } = await suite.client.events.listEvents({
    filter: { context: 'all' },
    newestFirst: true,
    pageSize: 1,
  });
  return events[0]?.position ?? 0n;
}

describe('PushEvent', () => {
  it('stores an event and answers with its place', async () => {
    const first = await push();
    const second = await push();
    expect(first.outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(first.event).toMatchObject({
      context: 'default',
      topic: 'orders',
      issuer: 'shop',
      stream: '',
      sequence: 0n,
      status: EventStatus.EVENT_STATUS_OCCURRED,
      payload: { body: { $case: 'json', value: { total: 12.5 } } },
    });
    expect(first.event.messageId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(second.event.position).toBe(first.event.position + 1n);
    expect(second.event.id).toBe(first.event.id + 1n);
  });

  it('keeps the whole envelope', async () => {
    const envelope: Partial<NewEvent> = {
      context: 'site-1',
      version: 3,
      stream: 'order-1',
      messageId: randomUUID(),
      sessionId: 'session-1',
      correlationId: randomUUID(),
      to: 'billing',
      replyTo: 'shop inbox',
      subject: Subject.SUBJECT_CREATED,
      tag: 'blue',
      entityType: 'com.example.Order',
      organization: 'acme',
      unit: 'sales',
      properties: { color: 'blue', empty: '' },
      system: {
        id: 's1',
        name: 'Shop',
        time: { seconds: 1_700_000_000n, nanos: 123_456_000 },
        timezone: 'Europe/Berlin',
      },
      trigger: { type: 'manual', name: 'anna' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'vendor=1',
    };
    const { event } = await push(envelope);
    expect(event).toMatchObject({ ...envelope, sequence: 1n });
    const { event: stored } = await suite.client.events.getEvent({ key: { $case: 'id', value: event.id } });
    expect(stored).toEqual(withPayloadHash(event));
  });

  it('returns bytes untouched, whatever they are', async () => {
    const bytes = Buffer.from([0, 255, 1, 254, 10, 13]);
    const { event } = await push({
      payload: { contentType: 'application/octet-stream', body: { $case: 'data', value: bytes } },
    });
    expect(event.payload).toEqual({ contentType: 'application/octet-stream', body: { $case: 'data', value: bytes } });
    const exact = '{ "n": 9007199254740993, "x": 1.0, "n": 2 }';
    const { event: json } = await push({ payload: bytesPayload(exact) });
    const { event: stored } = await suite.client.events.getEvent({
      key: { $case: 'id', value: json.id },
      payloadEncoding: 2,
    });
    expect(stored?.payload).toEqual({ contentType: '', body: { $case: 'data', value: Buffer.from(exact) } });
  });

  it('returns JSON values as they were, awkward keys and texts included', async () => {
    const value = {
      constructor: { toString: 1 },
      '': [null, true, false, -0.5, 1e300, 'é\u0000"\\\u2028😀'],
      nested: [[[{}]], []],
    };
    const { event } = await push({ payload: jsonPayload(value) });
    const { event: stored } = await suite.client.events.getEvent({ key: { $case: 'id', value: event.id } });
    expect(stored?.payload?.body?.value).toEqual(event.payload?.body?.value);
    const text = await suite.client.events.getEvent({ key: { $case: 'id', value: event.id }, payloadEncoding: 2 });
    const data = text.event?.payload?.body?.value as Buffer;
    expect(JSON.parse(data.toString())).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it('gives rising positions and times to concurrent pushes', async () => {
    const results = await Promise.all(Array.from({ length: 200 }, () => push({ topic: 'concurrent' })));
    const events = results.map(({ event }) => event).sort((a, b) => Number(a.position - b.position));
    const positions = events.map(({ position }) => position);
    expect(new Set(positions).size).toBe(200);
    const micros = events.map(
      ({ createdAt }) => (createdAt?.seconds ?? 0n) * 1_000_000n + BigInt((createdAt?.nanos ?? 0) / 1000),
    );
    micros.forEach((time, index) => {
      if (index > 0) expect(time).toBeGreaterThan(micros[index - 1] as bigint);
    });
  });
});

describe('message ids', () => {
  it('answers a retry with the first result', async () => {
    const messageId = randomUUID();
    const first = await push({ messageId, stream: 'retry-stream' }, 0n);
    const again = await push({ messageId, stream: 'retry-stream' }, 0n);
    expect(again.outcome).toBe(Outcome.OUTCOME_DUPLICATE);
    expect(again.event).toEqual(first.event);
  });

  it('answers concurrent retries with one event', async () => {
    const messageId = randomUUID();
    const results = await Promise.all(Array.from({ length: 20 }, () => push({ messageId })));
    expect(new Set(results.map(({ event }) => event.position)).size).toBe(1);
    expect(results.filter(({ outcome }) => outcome === Outcome.OUTCOME_OCCURRED)).toHaveLength(1);
  });

  it('refuses the id for other content and for another issuer', async () => {
    const messageId = randomUUID();
    const { event } = await push({ messageId });
    const before = await headPosition();
    const changed = await refusalOf(push({ messageId, payload: jsonPayload({ total: 13 }) }));
    const stranger = await refusalOf(push({ messageId, issuer: 'thief' }));
    for (const refusal of [changed, stranger]) {
      expect(refusal).toMatchObject({
        status: 'ALREADY_EXISTS',
        reason: 'MESSAGE_ID_REUSED',
        fields: ['event.message_id'],
      });
      expect(refusal.metadata.position).toBe(String(event.position));
    }
    expect(await headPosition()).toBe(before);
  });

  it('is the same id in any case, and another one in another context', async () => {
    const messageId = randomUUID();
    await push({ messageId });
    expect((await push({ messageId: messageId.toUpperCase() })).outcome).toBe(Outcome.OUTCOME_DUPLICATE);
    expect((await push({ messageId, context: 'elsewhere' })).outcome).toBe(Outcome.OUTCOME_OCCURRED);
  });

  it('counts maps and values as the same whatever their order', async () => {
    const messageId = randomUUID();
    await push({ messageId, properties: { a: '1', b: '2' }, payload: jsonPayload({ x: 1, y: { p: 1, q: 2 } }) });
    const again = await push({
      messageId,
      properties: { b: '2', a: '1' },
      payload: jsonPayload({ y: { q: 2, p: 1 }, x: 1 }),
    });
    expect(again.outcome).toBe(Outcome.OUTCOME_DUPLICATE);
  });
});

describe('streams', () => {
  it('number their events from 1 without holes', async () => {
    const sequences = [];
    for (let n = 0; n < 3; n += 1) sequences.push((await push({ stream: 'dense' })).event.sequence);
    expect(sequences).toEqual([1n, 2n, 3n]);
  });

  it('belong to the issuer of their first event', async () => {
    await push({ stream: 'owned' });
    const before = await headPosition();
    const refusal = await refusalOf(push({ stream: 'owned', issuer: 'rival' }));
    expect(refusal).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'STREAM_OWNED', fields: ['event.issuer'] });
    expect(refusal.metadata).toMatchObject({ owner: 'shop', stream: 'owned', context: 'default' });
    expect(await headPosition()).toBe(before);
    expect((await push({ stream: 'owned', issuer: 'rival', context: 'other-site' })).event.sequence).toBe(1n);
  });

  it('have one owner when two claim them at once', async () => {
    const claims = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => push({ stream: 'raced', issuer: `issuer-${n}` })),
    );
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('refuse an expected sequence that is not met, and tell the actual one', async () => {
    await push({ stream: 'expected' }, 0n);
    const refusal = await refusalOf(push({ stream: 'expected' }, 0n));
    expect(refusal).toMatchObject({ status: 'ABORTED', reason: 'SEQUENCE_CONFLICT' });
    expect(refusal.metadata).toMatchObject({ expected_sequence: '0', actual_sequence: '1' });
    expect((await refusalOf(push({ stream: 'expected' }, 2n ** 64n - 1n))).reason).toBe('SEQUENCE_CONFLICT');
    expect((await push({ stream: 'expected' }, 1n)).event.sequence).toBe(2n);
  });

  it('can be looked up and listed', async () => {
    const first = await push({ context: 'listing', stream: 'b' });
    await push({ context: 'listing', stream: 'a 100%_\\', issuer: 'other' });
    await push({ context: 'listing', stream: 'b' });
    const { stream } = await suite.client.streams.getStream({ context: 'listing', name: 'b' });
    expect(stream).toMatchObject({
      owner: 'shop',
      epoch: 1n,
      lastSequence: 2n,
      eventCount: 2n,
      firstPosition: first.event.position,
    });
    const names = async (request: object) =>
      (await suite.client.streams.listStreams({ context: 'listing', ...request })).streams.map(({ name }) => name);
    expect(await names({})).toEqual(['a 100%_\\', 'b']);
    expect(await names({ owner: 'other' })).toEqual(['a 100%_\\']);
    expect(await names({ namePrefix: 'a 100%_\\' })).toEqual(['a 100%_\\']);
    expect(await names({ namePrefix: 'a_' })).toEqual([]);
    const page = await suite.client.streams.listStreams({ context: 'listing', pageSize: 1 });
    expect(await names({ pageSize: 1, pageToken: page.nextPageToken })).toEqual(['b']);
    const foreign = suite.client.streams.listStreams({ context: 'default', pageToken: page.nextPageToken });
    expect((await refusalOf(foreign)).reason).toBe('PAGE_TOKEN_INVALID');
    await expect(suite.client.streams.getStream({ name: 'no such' })).rejects.toThrow(
      'there is no stream "no such" in context "default"',
    );
  });
});

describe('a push that comes again', () => {
  it.each<[what: string, changes: Partial<NewEvent>]>([
    ['another trace', { traceparent: '00-bb7651916cd43dd8448eb211c80319c0-00f067aa0ba902b7-01', tracestate: 'b=2' }],
    ['no trace', { traceparent: '', tracestate: '' }],
    ['another time of its system', { system: { id: 's', name: '', time: { seconds: 9n, nanos: 0 }, timezone: 'UTC' } }],
  ])('is the same with %s, and changes nothing', async (_what, changes) => {
    const first: Partial<NewEvent> = {
      messageId: randomUUID(),
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
      system: { id: 's', name: '', time: { seconds: 8n, nanos: 0 }, timezone: 'Europe/Berlin' },
    };
    const { event } = await push(first);
    expect(await push({ ...first, ...changes })).toEqual({ outcome: Outcome.OUTCOME_DUPLICATE, event });
  });

  it('is the same with another wait and another expected sequence', async () => {
    const awaited = newEvent({ topic: 'again', description: { n: 1 }, payload: undefined, messageId: randomUUID() });
    const wait = (seconds: bigint) =>
      suite.client.events.pushEvent({
        event: awaited,
        waitTimeout: { seconds, nanos: 0 },
        since: { seconds, nanos: 0 },
      });
    const { event } = await wait(60n);
    expect(await wait(120n)).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { id: event?.id } });
    const streamed = { stream: 'again', messageId: randomUUID() };
    await push(streamed, 0n);
    expect((await push(streamed, 1n)).outcome).toBe(Outcome.OUTCOME_DUPLICATE);
  });
});

describe('PushEvents', () => {
  const batch = (events: Partial<NewEvent>[]) =>
    suite.client.events.pushEvents({ events: events.map((changes) => ({ event: newEvent(changes) })) });

  it('stores all, in order', async () => {
    const { results } = await batch([{ stream: 'batch' }, { stream: 'batch' }, {}]);
    const [a, b, c] = results.map(({ event }) => event);
    expect([a?.sequence, b?.sequence, c?.sequence]).toEqual([1n, 2n, 0n]);
    expect(c?.position).toBe((a?.position ?? 0n) + 2n);
  });

  it('stores none when one is refused, and says which', async () => {
    await push({ stream: 'taken' });
    const before = await headPosition();
    const refusal = await refusalOf(batch([{ stream: 'fresh' }, { stream: 'taken', issuer: 'rival' }]));
    expect(refusal).toMatchObject({ reason: 'STREAM_OWNED', fields: ['events[1].event.issuer'] });
    expect(refusal.metadata.index).toBe('1');
    expect(await headPosition()).toBe(before);
    expect((await refusalOf(suite.client.streams.getStream({ name: 'fresh' }))).reason).toBe('STREAM_UNKNOWN');
  });

  it('refuses two events with one message id, none, and too many', async () => {
    const messageId = randomUUID();
    expect((await refusalOf(batch([{ messageId }, { messageId }]))).fields).toEqual(['events[1].event.message_id']);
    expect((await refusalOf(batch([]))).fields).toEqual(['events']);
    expect((await refusalOf(batch(Array.from({ length: 1001 }, () => ({}))))).fields).toEqual(['events']);
  });

  it('is answered as a whole on a retry', async () => {
    const events = [{ messageId: randomUUID() }, { messageId: randomUUID() }];
    const first = await batch(events);
    const again = await batch(events);
    expect(again.results.map(({ outcome }) => outcome)).toEqual([Outcome.OUTCOME_DUPLICATE, Outcome.OUTCOME_DUPLICATE]);
    expect(again.results.map(({ event }) => event)).toEqual(first.results.map(({ event }) => event));
  });

  it('holds a thousand events', async () => {
    const { results } = await batch(Array.from({ length: 1000 }, () => ({ stream: 'thousand' })));
    expect(results.at(-1)?.event?.sequence).toBe(1000n);
  });
});

describe('what is refused', () => {
  const cases: [string, Partial<NewEvent>, string, string?][] = [
    ['no topic', { topic: '' }, 'event.topic'],
    ['no issuer', { issuer: '' }, 'event.issuer'],
    ['the reserved context', { context: 'all' }, 'event.context'],
    ['a name of 256 bytes', { topic: 'x'.repeat(256) }, 'event.topic'],
    ['a name of 128 two-byte letters', { topic: 'é'.repeat(128) }, 'event.topic'],
    ['control characters', { stream: 'a\u0000b' }, 'event.stream'],
    ['spaces at the edge', { issuer: ' shop' }, 'event.issuer'],
    ['a message id that is no UUID', { messageId: 'x' }, 'event.message_id'],
    ['a session id of 65 bytes', { sessionId: 'x'.repeat(65) }, 'event.session_id'],
    ['an unknown subject', { subject: 99 as Subject }, 'event.subject'],
    [
      'an unknown time zone',
      { system: { id: '', name: '', time: undefined, timezone: 'Mars/Base' } },
      'event.system.timezone',
    ],
    [
      'nanos out of range',
      { system: { id: '', name: '', timezone: '', time: { seconds: 0n, nanos: -1 } } },
      'event.system.time',
    ],
    [
      'a time beyond 2255',
      { system: { id: '', name: '', timezone: '', time: { seconds: 253_000_000_000n, nanos: 0 } } },
      'event.system.time',
    ],
    ['no payload', { payload: undefined }, 'event.payload'],
    ['an empty payload', { payload: { contentType: '', body: undefined } }, 'event.payload'],
    ['data that is not JSON', { payload: bytesPayload('{') }, 'event.payload.data'],
    [
      'data that is not UTF-8',
      { payload: { contentType: '', body: { $case: 'data', value: Buffer.from([34, 255, 34]) } } },
      'event.payload.data',
    ],
    ['NaN', { payload: jsonPayload({ n: Number.NaN }) }, 'event.payload.json'],
    ['infinity', { payload: jsonPayload([Number.POSITIVE_INFINITY]) }, 'event.payload.json'],
    [
      'a json of another type',
      { payload: { contentType: 'text/plain', body: { $case: 'json', value: 1 } } },
      'event.payload.content_type',
    ],
    [
      '65 properties',
      { properties: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, ''])) },
      'event.properties',
    ],
    ['a large property', { properties: { k: 'x'.repeat(4097) } }, 'event.properties'],
    ['a large payload', { payload: bytesPayload(`"${'x'.repeat(262_143)}"`) }, 'event.payload', 'PAYLOAD_TOO_LARGE'],
    ['a description without a leaf', { description: {} }, 'event.description'],
    ['another description', { description: { a: 1 } }, 'event.description', 'DESCRIPTION_NOT_CONTAINED'],
  ];

  it.each(cases)('%s', async (_name, changes, field, reason = 'FIELD_INVALID') => {
    const before = await headPosition();
    const refusal = await refusalOf(push(changes));
    expect(refusal).toMatchObject({ reason, status: 'INVALID_ARGUMENT' });
    expect(refusal.fields).toContain(field);
    expect(await headPosition()).toBe(before);
  });

  it('tells all that is wrong at once', async () => {
    const { fields } = await refusalOf(push({ topic: '', issuer: '', messageId: 'x' }));
    expect(fields).toEqual(['event.topic', 'event.issuer', 'event.message_id']);
  });

  it('an expected sequence without a stream', async () => {
    expect((await refusalOf(push({}, 0n))).fields).toEqual(['expected_sequence']);
  });

  it('no event at all', async () => {
    expect((await refusalOf(suite.client.events.pushEvent({}))).fields).toEqual(['event']);
  });

  it('takes what is just within the limits', async () => {
    const { event } = await push({
      topic: 'é'.repeat(127),
      stream: 'a b',
      payload: bytesPayload(`"${'x'.repeat(262_142)}"`),
      properties: { k: 'x'.repeat(4096) },
    });
    expect(event.sequence).toBe(1n);
  });
});
