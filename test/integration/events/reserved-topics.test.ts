// The server's own topics: nobody else pushes to them, and their events come to those who name them, whoever reads, and however.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  CreateConsumerRequest,
  FetchRequest,
  ReplayEditedEventRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { Event as EventMessage } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf, take } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';

const AUDIT = 'madeleine.audit';
const CONTEXT = 'read';
const suite = useServer();
/** It has seen none of the names when it begins. */
const other = useServerBeside(suite);
const clients = () => [suite.client, other.client];

/** Positions of ordinary events, and of the entries between them. */
const pushed: bigint[] = [];
let audited: bigint[] = [];

const create = (name: string, topics: string[] = [], context = CONTEXT) =>
  suite.client.consumers.createConsumer(
    CreateConsumerRequest.fromPartial({ context, name, settings: { filter: { topics } } }),
  );
const eventsOf = (frames: readonly { events: EventMessage[] }[]) => frames.flatMap(({ events }) => events);
const positionsOf = (events: readonly EventMessage[]) => events.map(({ position }) => position);
const deliveredTo = (deliveries: readonly { event?: EventMessage | undefined }[]) =>
  deliveries.map(({ event }) => event?.position);

beforeAll(async () => {
  const { events } = suite.client;
  for (let n = 0; n < 20; n += 1) {
    const { event } = await events.pushEvent({ event: newEvent({ context: CONTEXT, payload: jsonPayload({ n }) }) });
    pushed.push(event?.position ?? 0n);
    await create(`consumer-${n}`);
  }
  const found = await events.listEvents({ filter: { context: CONTEXT, topics: [AUDIT] } });
  audited = positionsOf(found.events);
});

describe('the events of a topic of the server', () => {
  it('are withdrawn by nobody', async () => {
    const { events } = suite.client;
    const { events: found } = await events.listEvents({ filter: { context: CONTEXT, topics: [AUDIT] }, pageSize: 1 });
    const id = found[0]?.id ?? 0n;
    expect(await refusalOf(events.invalidateEvent({ id, reason: 'no' }))).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'WRONG_STATE', fields: ['id'] },
    });
    expect((await events.getEvent({ key: { $case: 'id', value: id } })).event?.status).toBe(found[0]?.status);
  });

  it('are listed where it is named', async () => {
    expect(audited).toHaveLength(20);
    for (const { events } of clients()) {
      for (const [topics, expected] of [
        [[], pushed],
        [['orders'], pushed],
        [[AUDIT], audited],
      ] as const) {
        const filter = { context: CONTEXT, topics: [...topics] };
        expect(positionsOf((await events.listEvents({ filter })).events)).toEqual(expected);
        const newest = await events.listEvents({ filter, newestFirst: true });
        expect(positionsOf(newest.events)).toEqual([...expected].reverse());
        const both = await events.listEvents({ filter: { ...filter, topics: ['orders', AUDIT] } });
        expect(both.events).toHaveLength(40);
      }
    }
  });

  it('make no page short, and are no newest event, for who does not name them', async () => {
    for (const { events } of clients()) {
      const filter = { context: CONTEXT };
      const first = await events.listEvents({ filter, pageSize: 5 });
      expect(positionsOf(first.events)).toEqual(pushed.slice(0, 5));
      const newest = await events.listEvents({ filter, pageSize: 1, newestFirst: true });
      expect(positionsOf(newest.events)).toEqual(pushed.slice(-1));
      const everywhere = await events.listEvents({ filter: { context: 'all' }, pageSize: 1, newestFirst: true });
      expect(positionsOf(everywhere.events)).toEqual(pushed.slice(-1));
    }
  });

  it('are read and watched where it is named', async () => {
    for (const { events } of clients()) {
      const read = async (topics: string[]) =>
        positionsOf(eventsOf(await take(events.readEvents({ context: CONTEXT, topics }), () => false)));
      expect(await read([])).toEqual(pushed);
      expect(await read([AUDIT])).toEqual(audited);
    }
    const watch = (topics: string[], count: number) =>
      take(
        suite.client.events.readEvents({ context: 'watched', topics, follow: true }),
        (seen) => eventsOf(seen).length === count,
      );
    const [all, named] = [watch([], 1), watch([AUDIT], 1)];
    await create('watched', [], 'watched');
    const { event } = await suite.client.events.pushEvent({ event: newEvent({ context: 'watched' }) });
    expect(positionsOf(eventsOf(await all))).toEqual([event?.position]);
    expect(eventsOf(await named)).toMatchObject([{ topic: AUDIT, tag: 'CreateConsumer' }]);
  });

  it('are peeked at where it is named', async () => {
    const { events } = suite.client;
    const peek = async (topic: string, afterPosition = 0n) =>
      (await events.peekEvent({ context: CONTEXT, topic, afterPosition })).event?.position;
    expect(await peek('')).toBe(pushed[0]);
    expect(await peek('', pushed[0])).toBe(pushed[1]);
    expect(await peek(AUDIT)).toBe(audited[0]);
  });

  it('are given to consumers that name it, and count for no others', async () => {
    const fetch = async (consumer: string, topics: string[]) => {
      const settings = { filter: { topics } };
      const request = FetchRequest.fromPartial({ context: CONTEXT, consumer, settings, limit: 1_000 });
      return deliveredTo((await suite.client.consumers.fetch(request)).deliveries);
    };
    const { consumer } = await create('counted');
    expect(consumer).toMatchObject({ pending: 20n, pendingIsMinimum: false });
    const { consumer: named } = await create('counted named', [AUDIT]);
    expect(named?.pending).toBeGreaterThanOrEqual(20n);
    expect(await fetch('fetched', [])).toEqual(pushed);
    const given = await fetch('fetched named', [AUDIT]);
    expect(given.slice(0, 20)).toEqual(audited);
    expect(given.length).toBeGreaterThan(20);
    const seek = { to: { at: { $case: 'latest', value: {} } }, dryRun: true } as const;
    const { consumers } = suite.client;
    expect(await consumers.seekConsumer({ context: CONTEXT, name: 'counted', ...seek })).toMatchObject({
      affected: 20n,
    });
    const listed = await other.client.consumers.listConsumers({ context: CONTEXT, namePrefix: 'counted' });
    expect(listed.consumers.map(({ pending }) => pending)).toEqual([20n, expect.toSatisfy((n) => n >= 20n)]);
  });

  it('are found by their ids, whoever asks', async () => {
    const { events } = suite.client;
    const [entry] = (await events.listEvents({ filter: { context: CONTEXT, topics: [AUDIT] }, pageSize: 1 })).events;
    expect((await events.getEvent({ key: { $case: 'id', value: entry?.id ?? 0n } })).event).toMatchObject({
      topic: AUDIT,
    });
  });

  it('end what waits for them', async () => {
    const description = { call: 'CreateConsumer', consumer: 'awaited' };
    const { event, outcome } = await suite.client.events.pushEvent({
      event: newEvent({ context: CONTEXT, topic: AUDIT, payload: undefined, description }),
    });
    expect(outcome).toBe(Outcome.OUTCOME_AWAITED);
    const waiting = take(suite.client.cawins.waitForEvent({ eventId: event?.id ?? 0n, endOnly: true }), (seen) =>
      seen.some((frame) => frame.event !== undefined),
    );
    await create('awaited');
    expect((await waiting).at(-1)?.event).toMatchObject({ topic: AUDIT, issuer: 'madeleine', tag: 'CreateConsumer' });
    const again = await suite.client.events.pushEvent({
      event: newEvent({ context: CONTEXT, topic: AUDIT, payload: undefined, description }),
    });
    expect(again.outcome).toBe(Outcome.OUTCOME_FOUND);
  });
});

