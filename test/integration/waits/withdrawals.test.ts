// Filters by a description, and what withdraws an event: it is selected by the payload that it withdraws, wherever it is read.

import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventStatus } from '../../../generated/madeleine/v1/event.js';
import { TestSubscriber } from '../../support/consumers/consumer.js';
import { bytesPayload } from '../../support/events/builders.js';
import { eventCalls, newTopic, shown } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';

const { EVENT_STATUS_OCCURRED: OCCURRED, EVENT_STATUS_INVALIDATED: INVALIDATED } = EventStatus;
const STATUSES = [OCCURRED, INVALIDATED];

const suite = useServer({ callbackAllow: '127.0.0.1' });
const beside = useServerBeside(suite);

const { push, occur, await_, invalidate, read, list } = eventCalls(suite);

describe('what withdraws an event that had occurred', () => {
  const description = { order: { id: 7 } };
  const matching = { order: { id: 7, total: 1 }, state: 'paid' };

  /** Events of which three are withdrawn, two of them with a payload that matches. */
  async function withdrawn(topic: string): Promise<[bigint | undefined, EventStatus | undefined][]> {
    const first = await occur(topic, matching);
    const other = await occur(topic, { order: { id: 8 } });
    const second = await push({ topic, payload: bytesPayload('{"order":{"id":7.0}}') });
    const text = await push({ topic, payload: bytesPayload('{"order":{"id":7}}', 'text/plain') });
    for (const { id } of [first, other, second, text]) await invalidate(id);
    return [
      [first.id, OCCURRED],
      [second.id, OCCURRED],
      [first.id, INVALIDATED],
      [second.id, INVALIDATED],
    ];
  }

  it('is selected by the payload that it withdraws, by lists and readers of either server', async () => {
    const topic = newTopic();
    const expected = await withdrawn(topic);
    const filter = { topics: [topic], statuses: STATUSES, description };
    expect(shown(await list(filter))).toEqual(expected);
    expect(shown(await list(filter, { newestFirst: true }))).toEqual(expected.toReversed());
    expect(shown(await list({ ...filter, statuses: [INVALIDATED] }))).toEqual(expected.slice(2));
    for (const client of [suite.client, beside.client]) expect(shown(await read(filter, client))).toEqual(expected);
  });

  it('is selected live too, by readers and consumers of either server', async () => {
    const topic = newTopic();
    const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic], statuses: STATUSES, description } });
    const subscribers = [suite.client, beside.client].map(
      (client, n) => new TestSubscriber(client.consumers, { consumer: `${topic} ${n}`.slice(6), settings }),
    );
    for (const subscriber of subscribers) await subscriber.frame('caughtUp');
    const stop = new AbortController();
    const followed = [suite.client, beside.client].map(async (client) => {
      const seen: Event[] = [];
      const request = { topics: [topic], statuses: STATUSES, description, follow: true };
      for await (const frame of client.events.readEvents(request, { signal: stop.signal })) {
        seen.push(...frame.events);
        if (seen.length >= 4) break;
      }
      return seen;
    });
    const expected = await withdrawn(topic);
    for (const seen of await Promise.all(followed)) expect(shown(seen)).toEqual(expected);
    for (const subscriber of subscribers) {
      const deliveries = await subscriber.first(4);
      expect(shown(deliveries.map(({ event }) => event))).toEqual(expected);
      await subscriber.cancel();
    }
  });

  it('is fetched, also of what was awaited, and of what was described', async () => {
    const topic = newTopic();
    await await_(topic, { a: 1 });
    const satisfied = await occur(topic, { a: 1, order: { id: 7 } });
    const described = await occur(topic, { b: 2, order: { id: 7 } }, { description: { b: 2 } });
    for (const { id } of [satisfied, described]) await invalidate(id);
    const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic], statuses: STATUSES, description } });
    const { deliveries } = await suite.client.consumers.fetch({ consumer: topic.slice(6), limit: 10, settings });
    expect(shown(deliveries.map(({ event }) => event))).toEqual([
      [satisfied.id, OCCURRED],
      [described.id, OCCURRED],
      [satisfied.id, INVALIDATED],
      [described.id, INVALIDATED],
    ]);
  });

  it('is found behind many of them, whose payloads are large', async () => {
    const topic = newTopic();
    const filling = 'x'.repeat(200_000);
    const ids: bigint[] = [];
    for (let n = 0; n < 24; n += 1) ids.push((await occur(topic, { n: n % 2, filling })).id);
    await Promise.all(ids.map(invalidate));
    const filter = { topics: [topic], statuses: [INVALIDATED], description: { n: 1 } };
    const odd = ids.filter((_, n) => n % 2 === 1);
    expect((await read(filter)).map(({ id }) => id).sort()).toEqual(odd.sort());
  });
});
