// Parked events: listed, replayed, discarded, edited and replayed.

import { randomUUID } from 'node:crypto';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AckStatus,
  type Delivery,
  type ListParkedEventsRequest,
  type ParkedEvent,
  ParkedStatus,
  type ReplayEditedEventRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { NewEvent, PayloadEncoding, Subject } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { type Scene, useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload } from '../../support/events/builders.js';
import { metric } from '../../support/server/metrics.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer({ advertise: 'first.example:50051' });
const second = useServerBeside(suite, { advertise: 'second.example:50051' });
const scene = useScenes(suite);

const { VERDICT_PARK, VERDICT_RETRY } = Verdict;
const { PARKED_STATUS_DONE: DONE, PARKED_STATUS_NOT_PARKED: NOT_PARKED } = ParkedStatus;
const AT_ONCE = { seconds: 0n, nanos: 0 };
const ABOVE = 2n ** 40n;

let connection: Connection;
beforeAll(async () => {
  connection = await createConnection(suite.database.url);
});
afterAll(() => connection.end());

/** Positions and states of what is stored of a consumer's failures. */
async function stored(consumer: string): Promise<[number, number][]> {
  const [rows] = await connection.query(
    `SELECT t.position, t.state FROM consumer_trouble t JOIN consumer ON consumer.id = t.consumer_id
     WHERE consumer.name = ? ORDER BY position`,
    [Buffer.from(consumer)],
  );
  return (rows as { position: number; state: number }[]).map(({ position, state }) => [position, state]);
}

/** How many events are stored, but for the server's own. */
async function storedEvents(): Promise<number> {
  const [rows] = await connection.query("SELECT COUNT(*) AS events FROM events WHERE topic NOT LIKE 'madeleine.%'");
  return (rows as { events: number }[])[0]?.events ?? 0;
}

/** What calls about parked events say of a scene's consumer. */
function parkedOf({ consumer }: Pick<Scene, 'consumer'>, client = suite.client) {
  const { consumers } = client;
  return {
    async list(changes: Partial<ListParkedEventsRequest> = {}): Promise<ParkedEvent[]> {
      return (await consumers.listParkedEvents({ consumer, ...changes })).events;
    },
    replay: (...positions: bigint[]) => consumers.replayParkedEvents({ consumer, positions }),
    replayAll: (selection = {}) => consumers.replayParkedEvents({ consumer, all: true, ...selection }),
    discard: (...positions: bigint[]) => consumers.discardParkedEvents({ consumer, positions }),
    discardAll: (selection = {}) => consumers.discardParkedEvents({ consumer, all: true, ...selection }),
    edit: (position: bigint, event: Partial<NewEvent>, more: Partial<ReplayEditedEventRequest> = {}) =>
      consumers.replayEditedEvent({ consumer, position, event: NewEvent.fromPartial(event as NewEvent), ...more }),
  };
}

const at = (items: readonly { event?: { position: bigint } | undefined }[]) =>
  items.map(({ event }) => event?.position);

/** A consumer with so many parked events, and nobody subscribed; their positions. */
async function withParked(count: number, given: { stream?: (n: number) => string; code?: (n: number) => string } = {}) {
  const made = scene();
  const { subscribe, push, reject, ack } = made;
  const positions = await push(count, (n) => ({ stream: given.stream?.(n) ?? '', messageId: randomUUID() }));
  const subscriber = subscribe({ maxInFlight: count });
  const deliveries = await subscriber.first(count);
  for (const [index, delivery] of deliveries.entries()) {
    await reject([delivery], {
      verdict: VERDICT_PARK,
      reason: `reason ${index + 1}`,
      code: given.code?.(index + 1) ?? '',
    });
  }
  await subscriber.cancel();
  return { ...made, ack, positions, calls: parkedOf(made) };
}