describe('a client', () => {
  const refused = (field: string) => ({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] });
  const event = newEvent({ topic: AUDIT, messageId: randomUUID() });

  it('pushes to no topic of the server', async () => {
    const { events } = suite.client;
    expect(await refusalOf(events.pushEvent({ event }))).toMatchObject(refused('event.topic'));
    const batch = { events: [{ event: newEvent() }, { event }] };
    expect(await refusalOf(events.pushEvents(batch))).toMatchObject(refused('events[1].event.topic'));
    const answers = await take(
      events.pushEventStream(
        (async function* () {
          yield { batchId: 1n, events: [{ event }] };
        })() as never,
      ),
      () => false,
    ).catch(refusalFromStream);
    expect(JSON.stringify(answers, (_key, value) => (typeof value === 'bigint' ? String(value) : value))).toContain(
      'event.topic',
    );
    const filter = { topics: [AUDIT], issuer: event.issuer };
    expect((await events.listEvents({ filter })).events).toEqual([]);
  });

  it('edits no parked event into one', async () => {
    const position = pushed[0] ?? 0n;
    const request = ReplayEditedEventRequest.fromPartial({ context: CONTEXT, consumer: 'consumer-0', position, event });
    expect(await refusalOf(suite.client.consumers.replayEditedEvent(request))).toMatchObject(refused('event.topic'));
  });

  it('registers none', async () => {
    const { topics } = suite.client;
    expect(await refusalOf(topics.registerTopic({ name: 'madeleine.mine' }))).toMatchObject(refused('name'));
    expect(await refusalOf(topics.getTopic({ name: 'madeleine.mine' }))).toMatchObject({ reason: 'TOPIC_UNKNOWN' });
  });
});

function refusalFromStream(error: unknown): unknown {
  return { message: (error as Error).message };
}
