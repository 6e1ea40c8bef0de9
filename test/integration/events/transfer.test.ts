// Streams that are handed to another owner: who may push before and after, what is told of it, and who gets the entry.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CawinState, type CreateCawinRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { EventStatus, type NewEvent } from '../../../generated/madeleine/v1/event.js';
import { Outcome, type PushEventRequest, type PushResult } from '../../../generated/madeleine/v1/event_service.js';
import type { TransferStreamRequest } from '../../../generated/madeleine/v1/stream_service.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { newEvent } from '../../support/events/builders.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);
const scene = useScenes(suite);
const { push, read, list } = eventCalls(suite);

const { EVENT_STATUS_OCCURRED: OCCURRED, EVENT_STATUS_TRANSFERRED: TRANSFERRED } = EventStatus;
const BOTH = [OCCURRED, TRANSFERRED];

const newStream = () => `stream ${randomUUID()}`;
const by = (issuer: string, stream: string, rest: Partial<NewEvent> = {}) => newEvent({ issuer, stream, ...rest });
const transfer = async (stream: string, owner: string, newOwner: string, rest: Partial<TransferStreamRequest> = {}) =>
  (await suite.client.streams.transferStream({ stream, owner, newOwner, by: 'ann', reason: 'it moves', ...rest }))
    .stream;

/** A stream with two events of `a`. */
async function begun(): Promise<string> {
  const stream = newStream();
  for (let n = 0; n < 2; n += 1) await push({ issuer: 'a', stream });
  return stream;
}

