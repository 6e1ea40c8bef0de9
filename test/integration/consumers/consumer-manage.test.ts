import { describe, expect, it } from 'vitest';
import {
  AckStatus,
  ConsumerActivity,
  CreateConsumerRequest,
  Ordering,
  type SeekConsumerRequest,
  UpdateConsumerRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);
const consumers = () => suite.client.consumers;

const create = async (name: string, settings: object = {}, more: object = {}) => {
  const request = CreateConsumerRequest.fromPartial({ name, settings, ...more } as CreateConsumerRequest);
  return (await consumers().createConsumer(request)).consumer;
};
const update = async (name: string, settings: object, updateMask: string[]) => {
  const request = UpdateConsumerRequest.fromPartial({ name, settings, updateMask } as UpdateConsumerRequest);
  return (await consumers().updateConsumer(request)).consumer;
};
const to = (at: NonNullable<SeekConsumerRequest['to']>['at']) => ({ to: { at } });
const refusedWith = async (call: Promise<unknown>) => {
  const { status, reason, fields } = await refusalOf(call);
  return `${status} ${reason} ${fields.join()}`;
};

describe('CreateConsumer', () => {
  it('creates with defaults, and returns the same consumer when it is repeated', async () => {
    const { consumer } = scene();
    const made = await create(consumer);
    expect(made).toMatchObject({
      context: 'default',
      name: consumer,
      generation: 1n,
      settings: { ackTimeout: { seconds: 60n, nanos: 0 }, maxAttempts: 10, ordering: Ordering.ORDERING_BY_STREAM },
      activity: ConsumerActivity.CONSUMER_ACTIVITY_NO_MEMBER,
      members: [],
      owner: '',
    });
    expect(await create(consumer)).toMatchObject({ createdAt: made?.createdAt });
  });

  it('takes lists of a filter as sets', async () => {
    const { consumer } = scene();
    await create(consumer, { filter: { topics: ['b', 'a', 'b'], subjects: [5, 4] } });
    expect(
      (await create(consumer, { filter: { topics: ['a', 'b'], subjects: [4, 5, 4] } }))?.settings?.filter,
    ).toMatchObject({
      topics: ['a', 'b'],
      subjects: [4, 5],
    });
  });

  it('refuses other settings, naming the fields', async () => {
    const { consumer } = scene();
    await create(consumer, { maxAttempts: 5, filter: { topics: ['a'] } });
    expect(
      await refusedWith(create(consumer, { ackTimeout: { seconds: 5n, nanos: 0 }, filter: { topics: ['b'] } })),
    ).toBe('FAILED_PRECONDITION SETTINGS_DIFFER settings.filter.topics,settings.ack_timeout,settings.max_attempts');
  });

  it('gives members of a back-off that are not set their defaults, and refuses another one by its members', async () => {
    const backoff = async (consumer: string, retryBackoff: object) =>
      (await create(consumer, { retryBackoff }))?.settings?.retryBackoff;
    const [one, two, three] = [scene().consumer, scene().consumer, scene().consumer];
    const minutes = (count: number) => ({ seconds: BigInt(count * 60), nanos: 0 });
    const initial = { seconds: 1n, nanos: 0 };
    const usual = { initial, max: minutes(5), jitter: 0.5 };
    expect((await create(one))?.settings?.retryBackoff).toEqual(usual);
    expect(await backoff(one, {})).toEqual(usual);
    expect(await backoff(two, { initial: minutes(10), jitter: 0 })).toEqual({
      ...{ initial: minutes(10), max: minutes(10), jitter: 0 },
    });
    expect(await backoff(three, { initial: { seconds: 0n, nanos: 0 }, max: minutes(1_440), jitter: 1 })).toMatchObject({
      ...{ max: minutes(1_440), jitter: 1 },
    });
    expect(await refusedWith(backoff(one, { initial: minutes(1), max: minutes(5), jitter: 0.25 }))).toBe(
      'FAILED_PRECONDITION SETTINGS_DIFFER settings.retry_backoff.initial,settings.retry_backoff.jitter',
    );
    const bad: [string, object][] = [
      ['initial', { initial: { seconds: -1n, nanos: 0 } }],
      ['initial', { initial: minutes(1_441) }],
      ['max', { max: minutes(1_441) }],
      ['max', { initial: minutes(2), max: minutes(1) }],
      ['jitter', { jitter: -0.1 }],
      ['jitter', { jitter: 1.1 }],
      ['jitter', { jitter: Number.NaN }],
    ];
    for (const [member, retryBackoff] of bad) {
      expect(await refusedWith(create(scene().consumer, { retryBackoff }))).toBe(
        `INVALID_ARGUMENT FIELD_INVALID settings.retry_backoff.${member}`,
      );
    }
  });

  it('counts what is pending from where it begins', async () => {
    const { consumer, push, settings } = scene();
    const positions = await push(7);
    const start = { at: { $case: 'afterPosition', value: positions[2] } };
    expect(await create(consumer, settings, { start })).toMatchObject({
      pending: 4n,
      pendingIsMinimum: false,
      offset: positions[2],
    });
  });
});

