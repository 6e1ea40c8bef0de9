// Which consumers get a stream, which have passed an event, and the events of a page with the consumers that passed each: told by every
// instance.

import { describe, expect, it } from 'vitest';
import {
  type ConsumerFilter,
  CreateConsumerRequest,
  FetchRequest,
  ListConsumersRequest,
  type StartPosition,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { EventStatus, type NewEvent } from '../../../generated/madeleine/v1/event.js';
import { ListEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const beside = useServerBeside(suite);
const EARLIEST: StartPosition = { at: { $case: 'earliest', value: {} } };
let count = 0;

const newContext = () => `context ${++count}`;

async function create(context: string, name: string, filter: Partial<ConsumerFilter> = {}, start = EARLIEST) {
  const request = { context, name, start, settings: { filter } };
  await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request as CreateConsumerRequest));
}

async function push(context: string, changes: Partial<NewEvent> = {}) {
  const { event } = await suite.client.events.pushEvent({ event: newEvent({ context, ...changes }) });
  return { id: event?.id ?? 0n, position: event?.position ?? 0n };
}

/** Fetches so many events and acknowledges those at these places among them. */
async function take(context: string, consumer: string, limit: number, places: readonly number[]): Promise<void> {
  const { deliveries } = await suite.client.consumers.fetch(
    FetchRequest.fromPartial({ context, consumer, limit } as FetchRequest),
  );
  const acknowledgements = places.map((place) => ({
    position: deliveries[place]?.event?.position ?? 0n,
    lease: deliveries[place]?.lease ?? 0n,
  }));
  await suite.client.consumers.acknowledge({ context, consumer, acknowledgements });
}

async function names(request: Partial<ListConsumersRequest>, client = suite.client): Promise<string[]> {
  const { consumers } = await client.consumers.listConsumers(
    ListConsumersRequest.fromPartial(request as ListConsumersRequest),
  );
  return consumers.map(({ name }) => name);
}

async function listed(request: object, client = suite.client) {
  const answer = await client.events.listEvents(
    ListEventsRequest.fromPartial({ withConsumers: true, ...request } as ListEventsRequest),
  );
  return {
    ...answer,
    passed: answer.consumers.map(({ consumers, more }) => ({ names: consumers.map(({ name }) => name), more })),
  };
}

