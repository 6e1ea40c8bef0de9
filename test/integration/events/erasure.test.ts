// EraseEvents: what is gone and what is left, wherever an event shows, whoever has it in hand.

import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventStatus, type NewEvent, Subject } from '../../../generated/madeleine/v1/event.js';
import { type EraseEventsRequest, Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { placesOf } from '../../support/database/every-row.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);
const scenes = useScenes(suite);
const { push, await_, read, list } = eventCalls(suite);

const newSubject = () => `person ${randomUUID()}`;
const erase = (target: EraseEventsRequest['target'], rest: Partial<EraseEventsRequest> = {}) =>
  suite.client.events.eraseEvents({ target, by: 'ann', ...rest });
const subjectTarget = (value: string) => ({ $case: 'dataSubject', value }) as const;
const streamTarget = (value: string) => ({ $case: 'stream', value }) as const;
const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** Everything that an event may say, with the marker in all of it. */
function telling(marker: string): Partial<NewEvent> {
  return {
    payload: jsonPayload({ who: marker, deep: { list: [marker] } }),
    description: { who: marker },
    dataSubject: marker,
    tag: `tag ${marker}`,
    entityType: `type ${marker}`,
    organization: `org ${marker}`,
    unit: `unit ${marker}`,
    properties: { [`key ${marker}`]: `value ${marker}` },
    system: { id: marker, name: marker, time: undefined, timezone: '' },
    trigger: { type: marker, name: marker },
    traceparent: 'tp',
  };
}

/** What is left of an event. */
function leftOf(event: Event) {
  return {
    ...event,
    ...{
      payload: undefined,
      description: undefined,
      dataSubject: '',
      tag: '',
      entityType: '',
      organization: '',
      unit: '',
    },
    ...{ properties: {}, system: undefined, trigger: undefined, traceparent: '', erasedAt: expect.anything() },
  };
}

describe('EraseEvents of a data subject', () => {
  it('takes all that its events say, and leaves which they are', async () => {
    const marker = newSubject();
    const topic = newTopic();
    const messageId = randomUUID();
    const sessionId = 'session';
    const said = {
      ...telling(marker),
      topic,
      messageId,
      sessionId,
      correlationId: 'c',
      subject: Subject.SUBJECT_CREATED,
    };
    const event = await push({ ...said, stream: newTopic() });
    const neighbour = await push({ topic, payload: jsonPayload({ who: 'another' }), dataSubject: 'another' });
    expect(await placesOf(suite.database.url, marker)).not.toEqual([]);
    const hash = sha256(`{"deep":{"list":["${marker}"]},"who":"${marker}"}`);
    const before = await suite.client.events.getEvent({ key: { $case: 'id', value: event.id } });
    expect(before.event?.payloadSha256).toEqual(hash);
    const answer = await erase(subjectTarget(marker));
    expect(answer).toMatchObject({ erased: 1n, remaining: 0n, remainingIsExact: true });
    const left = { ...leftOf(event), payloadSha256: hash, erasedAt: answer.erasedAt };
    for (const client of [suite.client, other.client]) {
      const { event: found } = await client.events.getEvent({ key: { $case: 'id', value: event.id } });
      expect(found).toEqual(left);
      expect(await read({ topics: [topic] }, client)).toEqual([left, neighbour]);
    }
    expect(await list({ topics: [topic] })).toEqual([left, neighbour]);
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
    const retry = await suite.client.events.pushEvent({ event: newEvent({ ...said, stream: event.stream }) });
    expect(retry).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: left });
  });

  it('is found by nothing that it said', async () => {
    const marker = newSubject();
    const topic = newTopic();
    const event = await push({ topic, ...telling(marker), description: undefined });
    const look = { topic, description: { who: marker } };
    // The topic watches the paths from here on.
    expect(await await_(topic, look.description)).toMatchObject({ id: event.id });
    await erase(subjectTarget(marker));
    expect(await await_(topic, look.description)).toMatchObject({ status: EventStatus.EVENT_STATUS_AWAITED });
    expect(await list({ topics: [topic], tag: `tag ${marker}` })).toEqual([]);
    expect(await list({ topics: [topic], description: { who: marker } })).toEqual([]);
  });

  it('leaves room for an event with the same identity', async () => {
    const marker = newSubject();
    const topic = newTopic();
    const said = { topic, ...telling(marker) };
    await push(said);
    expect((await refusalOf(push(said))).reason).toBe('ALREADY_OCCURRED');
    await erase(subjectTarget(marker));
    await push(said);
  });

  it('withdraws what is awaited about it, and tells those who wait', async () => {
    const marker = newSubject();
    const topic = newTopic();
    const awaited = await await_(topic, { who: marker }, { dataSubject: marker, tag: marker });
    const foreign = await await_(topic, { who: 'else' }, { dataSubject: 'else' });
    const told: Event[] = [];
    const waiting = (async () => {
      for await (const frame of suite.client.cawins.waitForEvent({ eventId: awaited.id })) {
        if (frame.event !== undefined) told.push(frame.event);
      }
    })();
    await waitUntil(() => told.length === 1, { what: 'the wait is shown' });
    expect(await erase(subjectTarget(marker))).toMatchObject({ erased: 1n, remaining: 0n });
    await waiting;
    expect(told.at(-1)).toMatchObject({
      ...{ status: EventStatus.EVENT_STATUS_INVALIDATED, invalidationReason: 'erased', dataSubject: '', tag: '' },
      ...{ description: undefined, erasedAt: expect.anything() },
    });
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
    expect((await suite.client.events.getEvent({ key: { $case: 'id', value: foreign.id } })).event?.status).toBe(
      EventStatus.EVENT_STATUS_AWAITED,
    );
  });

  it('takes what a payload has ended with it, and its withdrawal', async () => {
    const marker = newSubject();
    const topic = newTopic();
    const awaited = await await_(topic, { who: marker }, { tag: `asked ${marker}` });
    const event = await push({ topic, ...telling(marker), description: undefined });
    await suite.client.events.invalidateEvent({ id: event.id, reason: `about ${marker}` });
    expect(await erase(subjectTarget(marker))).toMatchObject({ erased: 1n });
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
    const { event: found } = await suite.client.events.getEvent({ key: { $case: 'id', value: awaited.id } });
    expect(found).toMatchObject({ status: EventStatus.EVENT_STATUS_INVALIDATED, erasedAt: expect.anything() });
    expect(found?.description).toBeUndefined();
    const statuses = [EventStatus.EVENT_STATUS_OCCURRED, EventStatus.EVENT_STATUS_INVALIDATED];
    const entries = await read({ topics: [topic], statuses });
    expect(entries.map(({ erasedAt }) => erasedAt !== undefined)).toEqual([true, true]);
  });

  it('is told to the audit once, by its hash, and where nothing changes not at all', async () => {
    const marker = newSubject();
    const { position } = await push({ dataSubject: marker });
    await erase(subjectTarget(marker));
    expect(await erase(subjectTarget(marker))).toMatchObject({ erased: 0n, remaining: 0n, remainingIsExact: true });
    const told = await read({ topics: ['madeleine.audit'], afterPosition: position });
    expect(told.map(({ payload }) => payload?.body?.value)).toEqual([
      {
        ...{ call: 'EraseEvents', by: 'ann', context: 'default' },
        data_subject_sha256: sha256(marker).toString('hex'),
      },
    ]);
  });

  it('leaves what comes later, until it is repeated', async () => {
    const marker = newSubject();
    const topic = newTopic();
    await push({ topic, dataSubject: marker });
    await erase(subjectTarget(marker));
    const later = await push({ topic, dataSubject: marker });
    expect((await read({ topics: [topic] })).map(({ erasedAt }) => erasedAt !== undefined)).toEqual([true, false]);
    const elsewhere = () => read({ topics: [topic] }, other.client);
    await waitUntil(async () => (await elsewhere()).length === 2, { what: 'the other instance sees it' });
    expect((await elsewhere())[1]).toEqual(later);
    expect(await erase(subjectTarget(marker))).toMatchObject({ erased: 1n });
    expect((await read({ topics: [topic] })).map(({ erasedAt }) => erasedAt !== undefined)).toEqual([true, true]);
  });

  it('keeps to its context, or takes every one', async () => {
    const marker = newSubject();
    const topic = newTopic();
    for (const context of ['north', 'south', '']) await push({ context, topic, dataSubject: marker });
    expect(await erase(subjectTarget(marker), { context: 'nowhere' })).toMatchObject({ erased: 0n });
    expect(await erase(subjectTarget(marker), { context: 'north' })).toMatchObject({ erased: 1n });
    expect(await erase(subjectTarget(marker), { context: 'all', dryRun: true })).toMatchObject({ remaining: 2n });
    expect(await erase(subjectTarget(marker), { context: 'all' })).toMatchObject({ erased: 2n });
    const events = await read({ context: 'all', topics: [topic] });
    expect(events.map(({ erasedAt }) => erasedAt !== undefined)).toEqual([true, true, true]);
  });

  it('takes large payloads, a few at a time', async () => {
    const marker = newSubject();
    const payload = bytesPayload(`${marker}${'x'.repeat(250_000)}`, 'text/plain');
    for (let n = 0; n < 20; n += 1) await push({ dataSubject: marker, payload });
    expect(await erase(subjectTarget(marker))).toMatchObject({ erased: 20n, remaining: 0n });
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
  });

  it('counts, and changes nothing, in a dry run', async () => {
    const marker = newSubject();
    const topic = newTopic();
    const events = [await push({ topic, dataSubject: marker }), await push({ topic, dataSubject: marker })];
    await await_(topic, { who: marker }, { dataSubject: marker });
    const dry = await erase(subjectTarget(marker), { dryRun: true });
    const archived = { archives: [], archiveCount: 0n };
    expect(dry).toEqual({ erased: 0n, remaining: 3n, remainingIsExact: true, erasedAt: undefined, ...archived });
    expect(await read({ topics: [topic] })).toEqual(events);
  });
});