describe('ListParkedEvents', () => {
  it('tells events, reasons and times, by position', async () => {
    const before = BigInt(Math.floor(Date.now() / 1_000));
    const { calls, positions, topic } = await withParked(3, { stream: () => 'listed', code: (n) => `CODE_${n}` });
    const events = await calls.list();
    expect(at(events)).toEqual(positions);
    expect(events[1]).toMatchObject({
      event: { topic, stream: 'listed', payload: jsonPayload({ n: 2 }) },
      ...{ attempts: 0, losses: 0, code: 'CODE_2', reason: 'reason 2', replaying: false },
    });
    expect(events[1]?.parkedAt?.seconds).toBeGreaterThanOrEqual(before);
    const [bytes] = await calls.list({ payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES, pageSize: 1 });
    expect(bytes?.event?.payload?.body).toEqual({ $case: 'data', value: Buffer.from('{"n":1}') });
  });

  it('selects by code, stream and time', async () => {
    const { calls, positions } = await withParked(4, {
      stream: (n) => (n < 3 ? 'first stream' : 'second stream'),
      code: (n) => (n % 2 === 0 ? 'EVEN' : 'ODD'),
    });
    const [p1, p2, p3, p4] = positions;
    expect(at(await calls.list({ code: 'EVEN' }))).toEqual([p2, p4]);
    expect(at(await calls.list({ code: 'even' }))).toEqual([]);
    expect(at(await calls.list({ stream: 'second stream' }))).toEqual([p3, p4]);
    expect(at(await calls.list({ stream: 'second stream', code: 'ODD' }))).toEqual([p3]);
    const all = await calls.list();
    const time = all[1]?.parkedAt;
    const later = all.slice(2).filter(({ parkedAt }) => (parkedAt?.nanos ?? 0) !== time?.nanos);
    expect(at(await calls.list({ parkedAfter: time }))).toEqual(at(later));
    expect(at(await calls.list({ parkedBefore: all[0]?.parkedAt }))).toEqual([]);
    expect(at(await calls.list({ parkedAfter: { seconds: 0n, nanos: 0 } }))).toEqual([p1, p2, p3, p4]);
  });

  it('goes from page to page, with tokens of its own', async () => {
    const { calls, consumer, positions } = await withParked(5);
    const { consumers } = suite.client;
    const first = await consumers.listParkedEvents({ consumer, pageSize: 2 });
    expect(at(first.events)).toEqual(positions.slice(0, 2));
    const pageToken = first.nextPageToken;
    const next = await consumers.listParkedEvents({ consumer, pageSize: 3, pageToken });
    expect(at(next.events)).toEqual(positions.slice(2));
    expect(next.nextPageToken).toBe('');
    for (const changes of [{ code: 'X' }, { stream: 's' }, { parkedAfter: AT_ONCE }, { parkedBefore: AT_ONCE }]) {
      expect(await refusalOf(calls.list({ pageToken, ...changes }))).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    }
  });

  it('gives answers that clients take, however wide the events are', async () => {
    const { subscribe, push, reject, consumer } = scene();
    const wide = { payload: jsonPayload({ n: 1, text: 'x'.repeat(200_000) }) };
    const positions: bigint[] = [];
    for (let from = 1; from <= 60; from += 15) positions.push(...(await push(15, wide, from)));
    const subscriber = subscribe({ maxInFlight: 60, maxInFlightBytes: 64n * 1024n * 1024n });
    await reject(await subscriber.first(60), { verdict: VERDICT_PARK });
    const found: (bigint | undefined)[] = [];
    let pages = 0;
    for (let pageToken = ''; pages === 0 || pageToken !== ''; pages += 1) {
      const page = await suite.client.consumers.listParkedEvents({ consumer, pageSize: 1_000, pageToken });
      found.push(...at(page.events));
      pageToken = page.nextPageToken;
    }
    expect(found).toEqual(positions);
    expect(pages).toBeGreaterThan(3);
  });

  it('is answered by an instance that does not run the consumer', async () => {
    const { positions, subscribe, ...made } = await withParked(2);
    await subscribe().opened();
    expect(at(await parkedOf(made, second.client).list())).toEqual(positions);
  });

  it.each<[field: string, request: Partial<ListParkedEventsRequest>]>([
    ['consumer', { consumer: '' }],
    ['context', { context: 'a\u0000' }],
    ['code', { code: 'x'.repeat(65) }],
    ['stream', { stream: 'a\u0001' }],
    ['parked_after', { parkedAfter: { seconds: 0n, nanos: -1 } }],
    ['parked_before', { parkedBefore: { seconds: 0n, nanos: 1_000_000_000 } }],
    ['page_size', { pageSize: -1 }],
    ['payload_encoding', { payloadEncoding: 9 as PayloadEncoding }],
  ])('refuses a bad %s', async (field, request) => {
    const { consumer, fetch } = scene();
    await fetch();
    expect(await refusalOf(suite.client.consumers.listParkedEvents({ consumer, ...request }))).toMatchObject({
      ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] },
    });
  });

  it('knows no parked events of nobody', async () => {
    const refusal = await refusalOf(suite.client.consumers.listParkedEvents({ consumer: 'nobody' }));
    expect(refusal).toMatchObject({ status: 'NOT_FOUND', reason: 'CONSUMER_UNKNOWN' });
    const { fetch, ...made } = scene();
    await fetch();
    expect(await parkedOf(made).list()).toEqual([]);
  });
});

