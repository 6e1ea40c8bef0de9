// What descriptions may hold, and the times that bound what is selected, by every call that takes them.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventStatus } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { eventCalls, newTopic, shown } from '../../support/events/event-calls.js';
import { useServer } from '../../support/server/suite.js';

const { EVENT_STATUS_AWAITED: AWAITED, EVENT_STATUS_OCCURRED: OCCURRED } = EventStatus;

const suite = useServer({ callbackAllow: '127.0.0.1' });

const { occur, await_, read, list } = eventCalls(suite);

describe('a number that a double does not hold for sure', () => {
  const inexact = [Number(9_007_199_254_740_993n), -(2 ** 53), 2 ** 64, 1e300];

  it.each(inexact)('is refused in every description: %d', async (number) => {
    const topic = newTopic();
    const { events, consumers, cawins } = suite.client;
    const callback = { url: 'http://127.0.0.1:9/', secret: '', headers: {}, timeout: undefined };
    for (const description of [{ order: number }, { a: { b: [1, { c: number }] } }]) {
      const event = newEvent({ topic, payload: undefined, description });
      const both = newEvent({ topic, payload: jsonPayload(description), description });
      const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic], description } });
      const consumer = `c ${randomUUID()}`;
      await consumers.createConsumer({ name: consumer });
      const subscribed = async () => {
        for await (const _ of consumers.subscribe({ consumer, settings })) return;
      };
      const calls: [string, Promise<unknown>][] = [
        ['event.description', events.pushEvent({ event })],
        ['event.description', events.pushEvent({ event: both })],
        ['events[0].event.description', events.pushEvents({ events: [{ event }] })],
        ['description', cawins.checkOrWait({ topic, issuer: 'x', description, callback })],
        ['filter.description', events.listEvents({ filter: { description } })],
        ['filter.description', events.listEvents({ filter: { description, statuses: [AWAITED] } })],
        ['description', read({ description })],
        ['settings.filter.description', consumers.createConsumer({ name: randomUUID(), settings })],
        ['settings.filter.description', consumers.updateConsumer({ name: consumer, settings, updateMask: ['filter'] })],
        ['settings.filter.description', consumers.fetch({ consumer, settings })],
        ['settings.filter.description', subscribed()],
      ];
      const refusals = await Promise.all(calls.map(([, call]) => refusalOf(call)));
      expect(refusals.map(({ reason, fields }) => [reason, ...fields])).toEqual(
        calls.map(([field]) => ['FIELD_INVALID', field]),
      );
    }
  });

  it('is refused by itself in a batch of a stream', async () => {
    const topic = newTopic();
    const event = newEvent({ topic, payload: undefined, description: { order: 2 ** 53 } });
    const requests = async function* () {
      yield { batchId: 1n, events: [{ event }, { event: newEvent({ topic }) }] };
    };
    for await (const { results } of suite.client.events.pushEventStream(requests())) {
      const [first, second] = results.map(({ result }) => result);
      expect(first).toMatchObject({ $case: 'error', value: { reason: 'FIELD_INVALID' } });
      expect(second?.$case).toBe('receipt');
    }
  });

  it('may be in a payload, and the greatest exact integer in a description', async () => {
    const topic = newTopic();
    await occur(topic, { order: 2 ** 60 });
    const wait = await await_(topic, { order: -(2 ** 53 - 1), part: 0.1 });
    expect((await occur(topic, { order: -(2 ** 53 - 1), part: 0.1 })).id).toBe(wait.id);
  });
});