describe('EraseEvents of a stream', () => {
  it('takes what its events say; the stream goes on', async () => {
    const stream = newTopic();
    const topic = newTopic();
    const marker = newSubject();
    const said = { ...telling(marker), description: undefined, dataSubject: '' };
    for (let n = 0; n < 150; n += 1) await push({ topic, stream, issuer: 'a', ...said });
    await suite.client.streams.transferStream({ stream, owner: 'a', newOwner: 'b' });
    expect(await erase(streamTarget(stream), { dryRun: true })).toMatchObject({ remaining: 150n });
    expect(await erase(streamTarget(stream))).toMatchObject({ erased: 150n, remaining: 0n });
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
    expect(await push({ topic, stream, issuer: 'b' })).toMatchObject({ sequence: 151n });
    const statuses = [EventStatus.EVENT_STATUS_OCCURRED, EventStatus.EVENT_STATUS_TRANSFERRED];
    const events = await read({ filter: { streams: [stream], statuses } });
    expect(events.map(({ sequence, erasedAt }) => [Number(sequence), erasedAt !== undefined])).toEqual([
      ...Array.from({ length: 150 }, (_, n) => [n + 1, true]),
      [0, false],
      [151, false],
    ]);
    expect(await erase(streamTarget(stream))).toMatchObject({ erased: 1n });
    expect(await erase(streamTarget(stream))).toMatchObject({ erased: 0n });
  });

  it('is refused for a stream that is none', async () => {
    const refused = { status: 'NOT_FOUND', reason: 'STREAM_UNKNOWN' };
    expect(await refusalOf(erase(streamTarget('no such')))).toMatchObject(refused);
    expect(await refusalOf(erase(streamTarget('no such'), { dryRun: true }))).toMatchObject(refused);
  });
});