describe('ReplayParkedEvents', () => {
  it('delivers some once more, marked, outside of their stream, and ends with the acknowledgement', async () => {
    const { calls, positions, subscribe, ack, get, consumer } = await withParked(3, { stream: () => 'replayed' });
    const [p1, p2, p3] = positions as [bigint, bigint, bigint];
    const { offset } = await get();
    expect(await calls.replay(p3, p1)).toEqual({
      replayed: 2n,
      results: [
        { position: p3, status: DONE },
        { position: p1, status: DONE },
      ],
    });
    expect(await stored(consumer)).toEqual([
      [Number(p1), 3],
      [Number(p2), 2],
      [Number(p3), 3],
    ]);
    expect((await calls.list()).map(({ replaying }) => replaying)).toEqual([true, false, true]);
    const deliveries = await subscribe().first(2);
    expect(deliveries.map((one) => [numberOf(one), one.replay, one.attempt])).toEqual([
      [1, true, 1],
      [3, true, 1],
    ]);
    await ack(deliveries);
    expect(await stored(consumer)).toEqual([[Number(p2), 2]]);
    const after = await get();
    // It passes the entry of the audit, and nothing else.
    expect(after.offset - offset).toBeLessThanOrEqual(1n);
    expect(after.parked).toBe(1n);
  });

  it('delivers all, once, and is safe to repeat', async () => {
    const { calls, positions, subscribe, ack, push } = await withParked(5);
    const [first, again] = await Promise.all([calls.replayAll(), calls.replayAll()]);
    expect(first.results).toEqual([]);
    expect([first.replayed + again.replayed, first.replayed]).toContainEqual(5n);
    expect(await calls.replay(...positions)).toMatchObject({ replayed: 5n });
    const subscriber = subscribe();
    await ack(await subscriber.first(5));
    // One more comes after all that was sent.
    await push(1, {}, 6);
    expect((await subscriber.first(6)).map(numberOf).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await calls.list()).toEqual([]);
    expect(await calls.replayAll()).toEqual({ replayed: 0n, results: [] });
  });

  it('delivers all that is selected', async () => {
    const { calls, positions, subscribe } = await withParked(4, {
      stream: (n) => `of ${n % 2}`,
      code: (n) => (n < 3 ? 'EARLY' : 'LATE'),
    });
    expect(await calls.replayAll({ code: 'EARLY', stream: 'of 0' })).toMatchObject({ replayed: 1n });
    const [delivery] = await subscribe().first(1);
    expect(delivery?.event?.position).toBe(positions[1]);
    expect(await calls.replayAll({ parkedBefore: { seconds: 1n, nanos: 0 } })).toMatchObject({ replayed: 0n });
    expect((await calls.list()).map(({ replaying }) => replaying)).toEqual([false, true, false, false]);
  });

  it('parks again what fails again, with the new reason', async () => {
    const made = scene({ maxAttempts: 2 });
    const { subscribe, push, reject, consumer } = made;
    const [position] = (await push(1)) as [bigint];
    const subscriber = subscribe();
    await reject(await subscriber.first(1), { verdict: VERDICT_PARK, code: 'ONCE', reason: 'once' });
    const calls = parkedOf(made);
    await calls.replay(position);
    const how = { verdict: VERDICT_RETRY, delay: AT_ONCE, code: 'AGAIN', reason: 'again' };
    await reject((await subscriber.first(2)).slice(1), how);
    await reject((await subscriber.first(3)).slice(2), how);
    expect(subscriber.deliveries.map(({ attempt, replay }) => [attempt, replay])).toEqual([
      [1, false],
      [1, true],
      [2, true],
    ]);
    expect(await calls.list()).toMatchObject([{ attempts: 2, code: 'AGAIN', reason: 'again', replaying: false }]);
    expect(await stored(consumer)).toEqual([[Number(position), 2]]);
  });

  it('says of each position whether it is parked', async () => {
    const { calls, positions, consumer } = await withParked(2);
    const [p1, p2] = positions as [bigint, bigint];
    await calls.discard(p1);
    expect(await calls.replay(p1, p2, p2)).toEqual({
      replayed: 1n,
      results: [
        { position: p1, status: NOT_PARKED },
        { position: p2, status: DONE },
        { position: p2, status: DONE },
      ],
    });
    const unknown = { status: 'NOT_FOUND', reason: 'PARKED_UNKNOWN', metadata: { position: String(p1) } };
    expect(await refusalOf(calls.replay(p1))).toMatchObject(unknown);
    expect(await refusalOf(calls.replay(p1, p1))).toMatchObject(unknown);
    expect(await refusalOf(calls.discard(p1))).toMatchObject(unknown);
    expect(await stored(consumer)).toEqual([[Number(p2), 3]]);
  });

  it('is not undone by a seek beyond it, and is taken from the list by one back over it', async () => {
    const { calls, positions, consumer, subscribe } = await withParked(2);
    const [p1, p2] = positions as [bigint, bigint];
    await calls.replayAll();
    const seek = (value: bigint) =>
      suite.client.consumers.seekConsumer({ name: consumer, to: { at: { $case: 'afterPosition', value } } });
    await seek(p2);
    expect(at(await calls.list())).toEqual([p1, p2]);
    await seek(p1);
    expect(at(await calls.list())).toEqual([p1]);
    const deliveries = await subscribe().first(2);
    expect(deliveries.map((one) => [numberOf(one), one.replay]).sort()).toEqual([
      [1, true],
      [2, false],
    ]);
  });

  it('holds after a take-over', async () => {
    const { calls, positions, consumer, settings } = await withParked(3);
    await calls.replay(positions[0] as bigint, positions[2] as bigint);
    // As if its owner had died some time ago.
    await connection.query('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 SECOND WHERE name = ?', [
      Buffer.from(consumer),
    ]);
    const fetched = await second.client.consumers.fetch({
      consumer,
      settings,
      limit: 10,
      wait: { seconds: 5n, nanos: 0 },
    });
    expect(fetched.deliveries.map((one) => [numberOf(one), one.replay])).toEqual([
      [1, true],
      [3, true],
    ]);
    const there = parkedOf({ consumer }, second.client);
    expect(await there.discardAll()).toMatchObject({ discarded: 3n });
    expect(await stored(consumer)).toEqual([]);
    const acknowledge = { consumer, acknowledgements: acknowledgements(fetched.deliveries) };
    const { results } = await second.client.consumers.acknowledge(acknowledge);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([AckStatus.ACK_STATUS_ALREADY]));
  });

  it('is for the instance that runs the consumer, and for consumers that there are', async () => {
    const { positions, subscribe, ...made } = await withParked(1);
    await subscribe().opened();
    const [position] = positions as [bigint];
    const there = parkedOf(made, second.client);
    const event = { issuer: 'i', payload: jsonPayload(1) };
    for (const call of [
      there.replay(position),
      there.replayAll(),
      there.discard(position),
      there.edit(position, event),
    ]) {
      expect(await refusalOf(call)).toMatchObject({
        ...{ status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE', metadata: { owner: 'first.example:50051' } },
      });
    }
    const nobody = parkedOf({ consumer: 'nobody' });
    for (const call of [
      nobody.replay(position),
      nobody.replayAll(),
      nobody.discardAll(),
      nobody.edit(position, event),
    ]) {
      expect(await refusalOf(call)).toMatchObject({ status: 'NOT_FOUND', reason: 'CONSUMER_UNKNOWN' });
    }
    expect(await stored(made.consumer)).toEqual([[Number(position), 2]]);
  });

  it('is refused with its consumer while that is deleted, and changes nothing of a new one', async () => {
    const { calls, positions, consumer, settings } = await withParked(50);
    const { consumers } = suite.client;
    const answers = Promise.allSettled([
      calls.replayAll(),
      consumers.deleteConsumer({ name: consumer }),
      calls.discardAll(),
    ]);
    await answers;
    await consumers.createConsumer({ name: consumer, settings });
    expect(await calls.list()).toEqual([]);
    expect(await stored(consumer)).toEqual([]);
    expect(await refusalOf(calls.replay(positions[0] as bigint))).toMatchObject({ reason: 'PARKED_UNKNOWN' });
  });

  it.each<[name: string, request: object, field: string]>([
    ['nothing named', {}, 'positions'],
    ['a position of 0', { positions: [1n, 0n] }, 'positions[1]'],
    ['too many positions', { positions: Array.from({ length: 1_001 }, () => 1n) }, 'positions'],
    ['all and positions', { positions: [1n], all: true }, 'all'],
    ['positions and a code', { positions: [1n], code: 'X' }, 'code'],
    ['positions and a stream', { positions: [1n], stream: 's' }, 'stream'],
    ['positions and a time', { positions: [1n], parkedAfter: AT_ONCE }, 'parked_after'],
    ['positions and another time', { positions: [1n], parkedBefore: AT_ONCE }, 'parked_before'],
    ['a long code', { all: true, code: 'x'.repeat(65) }, 'code'],
    ['a bad stream', { all: true, stream: '\u0000' }, 'stream'],
    ['no consumer', { all: true, consumer: '' }, 'consumer'],
  ])('is refused with %s, as is DiscardParkedEvents', async (_name, request, field) => {
    const { consumer } = await withParked(1);
    const { consumers } = suite.client;
    const before = await stored(consumer);
    for (const call of ['replayParkedEvents', 'discardParkedEvents'] as const) {
      expect(await refusalOf(consumers[call]({ consumer, ...request }) as Promise<unknown>)).toMatchObject({
        ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] },
      });
    }
    expect(await stored(consumer)).toEqual(before);
  });

  it('is refused above the head, with the position at fault, and replays nothing', async () => {
    const { calls, positions, consumer } = await withParked(1);
    const [position] = positions as [bigint];
    for (const call of [calls.replay, calls.discard]) {
      expect(await refusalOf(call(position, ABOVE))).toMatchObject({
        ...{ status: 'FAILED_PRECONDITION', reason: 'POSITION_BEYOND_HEAD', fields: ['positions[1]'] },
      });
    }
    expect(await stored(consumer)).toEqual([[Number(position), 2]]);
  });
});

