// Acknowledgements by event id and by message id: by whatever id people and other systems know an event.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type AcknowledgeRequest, AckStatus } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const beside = useServerBeside(suite);
const scene = useScenes(suite);
const { occur, await_, invalidate, list } = eventCalls(suite);

const {
  ACK_STATUS_ACCEPTED: ACCEPTED,
  ACK_STATUS_ALREADY: ALREADY,
  ACK_STATUS_STALE: STALE,
  ACK_STATUS_UNKNOWN: UNKNOWN,
} = AckStatus;
const { EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED, EVENT_STATUS_EXPIRED } = EventStatus;
const NOT_KNOWN = [0n, UNKNOWN];

type Request = Partial<AcknowledgeRequest> & { readonly consumer: string };

/** Position and status of each event id, then of each message id. */
async function ids(request: Request) {
  const { eventResults, messageResults } = await suite.client.consumers.acknowledge(request);
  expect(eventResults.map(({ eventId }) => eventId)).toEqual(request.eventIds ?? []);
  expect(messageResults.map(({ messageId }) => messageId)).toEqual(request.messageIds ?? []);
  return [...eventResults, ...messageResults].map(({ position, status }) => [position, status]);
}

describe('Acknowledge by ids', () => {
  it('takes an event id or a message id for whatever is current, once', async () => {
    const { topic, consumer, subscribe, get } = scene();
    const messageId = randomUUID();
    const [one, two] = [await occur(topic, { n: 1 }), await occur(topic, { n: 2 }, { messageId })];
    await subscribe().first(2);
    const request = { consumer, eventIds: [one.id], messageIds: [messageId.toUpperCase()] };
    expect(await ids(request)).toEqual([
      [one.position, ACCEPTED],
      [two.position, ACCEPTED],
    ]);
    expect(await get()).toMatchObject({ inFlight: 0, pending: 0n });
    expect(await ids({ ...request, eventIds: [one.id, one.id] })).toEqual([
      [one.position, ALREADY],
      [one.position, ALREADY],
      [two.position, ALREADY],
    ]);
  });

  it('answers what has a lease in its own list, before ids and up_to, as clients know it', async () => {
    const { topic, consumer, subscribe } = scene();
    const [one, two, three] = [await occur(topic, {}), await occur(topic, {}), await occur(topic, {})];
    const deliveries = await subscribe().first(3);
    const acknowledgements = [
      { position: two.position, lease: 1n },
      { position: one.position, lease: deliveries[0]?.lease ?? 0n },
    ];
    const request = { consumer, acknowledgements, eventIds: [one.id, two.id], upTo: three.position };
    expect(await suite.client.consumers.acknowledge(request)).toMatchObject({
      results: [
        { position: two.position, status: UNKNOWN },
        { position: one.position, status: ACCEPTED },
      ],
      eventResults: [
        { eventId: one.id, position: one.position, status: ALREADY },
        { eventId: two.id, position: two.position, status: ACCEPTED },
      ],
      messageResults: [],
      acknowledgedUpTo: 1,
    });
  });

  it('finds an event by every wait that it ended, and by their message ids', async () => {
    const { topic, consumer, subscribe } = scene();
    const messageIds = [randomUUID(), randomUUID(), randomUUID()];
    const a = await await_(topic, { a: 1 }, { messageId: messageIds[0] as string });
    const b = await await_(topic, { b: 2 }, { messageId: messageIds[1] as string });
    const found = await occur(topic, { a: 1, b: 2 }, { messageId: messageIds[2] as string });
    await subscribe().first(1);
    expect(await ids({ consumer, eventIds: [b.id, a.id], messageIds })).toEqual([
      [found.position, ACCEPTED],
      ...Array(4).fill([found.position, ALREADY]),
    ]);
  });

  it('does not know what is not there, what is only awaited, and what has another context', async () => {
    const { topic, consumer, subscribe, get } = scene();
    const messageId = randomUUID();
    const own = await occur(topic, {});
    const elsewhere = await occur(topic, {}, { context: 'elsewhere', messageId });
    const awaited = await await_(topic, { never: true });
    await subscribe().first(1);
    const eventIds = [1n << 40n, (1n << 64n) - 1n, awaited.id, elsewhere.id];
    expect(await ids({ consumer, eventIds, messageIds: [messageId, randomUUID()] })).toEqual(Array(6).fill(NOT_KNOWN));
    expect(await get()).toMatchObject({ inFlight: 1, oldestUnacknowledged: own.position });
    // The same once the offset has passed them.
    expect(await ids({ consumer, eventIds: [own.id, ...eventIds] })).toEqual([
      [own.position, ACCEPTED],
      ...Array(4).fill(NOT_KNOWN),
    ]);
    expect(await ids({ consumer, eventIds })).toEqual(Array(4).fill(NOT_KNOWN));
  });

  it('does not know what was never delivered, nor what the filter passes over, below the offset and above', async () => {
    const { topic, consumer, subscribe, get } = scene();
    const before = await occur(topic, {});
    const subscriber = subscribe({ start: { at: { $case: 'latest', value: {} } }, maxInFlight: 1 });
    await subscriber.opened();
    const [strange, own] = [await occur('of others', {}), await occur(topic, {})];
    const [later, beyond] = [await occur(topic, {}), await occur('of others', {})];
    await subscriber.first(1);
    const all = [before, strange, own, later, beyond].map(({ id }) => id);
    const answers = [NOT_KNOWN, NOT_KNOWN, [own.position, ACCEPTED], NOT_KNOWN, NOT_KNOWN];
    expect(await ids({ consumer, eventIds: all })).toEqual(answers);
    await subscriber.first(2);
    await ids({ consumer, eventIds: [later.id] });
    await waitUntil(async () => (await get()).offset >= beyond.position, { what: 'the offset at the head' });
    expect(await ids({ consumer, eventIds: all })).toEqual([
      ...[NOT_KNOWN, NOT_KNOWN, [own.position, ALREADY], [later.position, ALREADY]],
      NOT_KNOWN,
    ]);
  });

  it('does not know, after a seek, what was not delivered again', async () => {
    const { topic, consumer, subscribe } = scene();
    const [one, two] = [await occur(topic, {}), await occur(topic, {})];
    const subscriber = subscribe();
    const [first] = await subscriber.first(2);
    const eventIds = [one.id, two.id];
    await ids({ consumer, eventIds });
    const seek = (position: bigint) =>
      suite.client.consumers.seekConsumer({ name: consumer, to: { at: { $case: 'afterPosition', value: position } } });
    await seek(two.position);
    expect(await ids({ consumer, eventIds })).toEqual([NOT_KNOWN, NOT_KNOWN]);
    await seek(one.position);
    await subscriber.first(3);
    const acknowledgements = [{ position: one.position, lease: first?.lease ?? 0n }];
    const { results } = await suite.client.consumers.acknowledge({ consumer, acknowledgements });
    expect(results).toEqual([{ position: one.position, status: STALE }]);
    expect(await ids({ consumer, eventIds })).toEqual([NOT_KNOWN, [two.position, ACCEPTED]]);
  });

  it('acknowledges of an event that was withdrawn what was delivered: the fact, the withdrawal, or both', async () => {
    const { topic, consumer, subscribe, settings } = scene();
    const statuses = [EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED];
    const of = (more: typeof statuses) => ({ ...settings, filter: { ...settings.filter, statuses: more } }) as never;
    const names = { facts: consumer, both: `${consumer}-both`, withdrawals: `${consumer}-withdrawals` };
    const facts = subscribe();
    const both = subscribe({ consumer: names.both, settings: of(statuses), maxInFlight: 1 });
    const withdrawals = subscribe({ consumer: names.withdrawals, settings: of([EVENT_STATUS_INVALIDATED]) });
    for (const subscriber of [facts, both, withdrawals]) await subscriber.opened();
    const { id, position } = await occur(topic, {});
    await invalidate(id);
    const withdrawn = (await list({ topics: [topic], statuses: [EVENT_STATUS_INVALIDATED] }))[0]?.position;
    await Promise.all([facts.first(1), both.first(1), withdrawals.first(1)]);
    const of1 = (name: string) => ids({ consumer: name, eventIds: [id] });
    expect(await of1(names.facts)).toEqual([[position, ACCEPTED]]);
    expect(await of1(names.withdrawals)).toEqual([[withdrawn, ACCEPTED]]);
    // One at a time: the withdrawal is not there yet, and is none the less delivered.
    expect(await of1(names.both)).toEqual([[position, ACCEPTED]]);
    await both.first(2);
    expect(await of1(names.both)).toEqual([[withdrawn, ACCEPTED]]);
    for (const name of Object.values(names)) expect((await of1(name))[0]?.[1]).toBe(ALREADY);
    const more = subscribe({ consumer: `${consumer}-more`, settings: of(statuses) });
    await more.first(2);
    expect(await of1(`${consumer}-more`)).toEqual([[withdrawn, ACCEPTED]]);
    expect((await suite.client.consumers.getConsumer({ name: `${consumer}-more` })).consumer).toMatchObject({
      inFlight: 0,
      pending: 0n,
    });
  });

  it('acknowledges the end of a wait that nothing ended', async () => {
    const { topic, consumer, subscribe, settings } = scene();
    const filter = { ...settings.filter, statuses: [EVENT_STATUS_EXPIRED] } as never;
    const messageId = randomUUID();
    const { id } = await await_(topic, { n: 1 }, { messageId }, { waitTimeout: { seconds: 0n, nanos: 50_000_000 } });
    const [delivery] = await subscribe({ settings: { ...settings, filter } }).first(1);
    expect(await ids({ consumer, messageIds: [messageId] })).toEqual([[delivery?.event?.position, ACCEPTED]]);
    expect(await ids({ consumer, eventIds: [id] })).toEqual([[delivery?.event?.position, ALREADY]]);
  });

  it('tells what a description passes over, and keeps a withdrawal that it selects', async () => {
    const statuses = [EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED];
    const { topic, consumer, subscribe, get } = scene({ filter: { statuses, description: { n: 1 } } as never });
    const [strange, own] = [await occur(topic, { n: 2 }), await occur(topic, { n: 1 })];
    await invalidate(own.id);
    await subscribe().first(2);
    expect(await ids({ consumer, eventIds: [strange.id, own.id] })).toMatchObject([NOT_KNOWN, [{}, ACCEPTED]]);
    const [, withdrawn] = await list({ topics: [topic], statuses, description: { n: 1 } });
    await waitUntil(async () => (await get()).pending === 0n, { what: 'nothing is pending' });
    expect(await ids({ consumer, eventIds: [strange.id, own.id] })).toEqual([
      NOT_KNOWN,
      [withdrawn?.position, ALREADY],
    ]);
  });

  it('tells of every id of a thousand whether the filter passes over its event', async () => {
    const { topic, consumer, subscribe, push, ack, get } = scene();
    const others = `${topic} of others`;
    const strange = await push(500, { topic: others });
    const own = await push(500);
    await ack(await subscribe({ maxInFlight: 1_000 }).first(500));
    await waitUntil(async () => (await get()).pending === 0n, { what: 'nothing is pending' });
    const events = await list({ topics: [topic, others] }, { pageSize: 1_000 });
    const idOf = new Map(events.map(({ id, position }) => [position, id]));
    const eventIds = [...strange, ...own].map((position) => idOf.get(position) ?? 0n);
    const expected = [...Array(500).fill(UNKNOWN), ...Array(500).fill(ALREADY)];
    expect((await ids({ consumer, eventIds })).map(([, status]) => status)).toEqual(expected);
  });

  it('of a consumer of all goes by event ids, of whatever context', async () => {
    const { topic, consumer, subscribe } = scene();
    const messageId = randomUUID();
    const there = await occur(topic, {}, { context: 'elsewhere', messageId });
    const here = await occur(topic, {}, { messageId });
    await subscribe({ context: 'all' }).first(2);
    const request = { context: 'all', consumer, eventIds: [there.id], messageIds: [messageId] };
    expect(await refusalOf(suite.client.consumers.acknowledge(request))).toMatchObject({
      ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: ['message_ids'] },
    });
    expect(await ids({ context: 'all', consumer, eventIds: [there.id, here.id] })).toEqual([
      [there.position, ACCEPTED],
      [here.position, ACCEPTED],
    ]);
  });

  it('finds what was pushed through another server a moment ago', async () => {
    const { topic, consumer, subscribe } = scene();
    const subscriber = subscribe();
    await subscriber.opened();
    const other = eventCalls(beside);
    for (let n = 1; n <= 20; n += 1) {
      const { id, position } = await other.occur(topic, { n });
      // Delivered or not yet: it is never taken for what is not there.
      expect([ACCEPTED, UNKNOWN]).toContain((await ids({ consumer, eventIds: [id] }))[0]?.[1]);
      expect((await suite.client.consumers.getConsumer({ name: consumer })).consumer?.head).toBeGreaterThanOrEqual(
        position,
      );
    }
  });

  it('gives two who acknowledge the same event at once one ACCEPTED', async () => {
    const { topic, consumer, subscribe } = scene();
    const messageId = randomUUID();
    const { id } = await occur(topic, {}, { messageId });
    await subscribe().first(1);
    const both = await Promise.all([ids({ consumer, eventIds: [id] }), ids({ consumer, messageIds: [messageId] })]);
    expect(both.map(([answer]) => answer?.[1]).sort()).toEqual([ACCEPTED, ALREADY]);
  });

  it('refuses what is wrong with the request, and acknowledges nothing', async () => {
    const { topic, consumer, subscribe, get } = scene();
    const messageId = randomUUID();
    const { id } = await occur(topic, {}, { messageId });
    await subscribe().first(1);
    const refused = async (request: Partial<AcknowledgeRequest>) => {
      const all = { consumer, eventIds: [id], messageIds: [messageId], ...request };
      const { status, reason, fields } = await refusalOf(suite.client.consumers.acknowledge(all));
      return `${status} ${reason} ${fields.join()}`;
    };
    const invalid = 'INVALID_ARGUMENT FIELD_INVALID';
    expect(await refused({ eventIds: [id, 0n] })).toBe(`${invalid} event_ids[1]`);
    expect(await refused({ eventIds: Array(1_001).fill(id) })).toBe(`${invalid} event_ids`);
    expect(await refused({ messageIds: [messageId, messageId, 'none'] })).toBe(`${invalid} message_ids[2]`);
    for (const bad of ['', `${messageId} `, `{${messageId}}`, messageId.replaceAll('-', ''), 'x'.repeat(10_000)]) {
      expect(await refused({ messageIds: [bad] })).toBe(`${invalid} message_ids[0]`);
    }
    expect(await refused({ messageIds: Array(1_001).fill(messageId) })).toBe(`${invalid} message_ids`);
    expect(await refused({ consumer: 'nobody' })).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refused({ upTo: 1n << 60n })).toBe('FAILED_PRECONDITION POSITION_BEYOND_HEAD up_to');
    expect(await refused({ acknowledgements: [{ position: 1n << 60n, lease: 0n }] })).toBe(
      'FAILED_PRECONDITION POSITION_BEYOND_HEAD acknowledgements[0].position',
    );
    expect(await get()).toMatchObject({ inFlight: 1, pending: 1n });
  });
});
