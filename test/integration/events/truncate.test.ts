// Streams that are truncated: what is decided, what is refused, and who has not passed what goes.

import { describe, expect, it } from 'vitest';
import { CreateConsumerRequest, FetchRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import type { TruncateStreamRequest } from '../../../generated/madeleine/v1/stream_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { newEvent } from '../../support/events/builders.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const { occur, read } = eventCalls(suite);
let count = 0;

const newStream = () => `stream ${++count}`;
const truncate = (stream: string, upToSequence: bigint, rest: Partial<TruncateStreamRequest> = {}) =>
  suite.client.streams.truncateStream({ stream, upToSequence, by: 'ann', ...rest });
const get = async (name: string) => (await suite.client.streams.getStream({ name })).stream;

async function pushed(stream: string, number: number, topic = newTopic()): Promise<bigint[]> {
  const positions: bigint[] = [];
  for (let n = 0; n < number; n += 1) positions.push((await occur(topic, { n }, { stream, issuer: 'shop' })).position);
  return positions;
}

async function consumer(stream: string): Promise<string> {
  const name = `consumer of ${stream}`;
  const request = { name, settings: { filter: { streams: [stream] } } } as Partial<CreateConsumerRequest>;
  await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request as CreateConsumerRequest));
  return name;
}

/** Has a consumer acknowledge its next events. */
async function pass(name: string, limit: number): Promise<void> {
  const request = FetchRequest.fromPartial({ consumer: name, limit });
  const { deliveries } = await suite.client.consumers.fetch(request);
  const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
  await suite.client.consumers.acknowledge({ consumer: name, acknowledgements });
}

describe('TruncateStream', () => {
  it('takes what everybody has passed, and the stream goes on', async () => {
    const stream = newStream();
    await pushed(stream, 4);
    const { stream: after, events, unread } = await truncate(stream, 3n);
    expect([after?.truncatedTo, after?.lastSequence, events, unread]).toEqual([3n, 4n, 3n, []]);
    const next = await occur('orders', { n: 5 }, { stream, issuer: 'shop' });
    expect(next.sequence).toBe(5n);
    expect(await get(stream)).toMatchObject({ owner: 'shop', epoch: 1n, lastSequence: 5n, truncatedTo: 3n });
  });

  it('leaves an entry of the audit, and none where nothing changes', async () => {
    const stream = newStream();
    await pushed(stream, 3);
    await truncate(stream, 2n, { dryRun: true });
    await truncate(stream, 2n, { reason: 'old' });
    expect((await truncate(stream, 2n)).stream?.truncatedTo).toBe(2n);
    expect((await truncate(stream, 1n)).stream?.truncatedTo).toBe(2n);
    const entries = await read({ topics: ['madeleine.audit'], tags: ['TruncateStream'] });
    const contents = entries
      .map(({ payload }) => payload?.body)
      .filter((body) => JSON.stringify(body).includes(stream));
    expect(contents).toEqual([
      {
        $case: 'json',
        value: {
          ...{ call: 'TruncateStream', by: 'ann', context: 'default', stream, reason: 'old', events: 2 },
          ...{ before: { truncated_to: 0 }, after: { truncated_to: 2 } },
        },
      },
    ]);
  });

  it('refuses what durable consumers have not passed, names them, and takes it with force', async () => {
    const stream = newStream();
    await pushed(stream, 4);
    const name = await consumer(stream);
    await pass(name, 1);
    const refusal = await refusalOf(truncate(stream, 3n));
    expect(refusal).toMatchObject({ reason: 'WRONG_STATE', metadata: { unread: '2', consumers: name } });
    expect((await get(stream))?.truncatedTo).toBe(0n);
    const unread = [{ context: 'default', name, events: 2n, eventsIsMinimum: false }];
    const dry = await truncate(stream, 3n, { dryRun: true });
    expect([dry.events, dry.unread, dry.stream?.truncatedTo]).toEqual([3n, unread, 0n]);
    expect((await truncate(stream, 1n)).stream?.truncatedTo).toBe(1n);
    const forced = await truncate(stream, 3n, { force: true });
    expect([forced.unread, forced.stream?.truncatedTo]).toEqual([unread, 3n]);
  });

  it('does not count consumers of other streams, ephemeral ones, nor those that have passed it', async () => {
    const stream = newStream();
    await consumer(newStream());
    const ephemeral = { name: 'gone soon', settings: { ephemeral: true } } as Partial<CreateConsumerRequest>;
    await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(ephemeral as CreateConsumerRequest));
    const name = await consumer(stream);
    await pushed(stream, 2);
    await pass(name, 2);
    expect((await truncate(stream, 2n)).unread).toEqual([]);
  });

  it('refuses a stream that is not there, and a sequence that it does not have', async () => {
    const stream = newStream();
    expect(await refusalOf(truncate(stream, 1n))).toMatchObject({ reason: 'STREAM_UNKNOWN' });
    await pushed(stream, 2);
    for (const dryRun of [false, true]) {
      const refusal = await refusalOf(truncate(stream, 3n, { dryRun }));
      expect(refusal).toMatchObject({ reason: 'WRONG_STATE', metadata: { last_sequence: '2' } });
    }
    expect(await refusalOf(truncate(stream, 2n ** 64n - 1n))).toMatchObject({ reason: 'WRONG_STATE' });
    expect((await get(stream))?.truncatedTo).toBe(0n);
  });

  it.each([
    ['stream', { stream: '' }],
    ['up_to_sequence', { upToSequence: 0n }],
    ['context', { context: 'all' }],
    ['by', { by: 'x'.repeat(256) }],
    ['reason', { reason: 'x'.repeat(1_025) }],
  ] satisfies [string, Partial<TruncateStreamRequest>][])('refuses what is wrong in %s', async (field, given) => {
    const stream = newStream();
    await pushed(stream, 1);
    const refusal = await refusalOf(suite.client.streams.truncateStream({ stream, upToSequence: 1n, ...given }));
    expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', fields: [field] });
  });
});