describe('a time that bounds what is selected', () => {
  const FAR = { seconds: 253_402_300_799n, nanos: 999_999_999 };
  const YEAR_1 = { seconds: -62_135_596_800n, nanos: 0 };
  const at = ({ createdAt }: Event, nanos: number) => {
    const total = (createdAt?.seconds ?? 0n) * 1_000_000_000n + BigInt((createdAt?.nanos ?? 0) + nanos);
    return { seconds: total / 1_000_000_000n, nanos: Number(total % 1_000_000_000n) };
  };

  it('counts by its nanoseconds', async () => {
    const topic = newTopic();
    const event = await occur(topic, { a: 1 });
    const isListed = async (bounds: object) => (await list({ topics: [topic], ...bounds })).length === 1;
    const isRead = async (startTime: object) => (await read({ topics: [topic], startTime })).length === 1;
    const offsets = [-1_000, -500, -1, 0, 1, 500, 999, 1_000];
    for (const nanos of offsets) {
      const bound = at(event, nanos);
      expect([nanos, await isListed({ endTime: bound })]).toEqual([nanos, nanos > 0]);
      expect([nanos, await isListed({ startTime: bound })]).toEqual([nanos, nanos < 0]);
      expect([nanos, await isRead(bound)]).toEqual([nanos, nanos < 0]);
    }
    expect(await isListed({ startTime: at(event, -1), endTime: at(event, 1) })).toBe(true);
    const start = (nanos: number) => ({ at: { $case: 'afterTime' as const, value: at(event, nanos) } });
    for (const nanos of [-1, 0, 1]) {
      const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic] } });
      const request = { consumer: randomUUID(), limit: 10, settings, start: start(nanos) };
      expect((await suite.client.consumers.fetch(request)).deliveries).toHaveLength(nanos < 0 ? 1 : 0);
    }
    const look = async (nanos: number) =>
      (
        await suite.client.events.pushEvent({
          event: newEvent({ topic, payload: undefined, description: { a: 1 } }),
          since: at(event, nanos),
        })
      ).outcome;
    expect(await look(-1)).toBe(Outcome.OUTCOME_FOUND);
    expect(await look(1)).toBe(Outcome.OUTCOME_AWAITED);
  });

  it('is harmless beyond what is stored', async () => {
    const topic = newTopic();
    const event = await occur(topic, { a: 1 });
    const beyond = [FAR, { seconds: 2n ** 62n, nanos: 0 }];
    const before = [YEAR_1, { seconds: -(2n ** 62n), nanos: 1 }, { seconds: -1n, nanos: 999_999_999 }];
    const bounded = async (bounds: object) => shown(await list({ topics: [topic], ...bounds }));
    const all = [[event.id, OCCURRED]];
    const callback = { url: 'http://127.0.0.1:9/', secret: '', headers: {}, timeout: undefined };
    const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic] } });
    for (const [times, isEarly] of [
      [beyond, false],
      [before, true],
    ] as const) {
      for (const time of times) {
        expect(await bounded({ endTime: time })).toEqual(isEarly ? [] : all);
        expect(await bounded({ startTime: time })).toEqual(isEarly ? all : []);
        expect(shown(await read({ topics: [topic], startTime: time }))).toEqual(isEarly ? all : []);
        const start = { at: { $case: 'afterTime' as const, value: time } };
        const { deliveries } = await suite.client.consumers.fetch({
          consumer: randomUUID(),
          limit: 10,
          settings,
          start,
        });
        expect(deliveries).toHaveLength(isEarly ? 1 : 0);
        const looked = { topic, issuer: 'x', description: { a: 1 }, since: time };
        const { outcome } = await suite.client.events.pushEvent({
          event: newEvent({ ...looked, payload: undefined }),
          since: time,
        });
        // What is asked for a second time is found while it is awaited.
        const { OUTCOME_AWAITED, OUTCOME_FOUND } = Outcome;
        expect(isEarly ? [OUTCOME_FOUND] : [OUTCOME_AWAITED, OUTCOME_FOUND]).toContain(outcome);
        await suite.client.cawins.checkOrWait({ ...looked, callback });
      }
    }
    for (const status of [OCCURRED, AWAITED]) {
      expect(await bounded({ startTime: YEAR_1, endTime: FAR, statuses: [status] })).toHaveLength(1);
    }
    expect(await refusalOf(list({ endTime: { seconds: 0n, nanos: 1_000_000_000 } }))).toMatchObject({
      reason: 'FIELD_INVALID',
      fields: ['filter.end_time'],
    });
  });
});