describe('GetConsumer', () => {
  it('tells why a consumer does or does not deliver', async () => {
    const { push, subscribe, get, ack } = scene();
    const subscriber = subscribe({ maxInFlight: 1 });
    await subscriber.opened();
    expect((await get()).activity).toBe(ConsumerActivity.CONSUMER_ACTIVITY_IDLE);
    await push(2);
    await subscriber.first(1);
    expect((await get()).activity).toBe(ConsumerActivity.CONSUMER_ACTIVITY_WAITING_FOR_ACKS);
    await ack(subscriber.deliveries);
    await ack((await subscriber.first(2)).slice(1));
    await waitUntil(async () => (await get()).activity === ConsumerActivity.CONSUMER_ACTIVITY_IDLE, { what: 'idle' });
    const { movedAt, createdAt } = await get();
    expect(movedAt?.seconds).toBeGreaterThanOrEqual(createdAt?.seconds ?? 0n);
    await subscriber.cancel();
    await waitUntil(async () => (await get()).activity === ConsumerActivity.CONSUMER_ACTIVITY_NO_MEMBER, {
      what: 'no member',
    });
  });

  it('refuses an unknown consumer', async () => {
    expect(await refusedWith(consumers().getConsumer({ name: 'nobody' }))).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refusedWith(consumers().getConsumer({}))).toBe('INVALID_ARGUMENT FIELD_INVALID name');
  });
});

describe('ListConsumers', () => {
  it('lists by name in pages, by prefix, and over every context', async () => {
    for (const [context, name] of [
      ['l1', 'b'],
      ['l1', 'a'],
      ['l1', 'ab'],
      ['l2', 'a'],
    ] as const) {
      await create(name, {}, { context });
    }
    const page = await consumers().listConsumers({ context: 'l1', pageSize: 2 });
    expect(page.consumers.map(({ name }) => name)).toEqual(['a', 'ab']);
    const rest = await consumers().listConsumers({ context: 'l1', pageSize: 2, pageToken: page.nextPageToken });
    expect(rest.consumers.map(({ name }) => name)).toEqual(['b']);
    expect(rest.nextPageToken).toBe('');
    const prefixed = await consumers().listConsumers({ context: 'all', namePrefix: 'a' });
    const found = prefixed.consumers
      .map(({ context, name }) => `${context}/${name}`)
      .filter((name) => name.startsWith('l'));
    expect(found).toEqual(['l1/a', 'l1/ab', 'l2/a']);
    expect(await refusedWith(consumers().listConsumers({ context: 'l2', pageToken: page.nextPageToken }))).toBe(
      'INVALID_ARGUMENT PAGE_TOKEN_INVALID page_token',
    );
  });
});