describe('TransferStream', () => {
  it('lets the new owner alone push from then on, where the former one ended', async () => {
    const stream = newStream();
    const messageId = randomUUID();
    const first = await push({ issuer: 'a', stream, messageId });
    const second = await push({ issuer: 'a', stream });
    const position = second.position + 1n;
    const told = { name: stream, owner: 'b', epoch: 2n, formerOwner: 'a', transferPosition: position };
    expect(await transfer(stream, 'a', 'b')).toMatchObject({ ...told, lastSequence: 2n, eventCount: 2n });
    expect(await refusalOf(push({ issuer: 'a', stream }))).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'STREAM_OWNED', metadata: { stream, owner: 'b' } },
    });
    // Its entry of the audit lies between.
    expect(await push({ issuer: 'b', stream })).toMatchObject({ sequence: 3n, position: position + 2n });
    const retry = await suite.client.events.pushEvent({ event: by('a', stream, { messageId }) });
    expect(retry).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { id: first.id } });
    const found = await suite.client.streams.getStream({ name: stream });
    expect(found.stream).toMatchObject({ ...told, lastSequence: 3n, lastPosition: position + 2n });
    const { streams } = await suite.client.streams.listStreams({ owner: 'b', namePrefix: stream });
    expect(streams).toEqual([found.stream]);
    expect((await suite.client.streams.listStreams({ owner: 'a', namePrefix: stream })).streams).toEqual([]);
  });

  it('is told to the audit once, right after the entry, and not where nothing changes', async () => {
    const stream = await begun();
    const { transferPosition: position = 0n } = (await transfer(stream, 'a', 'b')) ?? {};
    await transfer(stream, 'a', 'b');
    await refusalOf(transfer(stream, 'x', 'b'));
    const told = await read({ topics: ['madeleine.audit'], afterPosition: position });
    expect(told).toMatchObject([
      {
        ...{ position: position + 1n, tag: 'TransferStream', entityType: 'stream', issuer: 'madeleine', stream: '' },
        payload: {
          body: {
            value: {
              ...{ call: 'TransferStream', by: 'ann', context: 'default', stream, reason: 'it moves' },
              ...{ before: { owner: 'a' }, after: { owner: 'b' } },
            },
          },
        },
      },
    ]);
  });

  it('holds at once on every server', async () => {
    const stream = await begun();
    await other.client.events.pushEvent({ event: by('a', stream) });
    await transfer(stream, 'a', 'b');
    const late = other.client.events.pushEvent({ event: by('a', stream) });
    expect(await refusalOf(late)).toMatchObject({ reason: 'STREAM_OWNED', metadata: { owner: 'b' } });
    const { event } = await other.client.events.pushEvent({ event: by('b', stream), streamEpoch: 2n });
    expect(event?.sequence).toBe(4n);
    const back = await other.client.streams.transferStream({ stream, owner: 'b', newOwner: 'a' });
    expect(back.stream).toMatchObject({ owner: 'a', epoch: 3n, formerOwner: 'b' });
    expect(await refusalOf(push({ issuer: 'b', stream }))).toMatchObject({ metadata: { owner: 'a' } });
  });

  it('may be repeated, and by many at once', async () => {
    const stream = await begun();
    const answers = await Promise.all(Array.from({ length: 8 }, () => transfer(stream, 'a', 'b')));
    expect(new Set(answers.map((answer) => `${answer?.epoch} ${answer?.transferPosition}`)).size).toBe(1);
    expect(await transfer(stream, 'a', 'b')).toEqual(answers[0]);
    expect(await list({ stream, statuses: [TRANSFERRED] })).toHaveLength(1);
  });

  it('gives a stream to one of several at once; the others are told whom it belongs to', async () => {
    const stream = await begun();
    const owners = ['b', 'c', 'd', 'e'];
    const results = await Promise.allSettled(owners.map((owner) => transfer(stream, 'a', owner)));
    const won = owners.filter((_, index) => results[index]?.status === 'fulfilled');
    expect(won).toHaveLength(1);
    const lost = owners.find((owner) => !won.includes(owner)) ?? '';
    expect(await refusalOf(transfer(stream, 'a', lost))).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'STREAM_OWNED', fields: ['owner'] },
      metadata: { context: 'default', stream, owner: won[0], epoch: '2' },
    });
    expect(await list({ stream, statuses: [TRANSFERRED] })).toHaveLength(1);
  });

  it.each([
    [{ stream: '' }, 'stream'],
    [{ stream: 'x'.repeat(256) }, 'stream'],
    [{ owner: '' }, 'owner'],
    [{ newOwner: '' }, 'new_owner'],
    [{ newOwner: ' b' }, 'new_owner'],
    [{ newOwner: 'a' }, 'new_owner'],
    [{ context: 'all' }, 'context'],
    [{ by: 'x'.repeat(256) }, 'by'],
    [{ reason: 'x'.repeat(1_025) }, 'reason'],
  ] satisfies [Partial<TransferStreamRequest>, string][])('refuses %j', async (given, field) => {
    const stream = await begun();
    const call = suite.client.streams.transferStream({ stream, owner: 'a', newOwner: 'b', ...given });
    expect(await refusalOf(call)).toMatchObject({
      ...{ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] },
    });
    expect((await suite.client.streams.getStream({ name: stream })).stream).toMatchObject({ owner: 'a', epoch: 1n });
  });

  it('knows no stream that nobody pushed to, nor one of another context', async () => {
    const stream = await begun();
    for (const given of [{ stream: newStream() }, { context: 'elsewhere' }]) {
      expect(await refusalOf(transfer(stream, 'a', 'b', given))).toMatchObject({
        ...{ status: 'NOT_FOUND', reason: 'STREAM_UNKNOWN' },
      });
    }
  });
});

