import { describe, expect, it } from 'vitest';
import {
  type ConsumerFilter,
  ConsumerSettings,
  Ordering,
  type SubscribeRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../../../generated/madeleine/v1/event.js';
import { numberOf, type TestSubscriber } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);

describe('Subscribe', () => {
  it('opens with the consumer and its settings, created at first use', async () => {
    const { subscribe, topic, consumer } = scene();
    const opened = await subscribe({ member: 'worker-1' }).opened();
    expect(opened.member).toBe('worker-1');
    expect(opened.logEpoch).toBeGreaterThan(0n);
    expect(opened.consumer).toMatchObject({
      context: 'default',
      name: consumer,
      offset: opened.consumer?.offset,
      owner: expect.stringMatching(/./),
      settings: {
        filter: { topics: [topic] },
        ackTimeout: { seconds: 60n, nanos: 0 },
        maxAttempts: 10,
        ordering: Ordering.ORDERING_BY_STREAM,
        ignoreOwn: false,
        ephemeral: false,
      },
      members: [{ name: 'worker-1', maxInFlight: 100, maxInFlightBytes: 1_048_576n }],
    });
  });

  it('delivers what was stored before and what comes, in order, with leases that differ', async () => {
    const { subscribe, push } = scene();
    await push(50, { stream: 'in order' });
    const subscriber = subscribe({ maxInFlight: 1_000 });
    await subscriber.first(50);
    await push(50, { stream: 'in order' }, 51);
    const deliveries = await subscriber.first(100);
    expect(deliveries.map(numberOf)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(new Set(deliveries.map(({ lease }) => lease)).size).toBe(100);
    expect(deliveries.every(({ attempt, replay }) => attempt === 1 && !replay)).toBe(true);
  });

  it('delivers payloads as bytes when asked to', async () => {
    const { subscribe, push } = scene();
    await push(1, { payload: bytesPayload('{"n": 1.0}') });
    const subscriber = subscribe({ payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES });
    const [delivery] = await subscriber.first(1);
    expect(delivery?.event?.payload?.body).toEqual({ $case: 'data', value: Buffer.from('{"n": 1.0}') });
  });

  it('says when everything was delivered, and again when it was behind and is live anew', async () => {
    const { subscribe, push, ack } = scene();
    const positions = await push(10);
    const subscriber = subscribe({ maxInFlight: 200 });
    expect((await subscriber.frame('caughtUp')).position).toBeGreaterThanOrEqual(positions.at(-1) ?? 0n);
    expect(subscriber.numbers).toHaveLength(10);
    await push(2_000, {}, 11);
    let acked = 0;
    const times = () => subscriber.frames.filter((frame) => frame.$case === 'caughtUp').length;
    await waitUntil(
      async () => {
        const fresh = subscriber.deliveries.slice(acked);
        acked += fresh.length;
        if (fresh.length > 0) await ack(fresh);
        return times() === 2;
      },
      { what: 'caught up twice' },
    );
    expect(subscriber.numbers).toEqual(Array.from({ length: 2_010 }, (_, index) => index + 1));
  });

  it('stops at the credit in events until something is acknowledged', async () => {
    const { subscribe, push, ack, get } = scene();
    await push(10);
    const subscriber = subscribe({ maxInFlight: 4 });
    const first = await subscriber.first(4);
    expect(await get()).toMatchObject({ inFlight: 4, pending: 10n, pendingIsMinimum: false });
    await ack(first.slice(0, 2));
    await subscriber.first(6);
    expect(subscriber.numbers).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('stops at the credit in bytes, and delivers a larger event alone', async () => {
    const { subscribe, push, ack } = scene();
    const large = bytesPayload(`"${'x'.repeat(5_000)}"`);
    await push(1, { payload: large });
    await push(2);
    const subscriber = subscribe({ maxInFlightBytes: 2_048n });
    const [alone] = await subscriber.first(1);
    await ack([alone as NonNullable<typeof alone>]);
    await subscriber.first(3);
    expect(subscriber.frameSizes[0]).toBe(1);
  });

  it('cuts frames at 256 deliveries', async () => {
    const { subscribe, push } = scene();
    await push(600);
    const subscriber = subscribe({ maxInFlight: 1_000 });
    await subscriber.first(600);
    expect(Math.max(...subscriber.frameSizes)).toBe(256);
  });

  it('shares streams among members: one stream goes to one member at a time', async () => {
    const { subscribe, push } = scene();
    const [a, b] = [subscribe({ member: 'a', maxInFlight: 20 }), subscribe({ member: 'b', maxInFlight: 20 })];
    await Promise.all([a.opened(), b.opened()]);
    await push(40, (n) => ({ stream: `shared-${n % 8}` }));
    await waitUntil(() => a.deliveries.length + b.deliveries.length === 40, { what: '40 deliveries to two members' });
    const streamsOf = (subscriber: TestSubscriber) => new Set(subscriber.deliveries.map(({ event }) => event?.stream));
    const [ofA, ofB] = [streamsOf(a), streamsOf(b)];
    expect(ofA.size + ofB.size).toBe(8);
    expect([...ofA].filter((stream) => ofB.has(stream))).toEqual([]);
  });

  it('ends the former member of the same name and gives its events to the new one', async () => {
    const { subscribe, push } = scene();
    await push(3);
    const former = subscribe({ member: 'worker' });
    await former.first(3);
    const next = subscribe({ member: 'worker' });
    await next.first(3);
    expect(next.numbers).toEqual([1, 2, 3]);
    expect(next.deliveries.every(({ attempt }) => attempt === 1)).toBe(true);
    const refusal = await refusalOf(former.end().then((error) => Promise.reject(error)));
    expect(refusal).toMatchObject({ status: 'ABORTED', reason: 'MEMBER_REPLACED' });
  });

  it('gives the events of a lost member to the others at once, without an attempt', async () => {
    const { subscribe, push } = scene();
    const lost = subscribe({ member: 'lost', maxInFlight: 10 });
    await lost.opened();
    await push(5);
    await lost.first(5);
    const other = subscribe({ member: 'other' });
    await other.opened();
    await lost.cancel();
    const again = await other.first(5);
    expect(again.map(numberOf)).toEqual([1, 2, 3, 4, 5]);
    expect(again.every(({ attempt }) => attempt === 1)).toBe(true);
    const leases = new Set(lost.deliveries.map(({ lease }) => lease));
    expect(again.some(({ lease }) => leases.has(lease))).toBe(false);
  });

  it('begins where it is told when it is created, and only then', async () => {
    const { subscribe, push, topic } = scene();
    const positions = await push(4);
    const from = async (consumer: string, start: SubscribeRequest['start']) => {
      const subscriber = subscribe({ consumer, start });
      await subscriber.frame('caughtUp');
      await subscriber.cancel();
      return subscriber.numbers;
    };
    const second = (await suite.client.events.listEvents({ filter: { topics: [topic] } })).events[1];
    expect(await from(`${topic}-p`, { at: { $case: 'afterPosition', value: positions[1] ?? 0n } })).toEqual([3, 4]);
    expect(await from(`${topic}-e`, { at: { $case: 'earliest', value: {} } })).toEqual([1, 2, 3, 4]);
    expect(await from(`${topic}-l`, { at: { $case: 'latest', value: {} } })).toEqual([]);
    expect(await from(`${topic}-t`, { at: { $case: 'afterTime', value: second?.createdAt as never } })).toEqual([3, 4]);
    expect(await from(`${topic}-l`, { at: { $case: 'earliest', value: {} } })).toEqual([]);
  });

  it('refuses a start above the head and creates nothing', async () => {
    const { refused, consumer } = scene();
    expect(await refused({ start: { at: { $case: 'afterPosition', value: 1n << 60n } } })).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'POSITION_BEYOND_HEAD',
      fields: ['start.after_position'],
    });
    expect(await refusalOf(suite.client.consumers.getConsumer({ name: consumer }))).toMatchObject({
      reason: 'CONSUMER_UNKNOWN',
    });
  });

  it('refuses settings that differ, naming them, and takes unset ones as stored', async () => {
    const { subscribe, refused } = scene({ maxAttempts: 3 });
    await subscribe().opened();
    const asStored = subscribe({ settings: undefined });
    expect((await asStored.opened()).consumer?.settings?.maxAttempts).toBe(3);
    expect(
      await refused({ settings: ConsumerSettings.fromPartial({ maxAttempts: 4, ignoreOwn: true }) }),
    ).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'SETTINGS_DIFFER',
      fields: ['settings.max_attempts', 'settings.ignore_own'],
    });
  });

  it('delivers an addressed event to the consumer of that name only', async () => {
    const { subscribe, push, consumer } = scene();
    await push(1, { to: consumer });
    await push(1, { to: 'somebody else' }, 2);
    await push(1, {}, 3);
    const [named, other] = [subscribe(), subscribe({ consumer: `${consumer}-other` })];
    await Promise.all([named.frame('caughtUp'), other.frame('caughtUp')]);
    expect(named.numbers).toEqual([1, 3]);
    expect(other.numbers).toEqual([3]);
  });

  it('passes over its own events when told to', async () => {
    const { subscribe, push, consumer } = scene({ ignoreOwn: true });
    await push(1, { issuer: consumer });
    await push(1, { replyTo: consumer }, 2);
    await push(1, {}, 3);
    const subscriber = subscribe();
    await subscriber.frame('caughtUp');
    expect(subscriber.numbers).toEqual([3]);
  });

  it('reads every context as a consumer of all, streams of one name apart', async () => {
    const { subscribe, push } = scene();
    await push(2, { context: 'north', stream: 'of one name' });
    await push(2, { context: 'south', stream: 'of one name' }, 3);
    const subscriber = subscribe({ context: 'all' });
    await subscriber.first(4);
    expect(subscriber.numbers).toEqual([1, 2, 3, 4]);
  });

  it('deletes an ephemeral consumer with its last member', async () => {
    const { subscribe, consumer, get } = scene({ ephemeral: true });
    const [first, second] = [subscribe({ member: 'a' }), subscribe({ member: 'b' })];
    await Promise.all([first.opened(), second.opened()]);
    await first.cancel();
    await waitUntil(async () => (await get()).members.length === 1, { what: 'one member left' });
    await second.cancel();
    await waitUntil(
      () =>
        suite.client.consumers.getConsumer({ name: consumer }).then(
          () => false,
          () => true,
        ),
      { what: 'the ephemeral consumer is gone' },
    );
  });

  it('delivers what contains the description of its filter, and nothing else', async () => {
    const filter = { description: { n: 3 } } as unknown as ConsumerFilter;
    const { subscribe, push, get, refused, ack, topic } = scene({ filter });
    await push(4);
    const subscriber = subscribe();
    await ack(await subscriber.first(1));
    await push(1, {}, 3);
    await subscriber.first(2);
    expect(subscriber.numbers).toEqual([3, 3]);
    expect((await get()).settings?.filter?.description).toEqual({ n: 3 });
    const other = ConsumerSettings.fromPartial({ filter: { topics: [topic], description: { n: 4 } } });
    const refusal = await refused({ settings: other });
    expect(refusal).toMatchObject({ reason: 'SETTINGS_DIFFER', fields: ['settings.filter.description'] });
  });

  it('refuses what is wrong with the request, naming the field', async () => {
    const { refused: refusalFor } = scene();
    const refused = async (request: Partial<SubscribeRequest>) => {
      const refusal = await refusalFor({ settings: undefined, ...request });
      return `${refusal.status} ${refusal.reason} ${refusal.fields.join()}`;
    };
    const settings = (changes: object) => ({ settings: ConsumerSettings.fromPartial(changes as ConsumerSettings) });
    expect(await refused({ consumer: '' })).toBe('INVALID_ARGUMENT FIELD_INVALID consumer');
    expect(await refused({ context: ' x' })).toBe('INVALID_ARGUMENT FIELD_INVALID context');
    expect(await refused({ member: 'x\n' })).toBe('INVALID_ARGUMENT FIELD_INVALID member');
    expect(await refused({ maxInFlight: 0 })).toBe('INVALID_ARGUMENT FIELD_INVALID max_in_flight');
    expect(await refused({ maxInFlight: 65_537 })).toBe('INVALID_ARGUMENT FIELD_INVALID max_in_flight');
    expect(await refused({ maxInFlightBytes: 1_023n })).toBe('INVALID_ARGUMENT FIELD_INVALID max_in_flight_bytes');
    expect(await refused({ payloadEncoding: 9 as never })).toBe('INVALID_ARGUMENT FIELD_INVALID payload_encoding');
    expect(await refused({ start: { at: undefined } })).toBe('INVALID_ARGUMENT FIELD_INVALID start');
    expect(await refused(settings({ ackTimeout: { seconds: 0n, nanos: 999_000_000 } }))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID settings.ack_timeout',
    );
    expect(await refused(settings({ maxAttempts: 0 }))).toBe('INVALID_ARGUMENT FIELD_INVALID settings.max_attempts');
    expect(await refused(settings({ ordering: 7 }))).toBe('INVALID_ARGUMENT FIELD_INVALID settings.ordering');
    expect(await refused(settings({ filter: { topics: ['a', ''] } }))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID settings.filter.topics[1]',
    );
    expect(await refused(settings({ filter: { subjects: [99] } }))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID settings.filter.subjects[0]',
    );
    expect(await refused(settings({ filter: { statuses: [3, 1] } }))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID settings.filter.statuses[1]',
    );
    expect(await refused(settings({ filter: { description: {} } }))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID settings.filter.description',
    );
  });
});