describe('UpdateConsumer', () => {
  it('changes what the mask names while members are subscribed, and leaves the rest', async () => {
    const { consumer, subscribe, push, get } = scene({ maxAttempts: 5 });
    await push(1);
    const subscriber = subscribe();
    const [delivery] = await subscriber.first(1);
    const settings = { ackTimeout: { seconds: 90n, nanos: 0 }, maxAttempts: 99 };
    expect(await update(consumer, settings, ['ack_timeout'])).toMatchObject({
      generation: 1n,
      settings: { ackTimeout: { seconds: 90n, nanos: 0 }, maxAttempts: 5 },
    });
    const { results } = await consumers().acknowledge({
      consumer,
      acknowledgements: acknowledgements([delivery as never]),
    });
    expect(results[0]?.status).toBe(AckStatus.ACK_STATUS_ACCEPTED);
    expect((await get()).settings?.maxAttempts).toBe(5);
  });

  it('begins a new generation with another filter: leases of before are stale, subscribers go on', async () => {
    const { consumer, subscribe, push, ackStatuses, topic } = scene();
    await push(2);
    const subscriber = subscribe();
    const old = await subscriber.first(2);
    const other = `${topic}-other`;
    await push(1, { topic: other }, 3);
    const updated = await update(consumer, { filter: { topics: [other] } }, ['filter']);
    expect(updated).toMatchObject({ generation: 2n, settings: { filter: { topics: [other] } }, pending: 1n });
    const deliveries = await subscriber.first(3);
    expect(numberOf(deliveries[2] as never)).toBe(3);
    expect(await ackStatuses(acknowledgements(old))).toEqual([AckStatus.ACK_STATUS_STALE, AckStatus.ACK_STATUS_STALE]);
  });

  it('gives a setting that is named and not given its default', async () => {
    const { consumer } = scene();
    await create(consumer, { maxAttempts: 3, ignoreOwn: true, retryBackoff: { jitter: 0 } });
    const mask = ['max_attempts', 'ignore_own', 'retry_backoff'];
    expect((await update(consumer, {}, mask))?.settings).toMatchObject({
      ...{ maxAttempts: 10, ignoreOwn: false, retryBackoff: { jitter: 0.5 } },
    });
  });

  it('takes another order while members are subscribed', async () => {
    const { consumer, subscribe, push, ack } = scene();
    await push(4, { stream: 'order changes' });
    const subscriber = subscribe({ maxInFlight: 2 });
    await subscriber.first(2);
    await update(consumer, { ordering: Ordering.ORDERING_NONE }, ['ordering']);
    await waitUntil(
      async () => {
        await ack(subscriber.deliveries);
        return new Set(subscriber.numbers).size === 4;
      },
      { what: 'all four delivered' },
    );
  });

  it('refuses a mask that is empty or names no setting, and wrong values', async () => {
    const { consumer } = scene();
    await create(consumer);
    expect(await refusedWith(update(consumer, {}, []))).toBe('INVALID_ARGUMENT FIELD_INVALID update_mask');
    expect(await refusedWith(update(consumer, {}, ['ordering', 'filter.topics']))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID update_mask.paths[1]',
    );
    expect(await refusedWith(update(consumer, { maxAttempts: 1_001 }, ['max_attempts']))).toBe(
      'INVALID_ARGUMENT FIELD_INVALID settings.max_attempts',
    );
    expect(await refusedWith(update('nobody', {}, ['ordering']))).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
  });
});

describe('DeleteConsumer', () => {
  it('ends its subscribers and is gone', async () => {
    const { consumer, subscribe, push } = scene();
    await push(1);
    const subscriber = subscribe();
    await subscriber.first(1);
    await consumers().deleteConsumer({ name: consumer });
    const ended = subscriber.end().then((error) => Promise.reject(error));
    expect(await refusedWith(ended)).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refusedWith(consumers().getConsumer({ name: consumer }))).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refusedWith(consumers().deleteConsumer({ name: consumer }))).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
  });

  it('leaves no lease of before to a consumer that is created again', async () => {
    const { consumer, subscribe, push, ackStatuses, get } = scene();
    await push(1);
    const before = await subscribe().first(1);
    await consumers().deleteConsumer({ name: consumer });
    const again = await subscribe().first(1);
    expect(again[0]?.lease).toBeGreaterThan(before[0]?.lease ?? 0n);
    expect(await ackStatuses(acknowledgements(before))).toEqual([AckStatus.ACK_STATUS_STALE]);
    expect((await get()).generation).toBe(2n);
  });
});

