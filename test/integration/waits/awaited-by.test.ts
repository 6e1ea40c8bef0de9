// Who awaited an event: kept with what ended the wait.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventStatus } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';

const { EVENT_STATUS_AWAITED: AWAITED } = EventStatus;
const { EVENT_STATUS_INVALIDATED: INVALIDATED, EVENT_STATUS_EXPIRED: EXPIRED } = EventStatus;

const suite = useServer({ callbackAllow: '127.0.0.1' });
const beside = useServerBeside(suite);

const { occur, await_, invalidate, read, list } = eventCalls(suite);
const get = async (id: bigint) =>
  (await suite.client.events.getEvent({ key: { $case: 'id', value: id } })).event as Event;

describe('who awaited an event', () => {
  const asker = { issuer: 'warehouse', tag: 'urgent' };

  it('is kept when it occurs, with since when and the description, wherever the event is shown', async () => {
    const topic = newTopic();
    const wait = await await_(topic, { order: 7 }, asker);
    expect(wait).toMatchObject({ issuer: 'warehouse', awaitedBy: '', status: AWAITED });
    const second = await await_(topic, { state: 'paid' }, { issuer: 'mailer' });
    const live = (async () => {
      for await (const { events } of beside.client.events.readEvents({ topics: [topic], follow: true }))
        for (const event of events) return event;
      return undefined;
    })();
    const kept = { awaitedBy: 'warehouse', awaitedAt: wait.createdAt, description: { order: 7 }, issuer: 'shop' };
    const pushed = await occur(topic, { order: 7, state: 'paid' });
    expect(pushed).toMatchObject({ id: wait.id, ...kept });
    expect(await live).toMatchObject(kept);
    expect(await get(wait.id)).toMatchObject(kept);
    expect(await get(second.id)).toMatchObject({
      awaitedBy: 'mailer',
      awaitedAt: second.createdAt,
      description: { state: 'paid' },
      endedById: wait.id,
    });
    expect((await read({ topics: [topic] }))[0]).toEqual(pushed);
    expect((await list({ topics: [topic] }))[0]).toEqual(pushed);
    const { deliveries } = await suite.client.consumers.fetch({
      consumer: randomUUID(),
      limit: 1,
      settings: ConsumerSettings.fromPartial({ filter: { topics: [topic] } }),
    });
    expect(deliveries[0]?.event).toMatchObject(kept);
    await invalidate(wait.id);
    for (const event of [await get(wait.id), (await read({ topics: [topic], statuses: [INVALIDATED] }))[0]])
      expect(event).toMatchObject(kept);
  });

  it('is kept when it expires, or is withdrawn', async () => {
    const topic = newTopic();
    const expired = await await_(topic, { a: 1 }, asker, { waitTimeout: { seconds: 0n, nanos: 1_000 } });
    await occur(topic, { a: 1 });
    const withdrawn = await await_(topic, { b: 1 }, asker);
    await invalidate(withdrawn.id);
    for (const [wait, status] of [
      [expired, EXPIRED],
      [withdrawn, INVALIDATED],
    ] as const) {
      const kept = { awaitedBy: 'warehouse', awaitedAt: wait.createdAt, description: wait.description, tag: 'urgent' };
      expect(await get(wait.id)).toMatchObject(kept);
      expect((await read({ topics: [topic], statuses: [status] }))[0]).toMatchObject(kept);
    }
  });

  it('is nobody for what was not awaited; the description of its own push stays', async () => {
    const topic = newTopic();
    const event = await occur(topic, { a: 1 }, { description: { a: 1 } });
    expect(event).toMatchObject({ awaitedBy: '', awaitedAt: undefined, description: { a: 1 } });
    const wait = await await_(topic, { b: 1 }, asker);
    const both = await occur(topic, { b: 1, c: 1 }, { description: { c: 1 } });
    expect(both).toMatchObject({ id: wait.id, awaitedBy: 'warehouse', description: { c: 1 } });
    expect((await get(wait.id)).description).toEqual({ b: 1 });
  });

  it('fits into one transaction for a thousand long descriptions', { timeout: 60_000 }, async () => {
    const topic = newTopic();
    const filling = '"'.repeat(7_000);
    const looks = Array.from({ length: 1_000 }, (_, n) =>
      newEvent({ topic, payload: undefined, description: { n, filling } }),
    );
    for (let n = 0; n < 1_000; n += 200)
      await suite.client.events.pushEvents({ events: looks.slice(n, n + 200).map((event) => ({ event })) });
    const own = Array.from({ length: 100 }, (_, n) => newEvent({ topic, payload: jsonPayload({ n, filling }) }));
    for (let n = 0; n < 2; n += 1) {
      const { results } = await suite.client.events.pushEvents({ events: own.map((event) => ({ event })) });
      const outcome = n === 0 ? Outcome.OUTCOME_SATISFIED : Outcome.OUTCOME_OCCURRED;
      expect(results.every((result) => result.outcome === outcome)).toBe(true);
    }
  });
});