describe('what a truncation takes', () => {
  const beside = useServerBeside(suite);
  const positionsOf = async (stream: string, afterPosition = 0n) =>
    (await read({ stream, afterPosition })).map(({ position }) => position);

  it('goes on every instance, and consumers that had not passed it are told', async () => {
    const stream = newStream();
    const positions = await pushed(stream, 6);
    const name = await consumer(stream);
    await pass(name, 1);
    const [first = 0n] = positions;
    await truncate(stream, 4n, { force: true });
    for (const client of [suite.client, beside.client]) {
      await waitUntil(async () => (await read({ stream, afterPosition: first - 1n }, client)).length === 2, {
        what: 'the events to be gone',
        timeoutMs: 20_000,
      });
    }
    expect(await positionsOf(stream)).toEqual(positions.slice(4));
    const { gaps, deliveries } = await suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer: name }));
    expect(gaps).toEqual([{ firstPosition: first + 1n, lastPosition: first + 3n, events: 3n }]);
    expect(deliveries.map(({ event }) => event?.position)).toEqual(positions.slice(4));
    expect((await truncate(stream, 4n, { dryRun: true })).events).toBe(0n);
  });

  it('is of many batches and topics, and leaves other streams alone', async () => {
    const stream = newStream();
    const other = newStream();
    const topics = [newTopic(), newTopic()];
    const events = Array.from({ length: 1_200 }, (_, n) => ({
      event: newEvent({ topic: topics[n % 2] ?? '', stream: n % 10 === 0 ? other : stream, issuer: 'shop' }),
    }));
    for (let n = 0; n < events.length; n += 400) {
      await suite.client.events.pushEvents({ events: events.slice(n, n + 400) } as never);
    }
    await truncate(stream, 1_079n);
    await waitUntil(async () => (await positionsOf(stream)).length === 1, {
      what: 'all but one are gone',
      timeoutMs: 60_000,
    });
    expect(await positionsOf(other)).toHaveLength(120);
    await occur('orders', {}, { stream, issuer: 'shop' });
    expect((await get(stream))?.lastSequence).toBe(1_081n);
  });
});