describe('the consumers of a stream', () => {
  it('are those whose filter names it or no stream, of the context and of all', async () => {
    const context = newContext();
    const other = newContext();
    await create(context, 'everything');
    await create(context, 'named', { streams: ['s', 't'], topics: ['whatever'] });
    await create(context, 'of another stream', { streams: ['t'] });
    await create(other, 'elsewhere');
    await create('all', `everywhere ${context}`, { streams: ['s'] });
    const expected = [`everywhere ${context}`, 'everything', 'named'];
    for (const client of [suite.client, beside.client]) {
      const ofStream = await names({ context, stream: 's' }, client);
      expect(ofStream.filter((name) => expected.includes(name))).toEqual(expected);
      expect(ofStream).not.toContain('of another stream');
      expect(ofStream).not.toContain('elsewhere');
    }
    expect(await names({ context, stream: 'never pushed to', namePrefix: 'every' })).toContain('everything');
    expect(await names({ context: 'all', stream: 's' })).toEqual(expect.arrayContaining([...expected, 'elsewhere']));
    // Without a stream those of the context alone, as ever.
    expect(await names({ context })).toEqual(['everything', 'named', 'of another stream']);
  });

  it('come in pages', async () => {
    const context = newContext();
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(context, name, name === 'c' ? { streams: ['x'] } : {});
    const found: string[] = [];
    let pageToken = '';
    do {
      const request = { context: 'all', stream: 's', namePrefix: '', pageSize: 2, pageToken };
      const page = await suite.client.consumers.listConsumers(request);
      found.push(...page.consumers.filter((each) => each.context === context).map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(found).toEqual(['a', 'b', 'd', 'e']);
    const { nextPageToken } = await suite.client.consumers.listConsumers({ context, stream: 's', pageSize: 1 });
    const refusal = await refusalOf(
      suite.client.consumers.listConsumers({ context, stream: 't', pageToken: nextPageToken }),
    );
    expect(refusal).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  });
});

describe('consumers that have passed an event', () => {
  it('have it at or below their offset, or acknowledged it above, and get it', async () => {
    const context = newContext();
    const events = [];
    for (let n = 0; n < 4; n += 1)
      events.push(await push(context, { topic: n === 3 ? 'rare' : 'orders', stream: `s${n}` }));
    const [first, second, third, rare] = events.map(({ id }) => id);
    for (const name of ['ahead', 'behind', 'gap']) await create(context, name, { topics: ['orders'] });
    await create(context, 'late', {}, { at: { $case: 'latest', value: {} } });
    await take(context, 'ahead', 10, [0, 1, 2]);
    await take(context, 'gap', 10, [0, 2]);
    for (const client of [suite.client, beside.client]) {
      const passed = (passedEventId: bigint | undefined) =>
        names({ context, passedEventId: passedEventId ?? 0n }, client);
      await waitUntil(async () => (await passed(third)).length === 3, { what: 'the places are stored' });
      expect(await passed(first)).toEqual(['ahead', 'gap', 'late']);
      expect(await passed(second)).toEqual(['ahead', 'late']);
      expect(await passed(third)).toEqual(['ahead', 'gap', 'late']);
      // What it does not get, nobody has passed.
      expect(await passed(rare)).toEqual(['late']);
      const of = await names({ context, passedEventId: first ?? 0n, stream: 's0', namePrefix: 'g' }, client);
      expect(of).toEqual(['gap']);
    }
  });

  it('of withdrawals have passed those', async () => {
    const context = newContext();
    const { id } = await push(context);
    await create(context, 'withdrawals', { statuses: [EventStatus.EVENT_STATUS_INVALIDATED] });
    expect(await names({ context, passedEventId: id })).toEqual([]);
    await suite.client.events.invalidateEvent({ id });
    await take(context, 'withdrawals', 1, [0]);
    expect(await names({ context, passedEventId: id })).toEqual(['withdrawals']);
  });

  it('are none of what is awaited, and unknown events are refused', async () => {
    const context = newContext();
    await create(context, 'waits');
    const { id } = await push(context, { payload: undefined, description: { n: 1 } });
    expect(await names({ context, passedEventId: id })).toEqual([]);
    for (const passedEventId of [987_654_321n, 2n ** 64n - 1n]) {
      const refusal = await refusalOf(suite.client.consumers.listConsumers({ context, passedEventId }));
      expect(refusal).toMatchObject({ status: 'NOT_FOUND', reason: 'EVENT_UNKNOWN' });
    }
    const refusal = await refusalOf(suite.client.consumers.listConsumers({ context, stream: ' s' }));
    expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', fields: ['stream'] });
  });
});

describe('a page of events with consumers', () => {
  it('names those that have passed each event, in the order of the events', async () => {
    const context = newContext();
    for (let n = 0; n < 3; n += 1)
      await push(context, { topic: n === 1 ? 'rare' : 'orders', payload: jsonPayload({ n }) });
    await create(context, 'a', { topics: ['orders'] });
    await create(context, 'b');
    await create(context, 'c', { description: { n: 2 } });
    await take(context, 'a', 10, [0]);
    await take(context, 'b', 10, [0, 1]);
    await take(context, 'c', 10, [0]);
    for (const client of [suite.client, beside.client]) {
      await waitUntil(
        async () =>
          (await listed({ filter: { context, topics: ['orders', 'rare'] } }, client)).passed[2]?.names.length === 1,
        {
          what: 'the places are stored',
        },
      );
      const { events, passed } = await listed({ filter: { context, topics: ['orders', 'rare'] } }, client);
      expect(events).toHaveLength(3);
      expect(passed).toEqual([
        { names: ['a', 'b'], more: false },
        { names: ['b'], more: false },
        { names: ['c'], more: false },
      ]);
      const down = await listed(
        { filter: { context, topics: ['orders', 'rare'] }, newestFirst: true, pageSize: 2 },
        client,
      );
      expect(down.passed.map(({ names: all }) => all)).toEqual([['c'], ['b']]);
      expect(down.nextPageToken).not.toBe('');
      expect(
        (await listed({ filter: { context, topics: ['orders', 'rare'] }, withConsumers: false }, client)).consumers,
      ).toEqual([]);
    }
    const { consumers } = await listed({ filter: { context, topics: ['orders', 'rare'] } });
    expect(consumers[0]?.consumers[0]).toEqual({ context, name: 'a' });
  });

  it('has nobody beside what is awaited, 100 events at most, and 100 names of an event', async () => {
    const context = newContext();
    await Promise.all(Array.from({ length: 105 }, () => push(context)));
    const latest: StartPosition = { at: { $case: 'latest', value: {} } };
    const width = 'x'.repeat(245);
    await Promise.all(
      Array.from({ length: 102 }, (_, n) => create(context, `${width}${String(n).padStart(3, '0')}`, {}, latest)),
    );
    const page = await listed({ filter: { context, topics: ['orders', 'rare'] }, pageSize: 1_000 });
    expect(page.events.length).toBeLessThanOrEqual(100);
    expect(page.events.length).toBeGreaterThan(50);
    expect(page.nextPageToken).not.toBe('');
    expect(page.consumers).toHaveLength(page.events.length);
    expect(page.passed[0]).toMatchObject({ more: true });
    expect(page.passed[0]?.names).toHaveLength(100);
    await push(context, { payload: undefined, description: { n: 1 } });
    const awaited = await listed({ filter: { context, statuses: [EventStatus.EVENT_STATUS_AWAITED] } });
    expect(awaited.passed).toEqual([{ names: [], more: false }]);
  });
});