describe('SeekConsumer', () => {
  it('delivers again from where it is told; old acknowledgements are stale', async () => {
    const { consumer, subscribe, push, ack, ackStatuses } = scene();
    const positions = await push(4);
    const subscriber = subscribe();
    const first = await subscriber.first(4);
    await ack(first.slice(0, 2));
    const answer = await consumers().seekConsumer({
      name: consumer,
      ...to({ $case: 'afterPosition', value: (positions[0] ?? 1n) - 1n }),
    });
    expect(answer).toMatchObject({ offset: (positions[0] ?? 1n) - 1n, affected: 2n, affectedIsMinimum: false });
    const again = (await subscriber.first(8)).slice(4);
    expect(again.map(numberOf)).toEqual([1, 2, 3, 4]);
    expect(again.every(({ attempt }) => attempt === 1)).toBe(true);
    expect(await ackStatuses(acknowledgements(first.slice(2)))).toEqual([
      AckStatus.ACK_STATUS_STALE,
      AckStatus.ACK_STATUS_STALE,
    ]);
    expect(await ackStatuses(acknowledgements(again))).toEqual(Array(4).fill(AckStatus.ACK_STATUS_ACCEPTED));
  });

  it('only tells what it would do when it is tried', async () => {
    const { consumer, push, get, settings } = scene();
    await push(5);
    await create(consumer, settings);
    const before = await get();
    const answer = await consumers().seekConsumer({
      name: consumer,
      ...to({ $case: 'latest', value: {} }),
      dryRun: true,
    });
    expect(answer).toMatchObject({ formerOffset: before.offset, affected: 5n });
    expect(await get()).toMatchObject({ offset: before.offset, generation: 1n, pending: 5n });
  });

  it('goes to the head, to the beginning and to a time', async () => {
    const { consumer, push, get, settings, topic } = scene();
    await push(3);
    await create(consumer, settings);
    const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    await consumers().seekConsumer({ name: consumer, ...to({ $case: 'latest', value: {} }) });
    // The entry of the audit comes after it.
    expect(await get()).toMatchObject({ pending: 0n, lag: 1n, generation: 2n });
    await consumers().seekConsumer({ name: consumer, ...to({ $case: 'earliest', value: {} }) });
    expect(await get()).toMatchObject({ pending: 3n, generation: 3n });
    await consumers().seekConsumer({
      name: consumer,
      ...to({ $case: 'afterTime', value: events[0]?.createdAt as never }),
    });
    expect(await get()).toMatchObject({ pending: 2n, offset: events[0]?.position });
  });

  it('goes back and forward by events of the consumer, no further than there are any', async () => {
    const { consumer, push, fetch, ack, get } = scene();
    const positions = await push(3);
    await push(1, { topic: 'another' });
    await ack((await fetch({ limit: 2 })).deliveries);
    const [first = 0n, second = 0n, third = 0n] = positions;
    const by = async (byEvents: bigint, dryRun = false) => {
      const { offset, movedEvents, affected } = await consumers().seekConsumer({ name: consumer, byEvents, dryRun });
      return [offset, movedEvents, affected];
    };
    expect(await by(-1n, true)).toEqual([second - 1n, 1n, 1n]);
    expect((await get()).offset).toBe(second);
    expect(await by(-1n)).toEqual([second - 1n, 1n, 1n]);
    expect((await fetch({ limit: 1 })).deliveries.map(numberOf)).toEqual([2]);
    expect(await by(2n)).toEqual([third, 2n, 2n]);
    expect((await fetch({ limit: 1 })).deliveries).toEqual([]);
    expect(await by(10_000n)).toMatchObject([expect.any(BigInt), 0n, 0n]);
    expect(await by(-10_000n)).toEqual([first - 1n, 3n, 3n]);
    const before = await get();
    expect(await by(-1n)).toEqual([before.offset, 0n, 0n]);
    expect((await fetch({ limit: 10 })).deliveries.map(numberOf)).toEqual([1, 2, 3]);
  });

  it.each([10_001n, -10_001n, -(1n << 63n), (1n << 63n) - 1n])('refuses to go by %s events', async (byEvents) => {
    const { consumer } = scene();
    await create(consumer);
    const seek = consumers().seekConsumer({ name: consumer, byEvents });
    expect(await refusedWith(seek)).toBe('INVALID_ARGUMENT FIELD_INVALID by_events');
    await expect(consumers().seekConsumer({ name: consumer })).rejects.toThrow('to: or by_events is required');
    const both = consumers().seekConsumer({ name: consumer, byEvents: 1n, ...to({ $case: 'latest', value: {} }) });
    expect(await refusedWith(both)).toBe('INVALID_ARGUMENT FIELD_INVALID by_events');
    expect(await refusedWith(consumers().seekConsumer({ name: `no ${consumer}`, byEvents: 1n }))).toBe(
      'NOT_FOUND CONSUMER_UNKNOWN ',
    );
  });

  it('refuses a position above the head, and no target', async () => {
    const { consumer } = scene();
    await create(consumer);
    const above = consumers().seekConsumer({ name: consumer, ...to({ $case: 'afterPosition', value: 1n << 63n }) });
    expect(await refusedWith(above)).toBe('FAILED_PRECONDITION POSITION_BEYOND_HEAD to.after_position');
    expect(await refusedWith(consumers().seekConsumer({ name: consumer }))).toBe('INVALID_ARGUMENT FIELD_INVALID to');
  });
});