describe('the entry of a transfer', () => {
  it('lies after all of the former owner and before all of the new one, for who asks for it', async () => {
    const stream = await begun();
    const { transferPosition } = (await transfer(stream, 'a', 'b')) ?? {};
    await push({ issuer: 'b', stream });
    const entries = await read({ stream, statuses: BOTH });
    expect(entries.map(({ issuer, status }) => [issuer, status])).toEqual([
      ['a', OCCURRED],
      ['a', OCCURRED],
      ['madeleine', TRANSFERRED],
      ['b', OCCURRED],
    ]);
    expect(entries[2]).toMatchObject({
      ...{ context: 'default', topic: 'madeleine.stream', stream, sequence: 0n, position: transferPosition },
      properties: { former_owner: 'a', owner: 'b', epoch: '2' },
      ...{ payload: undefined, description: undefined, occurredAt: undefined },
    });
    expect(entries.map(({ createdAt }) => createdAt?.seconds)).not.toContain(undefined);
    expect((await read({ stream })).map(({ issuer }) => issuer)).toEqual(['a', 'a', 'b']);
    expect(await read({ stream, topics: ['orders'], statuses: [TRANSFERRED] })).toEqual([]);
    expect(await read({ stream, topics: ['madeleine.stream'], statuses: [TRANSFERRED] })).toEqual([entries[2]]);
    expect(await read({ stream, topics: ['madeleine.stream'] })).toEqual([]);
    expect(await list({ stream, statuses: [TRANSFERRED] })).toEqual([entries[2]]);
  });

  it('reaches live readers in its place, and no watcher', async () => {
    const stream = await begun();
    const following = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      const request = { stream, statuses: BOTH, follow: true };
      for await (const { events, frame } of suite.client.events.readEvents(request, { signal: following.signal })) {
        seen.push(...events.map(({ issuer }) => issuer), ...(frame === undefined ? [] : [frame.$case]));
      }
    })().catch(() => undefined);
    await waitUntil(() => seen.includes('caughtUp'), { what: 'the reader is live' });
    await transfer(stream, 'a', 'b');
    await push({ issuer: 'b', stream });
    await waitUntil(() => seen.includes('b'), { what: 'the event after the transfer' });
    following.abort();
    await reading;
    expect(seen.filter((one) => one !== 'caughtUp' && one !== 'progress')).toEqual(['a', 'a', 'madeleine', 'b']);
  });

  it('is an event of its own, which can be read and not be withdrawn', async () => {
    const stream = await begun();
    await transfer(stream, 'a', 'b');
    const [entry] = await list({ stream, statuses: [TRANSFERRED] });
    const id = entry?.id ?? 0n;
    const { event } = await suite.client.events.getEvent({ key: { $case: 'id', value: id } });
    expect(event).toEqual(entry);
    expect(await refusalOf(suite.client.events.invalidateEvent({ id }))).toMatchObject({
      ...{ status: 'FAILED_PRECONDITION', reason: 'WRONG_STATE', fields: ['id'] },
    });
    expect(await list({ stream, statuses: [EventStatus.EVENT_STATUS_INVALIDATED] })).toEqual([]);
  });

  it('ends no wait: a cawin on it is closed, and none can ask for it', async () => {
    const stream = await begun();
    await transfer(stream, 'a', 'b');
    const [entry] = await list({ stream, statuses: [TRANSFERRED] });
    const request = {
      ...{ eventId: entry?.id ?? 0n, active: false },
      callback: { url: 'http://8.8.8.8/', secret: '', headers: {}, timeout: undefined },
    } as CreateCawinRequest;
    const notifyOn = [TRANSFERRED];
    expect(await refusalOf(suite.client.cawins.createCawin({ ...request, notifyOn }))).toMatchObject({
      ...{ reason: 'FIELD_INVALID', fields: ['notify_on[0]'] },
    });
    const { cawin } = await suite.client.cawins.createCawin({ ...request, active: true });
    expect(cawin?.state).toBe(CawinState.CAWIN_STATE_CLOSED);
  });

  it('is delivered once to a consumer that asks for it, in its place; others pass it by', async () => {
    const { fetch, ack, topic, consumer } = scene({ filter: { statuses: BOTH } } as never);
    const [stream, plain] = [await begun(), `plain ${consumer}`];
    await transfer(stream, 'a', 'b');
    await push({ issuer: 'b', stream });
    const filter = { streams: [stream], statuses: BOTH };
    const { deliveries } = await fetch({ settings: { filter } as never, limit: 10 });
    expect(topic).not.toBe('');
    expect(deliveries.map(({ event }) => [event?.issuer, event?.status])).toEqual([
      ['a', OCCURRED],
      ['a', OCCURRED],
      ['madeleine', TRANSFERRED],
      ['b', OCCURRED],
    ]);
    const head = deliveries.at(-1)?.event?.position ?? 0n;
    // It passes the entry of the audit that tells of the consumer, too.
    expect((await ack(deliveries)).offset).toBeGreaterThanOrEqual(head);
    const others = { filter: { streams: [stream] } } as never;
    const { consumers } = suite.client;
    const taken = await consumers.fetch({ consumer: plain, settings: others, limit: 10 });
    expect(taken.deliveries.map(({ event }) => event?.issuer)).toEqual(['a', 'a', 'b']);
    const [first, second] = taken.deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    const answer = await consumers.acknowledge({ consumer: plain, acknowledgements: [first!, second!] });
    expect(answer.offset).toBe(head - 1n);
  });
});