describe('who has an erased event in hand', () => {
  it('gets it without its payload, and goes on', async () => {
    const marker = newSubject();
    const { push: pushTo, topic, subscribe, fetch, ack, reject, consumer, settings } = scenes();
    await pushTo(3, (n) => ({ dataSubject: n === 2 ? marker : '', tag: marker, stream: topic }), 1);
    // Leased and not answered; what is given back comes again.
    const first = await fetch({ limit: 3, requestId: 'repeated' });
    expect(first.deliveries.map(({ event }) => event?.payload !== undefined)).toEqual([true, true, true]);
    await erase(subjectTarget(marker));
    // The same call again is given the same deliveries, but for what is erased.
    const again = await fetch({ limit: 3, requestId: 'repeated' });
    expect(again.deliveries.map(({ lease }) => lease)).toEqual(first.deliveries.map(({ lease }) => lease));
    expect(again.deliveries.map(({ event }) => event?.erasedAt !== undefined)).toEqual([false, true, false]);
    await reject(first.deliveries.slice(1, 2), { verdict: Verdict.VERDICT_RETRY, reason: `cannot take ${marker}` });
    await ack(first.deliveries.slice(0, 1));
    const subscriber = subscribe({ consumer, settings });
    const [second] = await subscriber.first(1);
    expect(second?.event).toMatchObject({ payload: undefined, erasedAt: expect.anything(), tag: '' });
  });

  it('has what its members said of it forgotten', async () => {
    const marker = newSubject();
    const { push: pushTo, fetch, reject } = scenes();
    await pushTo(1, { dataSubject: marker });
    const { deliveries } = await fetch();
    await reject(deliveries, { verdict: Verdict.VERDICT_PARK, reason: `no ${marker}`, code: 'BAD' });
    await erase(subjectTarget(marker));
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
  });
});

describe('EraseEvents with bad input', () => {
  it.each([
    [{}, 'data_subject'],
    [{ target: subjectTarget('') }, 'data_subject'],
    [{ target: subjectTarget('x'.repeat(256)) }, 'data_subject'],
    [{ target: subjectTarget(' x') }, 'data_subject'],
    [{ target: streamTarget('') }, 'stream'],
    [{ target: streamTarget('a\u0000') }, 'stream'],
    [{ target: streamTarget('a'), context: 'all' }, 'context'],
    [{ target: subjectTarget('a'), context: 'x'.repeat(256) }, 'context'],
    [{ target: subjectTarget('a'), by: 'x'.repeat(256) }, 'by'],
  ])('refuses %o', async (request, field) => {
    expect(await refusalOf(suite.client.events.eraseEvents(request))).toMatchObject({
      ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] },
    });
  });
});