describe('DiscardParkedEvents', () => {
  it('takes some, or all that is selected, from the list for good', async () => {
    const { calls, positions, consumer, subscribe, get } = await withParked(4, { code: (n) => (n < 4 ? 'A' : 'B') });
    const [p1, p2, , p4] = positions as [bigint, bigint, bigint, bigint];
    const twice = [
      { position: p1, status: DONE },
      { position: p1, status: DONE },
    ];
    expect(await calls.discard(p1, p1)).toEqual({ discarded: 1n, results: twice });
    await calls.replay(p2);
    expect(await calls.discardAll({ code: 'A' })).toEqual({ discarded: 2n, results: [] });
    expect(await stored(consumer)).toEqual([[Number(p4), 2]]);
    await subscribe().frame('caughtUp');
    expect(await get()).toMatchObject({ inFlight: 0, parked: 1n });
  });

  it('ends a replay that a member has', async () => {
    const { calls, positions, subscribe, ack } = await withParked(1);
    await calls.replayAll();
    const deliveries = await subscribe().first(1);
    expect(await calls.discard(...positions)).toMatchObject({ discarded: 1n });
    expect((await ack(deliveries)).results[0]?.status).toBe(AckStatus.ACK_STATUS_ALREADY);
  });
});

describe('ReplayEditedEvent', () => {
  it('pushes the edited event to the consumer alone, and discards the parked one', async () => {
    const made = await withParked(1, { stream: () => 'edited' });
    const { calls, positions, consumer, subscribe, ack, topic, get } = made;
    const [position] = positions as [bigint];
    const parked = (await calls.list())[0]?.event;
    const messageId = randomUUID();
    const answer = await calls.edit(position, { issuer: 'operator', payload: jsonPayload({ n: 9 }), messageId });
    expect(answer).toMatchObject({
      outcome: Outcome.OUTCOME_OCCURRED,
      event: {
        ...{ topic, stream: '', sequence: 0n, issuer: 'operator', messageId, to: consumer },
        ...{ causedBy: parked?.messageId, payload: jsonPayload({ n: 9 }) },
      },
    });
    expect(parked?.messageId).not.toBe('');
    expect(await stored(consumer)).toEqual([]);
    const [delivery] = (await subscribe().first(1)) as [Delivery];
    expect(delivery).toMatchObject({ replay: false, attempt: 1, event: { position: answer.event?.position } });
    await ack([delivery]);
    expect(await get()).toMatchObject({ parked: 0n, pending: 0n });
    const other = await suite.client.consumers.fetch({ consumer: `${consumer}-other`, settings: made.settings });
    expect(other.deliveries.map(numberOf)).toEqual([1]);
  });

  it('is as the parked event where it says nothing else', async () => {
    const made = scene();
    const { subscribe, push, reject } = made;
    const taken = {
      ...{ version: 3, sessionId: 's', correlationId: 'c', replyTo: 'r', subject: Subject.SUBJECT_CREATE, tag: 't' },
      ...{ entityType: 'e', organization: 'o', unit: 'u', properties: { a: '1' }, trigger: { type: 'x', name: 'y' } },
      system: { id: 'i', name: 'n', time: { seconds: 5n, nanos: 0 }, timezone: 'UTC' },
    };
    const [p1, p2] = (await push(2, { ...taken, traceparent: 'tp', tracestate: 'ts' })) as [bigint, bigint];
    await reject(await subscribe().first(2), { verdict: VERDICT_PARK });
    const event = { issuer: 'i', payload: jsonPayload(1) };
    const { event: same } = await parkedOf(made).edit(p1, event);
    expect(same).toMatchObject({ ...taken, traceparent: '', tracestate: '', issuer: 'i' });
    const own = { tag: 'own', properties: { b: '2' }, traceparent: 'mine', topic: made.topic };
    const { event: other } = await parkedOf(made).edit(p2, { ...event, ...own });
    expect(other).toMatchObject({ ...taken, ...own });
  });

  it('is answered with the first result when it is repeated, and discards nothing more', async () => {
    const { calls, positions, consumer, subscribe, reject } = await withParked(1);
    const [position] = positions as [bigint];
    const edited = { issuer: 'operator', payload: jsonPayload({ n: 9 }), messageId: randomUUID() };
    const [one, two] = await Promise.all([calls.edit(position, edited), calls.edit(position, edited)]);
    expect([one.outcome, two.outcome].sort()).toEqual([Outcome.OUTCOME_OCCURRED, Outcome.OUTCOME_DUPLICATE]);
    expect(one.event?.position).toBe(two.event?.position);
    // The same position, parked anew after a seek, is not what was edited then.
    await suite.client.consumers.seekConsumer({
      ...{ name: consumer, to: { at: { $case: 'afterPosition', value: position - 1n } } },
    });
    const subscriber = subscribe();
    const again = (await subscriber.first(1)).slice(0, 1);
    await reject(again, { verdict: VERDICT_PARK });
    expect(await calls.edit(position, edited)).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE });
    expect(await stored(consumer)).toEqual([[Number(position), 2]]);
    expect(at(await calls.list())).toEqual([position]);
    const refusal = await refusalOf(calls.edit(position, { ...edited, payload: jsonPayload({ n: 10 }) }));
    expect(refusal).toMatchObject({ reason: 'MESSAGE_ID_REUSED' });
    expect(await calls.replay(position)).toMatchObject({ replayed: 1n });
  });

  it('takes the place of one event once, whoever asks for it', async () => {
    const { calls, positions, consumer } = await withParked(1);
    const [position] = positions as [bigint];
    const before = await storedEvents();
    const edits = Array.from({ length: 5 }, (_, n) =>
      calls.edit(position, { issuer: 'i', payload: jsonPayload({ n }) }),
    );
    const results = await Promise.allSettled([...edits, calls.replay(position), calls.discard(position)]);
    const stayed = await stored(consumer);
    expect(stayed).toEqual([]);
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(1);
    expect(await storedEvents()).toBeLessThanOrEqual(before + 1);
  });

  it('stores nothing once another instance has taken the consumer', async () => {
    const { calls, positions, consumer } = await withParked(1);
    const [position] = positions as [bigint];
    const before = await storedEvents();
    const holder = await createConnection(suite.database.adminUrl);
    const waiting = async () => {
      const [rows] = await holder.query(
        `SELECT COUNT(*) AS n FROM information_schema.processlist
         WHERE db = DATABASE() AND info LIKE '%FROM log_head%FOR UPDATE%' AND id <> CONNECTION_ID()`,
      );
      return (rows as { n: number }[])[0]?.n;
    };
    await holder.query('START TRANSACTION');
    await holder.query('SELECT position FROM log_head WHERE id = 1 FOR UPDATE');
    const refusal = refusalOf(calls.edit(position, { issuer: 'i', payload: jsonPayload(1) }));
    await waitUntil(async () => (await waiting()) === 1, { what: 'the group to wait for the head row' });
    await connection.query('UPDATE consumer SET owner_epoch = owner_epoch + 1, owner = ? WHERE name = ?', [
      ...['another', Buffer.from(consumer)],
    ]);
    await holder.query('ROLLBACK');
    await holder.end();
    expect(await refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE', retryable: true });
    expect(await stored(consumer)).toEqual([[Number(position), 2]]);
    expect(await storedEvents()).toBe(before);
  });

  it('reaches a consumer of every context in the context of the event', async () => {
    const { topic, push } = scene();
    const [position] = (await push(1, { context: 'elsewhere', messageId: randomUUID() })) as [bigint];
    const { consumers } = suite.client;
    const request = { context: 'all', consumer: `${topic} of all`, settings: { filter: { topics: [topic] } } };
    const fetched = await consumers.fetch(request as never);
    const key = { context: 'all', consumer: request.consumer };
    await consumers.reject({ ...key, rejections: acknowledgements(fetched.deliveries), verdict: VERDICT_PARK });
    expect(at((await consumers.listParkedEvents(key)).events)).toEqual([position]);
    const event = NewEvent.fromPartial({ issuer: 'i', payload: jsonPayload({ n: 2 }) } as NewEvent);
    const { event: edited } = await consumers.replayEditedEvent({ ...key, position, event });
    expect(edited).toMatchObject({ context: 'elsewhere', topic, to: request.consumer });
    const next = await consumers.fetch({ ...request, wait: { seconds: 5n, nanos: 0 } } as never);
    expect(next.deliveries.map(numberOf)).toEqual([2]);
  });

  it('counts with replays and discards among what people did', async () => {
    const counted = async (action: string) =>
      metric(suite.server.httpAddress, new RegExp(`^madeleine_parked_changes_total\\{action="${action}"\\} (\\d+)$`));
    const actions = ['replay', 'discard', 'edit'];
    const before = await Promise.all(actions.map(counted));
    const { calls, positions } = await withParked(4);
    const [p1, p2] = positions as [bigint, bigint];
    const event = { issuer: 'i', payload: jsonPayload(1), messageId: randomUUID() };
    await calls.edit(p1, event);
    await calls.edit(p1, event);
    await calls.replay(p2);
    await calls.discardAll();
    const after = await Promise.all(actions.map(counted));
    expect(after.map((value, index) => value - (before[index] ?? 0))).toEqual([1, 3, 1]);
  });

  it('edits what was addressed to the consumer', async () => {
    const made = scene();
    const { subscribe, push, reject, consumer } = made;
    const [position] = (await push(1, { to: consumer })) as [bigint];
    const subscriber = subscribe();
    await reject(await subscriber.first(1), { verdict: VERDICT_PARK });
    const { event } = await parkedOf(made).edit(position, { issuer: 'i', payload: jsonPayload({ n: 2 }) });
    expect(event).toMatchObject({ to: consumer });
    expect((await subscriber.first(2)).map(numberOf)).toEqual([1, 2]);
  });

  it('is refused for what is being replayed, or is not parked', async () => {
    const { calls, positions } = await withParked(2);
    const [p1, p2] = positions as [bigint, bigint];
    const event = { issuer: 'i', payload: jsonPayload(1) };
    const before = await storedEvents();
    await calls.replay(p1);
    expect(await refusalOf(calls.edit(p1, event))).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'WRONG_STATE', fields: ['position'] },
    });
    await calls.discard(p2);
    expect(await refusalOf(calls.edit(p2, event))).toMatchObject({ status: 'NOT_FOUND', reason: 'PARKED_UNKNOWN' });
    expect(await refusalOf(calls.edit(ABOVE, event))).toMatchObject({
      ...{ reason: 'POSITION_BEYOND_HEAD', fields: ['position'] },
    });
    expect(await storedEvents()).toBe(before);
  });

  it.each<[name: string, event: Partial<NewEvent> | undefined, fields: string[]]>([
    ['no event', undefined, ['event']],
    ['no payload', { payload: undefined as never }, ['event.payload']],
    ['no issuer', { issuer: '' }, ['event.issuer']],
    ['a stream', { stream: 's' }, ['event.stream']],
    ['an addressee', { to: 'other' }, ['event.to']],
    ['a context', { context: 'default' }, ['event.context']],
    ['a cause', { causedBy: 'x' }, ['event.caused_by']],
    ['a description', { description: { n: 1 } }, ['event.description']],
    ['a bad message id', { messageId: 'x' }, ['event.message_id']],
    ['a long tag', { tag: 'x'.repeat(256) }, ['event.tag']],
    [
      'several faults',
      { stream: 's', to: 'x', payload: undefined as never },
      ['event.stream', 'event.to', 'event.payload'],
    ],
    ['what the filter does not select', { topic: 'of others' }, ['event']],
  ])('is refused with %s, and changes nothing', async (_name, changes, fields) => {
    const { consumer, positions } = await withParked(1);
    const before = await storedEvents();
    const event = changes && NewEvent.fromPartial({ issuer: 'i', payload: jsonPayload(1), ...changes } as NewEvent);
    const call = suite.client.consumers.replayEditedEvent({ consumer, position: positions[0] as bigint, event });
    const refusal = await refusalOf(call);
    expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID' });
    expect(refusal.fields).toEqual(fields);
    expect(await stored(consumer)).toEqual([[Number(positions[0]), 2]]);
    expect(await storedEvents()).toBe(before);
  });

  it('is refused without a position, and with a payload that is too large', async () => {
    const { calls, positions } = await withParked(1);
    const event = { issuer: 'i', payload: jsonPayload('x'.repeat(300_000)) };
    expect(await refusalOf(calls.edit(0n, event))).toMatchObject({ fields: ['position'] });
    expect(await refusalOf(calls.edit(positions[0] as bigint, event))).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('many parked events', () => {
  const COUNT = 5_000;

  it('are replayed while others are served', async () => {
    const made = scene();
    const { consumer, subscribe, push } = made;
    const positions: bigint[] = [];
    for (let from = 1; from <= COUNT; from += 1_000) positions.push(...(await push(1_000, {}, from)));
    // Parked by hand: as if it had been done before.
    await suite.client.consumers.createConsumer({ name: consumer, settings: made.settings });
    const head = Number(positions.at(-1));
    await connection.query('UPDATE consumer SET acked_to = ? WHERE name = ?', [head, Buffer.from(consumer)]);
    await connection.query(
      `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
       SELECT c.id, l.position, 1, 0, 0, '', 2 FROM consumer c JOIN log l ON l.position BETWEEN ? AND ? WHERE c.name = ?`,
      [Number(positions[0]), head, Buffer.from(consumer)],
    );
    const calls = parkedOf(made);
    const answers = await Promise.all([calls.replayAll(), calls.replayAll(), push(10, {}, COUNT + 1)]);
    expect(answers[0].replayed + answers[1].replayed).toBeGreaterThanOrEqual(BigInt(COUNT));
    const subscriber = subscribe({ maxInFlight: 100 });
    // What is new goes beside them.
    await waitUntil(() => subscriber.numbers.includes(COUNT + 10), { what: 'new events' });
    const seen = new Set<unknown>();
    for (let taken = 0; seen.size < COUNT + 10; ) {
      await waitUntil(() => subscriber.deliveries.length > taken, { what: `more than ${seen.size} of them` });
      const some = subscriber.deliveries.slice(taken);
      taken += some.length;
      for (const delivery of some) seen.add(numberOf(delivery));
      await made.ack(some);
    }
    expect(subscriber.deliveries).toHaveLength(COUNT + 10);
    expect(await stored(consumer)).toEqual([]);
  });
});