describe('stream_epoch', () => {
  const pushIn = (stream: string, issuer: string, streamEpoch: bigint, rest: Partial<PushEventRequest> = {}) =>
    suite.client.events.pushEvent({ event: by(issuer, stream), streamEpoch, ...rest });

  it('keeps out who was given the stream in another epoch, also if it is theirs again', async () => {
    const stream = newStream();
    expect((await pushIn(stream, 'a', 1n)).event?.sequence).toBe(1n);
    await transfer(stream, 'a', 'b');
    const fenced = { status: 'ABORTED', reason: 'EPOCH_FENCED', fields: ['stream_epoch'] };
    expect(await refusalOf(pushIn(stream, 'a', 1n))).toMatchObject({
      ...{ ...fenced, metadata: { context: 'default', stream, epoch: '2', owner: 'b' } },
    });
    await transfer(stream, 'b', 'a');
    expect(await refusalOf(pushIn(stream, 'a', 1n))).toMatchObject({ ...fenced, metadata: { epoch: '3', owner: 'a' } });
    expect(await refusalOf(pushIn(stream, 'a', 2n ** 64n - 1n))).toMatchObject(fenced);
    expect((await pushIn(stream, 'a', 3n)).event?.sequence).toBe(2n);
  });

  it('counts in batches, and is no content of a push', async () => {
    const stream = newStream();
    const event = by('a', stream, { messageId: randomUUID() });
    const events = [{ event }, { event: by('a', stream), streamEpoch: 2n }];
    expect(await refusalOf(suite.client.events.pushEvents({ events }))).toMatchObject({
      ...{ reason: 'EPOCH_FENCED', fields: ['events[1].stream_epoch'] },
    });
    await suite.client.events.pushEvents({ events: [{ event, streamEpoch: 1n }] });
    await transfer(stream, 'a', 'b');
    for (const given of [{ streamEpoch: 1n }, { streamEpoch: 7n }, {}]) {
      const { outcome } = await suite.client.events.pushEvent({ event, ...given });
      expect(outcome).toBe(Outcome.OUTCOME_DUPLICATE);
    }
  });

  it.each([
    [{ event: newEvent(), streamEpoch: 1n }, 'needs a stream'],
    [{ event: newEvent({ stream: 's' }), streamEpoch: 0n }, 'from 1'],
    [{ event: newEvent({ payload: undefined, description: { a: 1 } }), streamEpoch: 1n }, 'needs a payload'],
  ] satisfies [PushEventRequest, string][])('is refused for %#', async (request, why) => {
    const refusal = await refusalOf(suite.client.events.pushEvent(request));
    expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', message: expect.stringContaining('stream_epoch') });
    expect(refusal.fields).toContain('stream_epoch');
    expect(why).not.toBe('');
  });
});

describe('a push stream with many batches under way while its stream is handed over', () => {
  it('stores what came before and refuses all after, in order', async () => {
    const stream = newStream();
    const [batches, events] = [200, 5];
    await push({ issuer: 'a', stream });
    let answered = 0;
    async function* requests() {
      for (let n = 0; n < batches; n += 1) {
        // Some are answered, many are under way.
        if (n === batches / 2) await waitUntil(() => answered > 20, { what: 'some answers' });
        yield { batchId: BigInt(n), events: Array.from({ length: events }, () => ({ event: by('a', stream) })) };
      }
    }
    const results: PushResult[] = [];
    let handed: ReturnType<typeof transfer> | undefined;
    for await (const answer of suite.client.events.pushEventStream(requests())) {
      answered += 1;
      results.push(...answer.results);
      if (answered === 10) handed = transfer(stream, 'a', 'b');
    }
    const at = (await handed)?.transferPosition ?? 0n;
    const stored = results.flatMap(({ result }) => (result?.$case === 'receipt' ? [result.value] : []));
    const refused = results.flatMap(({ result }) => (result?.$case === 'error' ? [result.value] : []));
    expect(results.slice(0, stored.length).every(({ result }) => result?.$case === 'receipt')).toBe(true);
    expect(stored.every(({ position }) => position < at)).toBe(true);
    expect(stored.map(({ sequence }) => sequence)).toEqual(stored.map((_, index) => BigInt(index + 2)));
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['STREAM_OWNED']));
    expect(stored.length + refused.length).toBe(batches * events);
    expect(refused.length).toBeGreaterThan(0);
    expect(await read({ stream, afterPosition: at, statuses: BOTH })).toEqual([]);
    expect((await push({ issuer: 'b', stream })).sequence).toBe(BigInt(stored.length + 2));
  });
});
