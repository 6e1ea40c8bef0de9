// What management calls leave on the topic madeleine.audit: who called what, and what that changed; nothing where nothing changed.

import { describe, expect, it } from 'vitest';
import {
  ConsumerSettings,
  CreateConsumerRequest,
  ReplayEditedEventRequest,
  SeekConsumerRequest,
  UpdateConsumerRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { Subject } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
const scene = useScenes(suite);
const BY = 'anna';

/** Entries of the audit in a context, oldest first: of everything, or of the one that the payload names. */
async function entries(of: object = {}, context = 'default') {
  const { events } = await suite.client.events.listEvents({
    filter: { context, topics: ['madeleine.audit'] },
    pageSize: 1_000,
  });
  const all = events.map(({ issuer, stream, tag, subject, entityType, payload }) => ({
    ...{ issuer, stream, tag, subject, entityType },
    payload: payload?.body?.value as Record<string, never>,
  }));
  return all.filter(({ payload }) => Object.entries(of).every(([name, value]) => payload[name] === value));
}

const create = (name: string, settings = {}, more = {}) =>
  suite.client.consumers.createConsumer(
    CreateConsumerRequest.fromPartial({ name, settings: ConsumerSettings.fromPartial(settings), by: BY, ...more }),
  );
const update = (name: string, settings: object, paths: string[]) =>
  suite.client.consumers.updateConsumer(
    UpdateConsumerRequest.fromPartial({
      ...{ name, settings: ConsumerSettings.fromPartial(settings), updateMask: paths, by: BY },
    } as UpdateConsumerRequest),
  );
const seek = (name: string, changes: Partial<SeekConsumerRequest> = {}) =>
  suite.client.consumers.seekConsumer(
    SeekConsumerRequest.fromPartial({ name, to: { at: { $case: 'earliest', value: {} } }, by: BY, ...changes }),
  );

describe('an entry of the audit', () => {
  it('tells of a consumer that is created: who, and with which settings', async () => {
    await create('created', { filter: { topics: ['orders'] }, maxAttempts: 3 });
    await create('created', { filter: { topics: ['orders'] }, maxAttempts: 3 });
    expect(await entries({ consumer: 'created' })).toEqual([
      {
        ...{ issuer: 'madeleine', stream: '', tag: 'CreateConsumer', subject: Subject.SUBJECT_CREATED },
        entityType: 'consumer',
        payload: {
          ...{ call: 'CreateConsumer', by: BY, context: 'default', consumer: 'created' },
          after: {
            ...{ where: { topics: ['orders'] }, ack_timeout: '60s', max_attempts: 3, ordering: 'BY_STREAM' },
            ...{ ignore_own: false, ephemeral: false, offset: expect.any(Number) },
            retry_backoff: { initial: '1s', max: '300s', jitter: 0.5 },
          },
        },
      },
    ]);
  });

  it('tells of one that is created at first use, but not of one that goes with its members', async () => {
    const { fetch, subscribe, consumer } = scene();
    await fetch({ by: BY });
    await fetch({ by: BY });
    expect(await entries({ consumer })).toMatchObject([{ tag: 'Fetch', payload: { call: 'Fetch', by: BY } }]);
    const { subscribe: live, consumer: ephemeral } = scene({ ephemeral: true });
    const member = live();
    await member.opened();
    await member.cancel();
    expect(await entries({ consumer: ephemeral })).toEqual([]);
    const named = `${consumer} subscribed`;
    await subscribe({ consumer: named }).opened();
    expect(await entries({ consumer: named })).toMatchObject([{ payload: { call: 'Subscribe', by: '' } }]);
  });

  it('tells what an update changes, before and after', async () => {
    await create('updated', { filter: { topics: ['a'] } });
    await update('updated', { filter: { topics: ['b'], tags: ['t'] }, maxAttempts: 7 }, ['filter', 'max_attempts']);
    await update('updated', { maxAttempts: 7 }, ['max_attempts']);
    const [, ...changes] = await entries({ consumer: 'updated' });
    expect(changes).toMatchObject([
      {
        ...{ tag: 'UpdateConsumer', subject: Subject.SUBJECT_UPDATED, entityType: 'consumer' },
        payload: {
          by: BY,
          before: { where: { topics: ['a'] }, max_attempts: 10 },
          after: { where: { topics: ['b'], tags: ['t'] }, max_attempts: 7 },
        },
      },
    ]);
    expect(Object.keys(changes[0]?.payload.after ?? {})).toEqual(['max_attempts', 'where']);
  });

  it('tells of a seek, and not of one that only asks', async () => {
    const { fetch, push, ack, consumer } = scene();
    await push(3);
    const { deliveries } = await fetch({ limit: 3 });
    await ack(deliveries);
    const { offset } = await fetch();
    const at = { $case: 'afterPosition', value: deliveries[0]?.event?.position ?? 0n } as const;
    await seek(consumer, { to: { at }, dryRun: true });
    await seek(consumer, { to: { at } });
    const [, ...changes] = await entries({ consumer });
    expect(changes).toMatchObject([
      {
        ...{ tag: 'SeekConsumer', subject: Subject.SUBJECT_UPDATED },
        payload: {
          by: BY,
          before: { offset: Number(offset), generation: 1 },
          after: { offset: Number(at.value), generation: 2 },
        },
      },
    ]);
  });

  it('tells of a consumer that is deleted, with what it was', async () => {
    await create('deleted', { maxAttempts: 4 });
    await suite.client.consumers.deleteConsumer({ name: 'deleted', by: BY });
    expect(await refusalOf(suite.client.consumers.deleteConsumer({ name: 'deleted' }))).toMatchObject({
      reason: 'CONSUMER_UNKNOWN',
    });
    await create('deleted', { maxAttempts: 5 });
    expect(await entries({ consumer: 'deleted' })).toMatchObject([
      { tag: 'CreateConsumer' },
      { tag: 'DeleteConsumer', subject: Subject.SUBJECT_DELETED, payload: { by: BY, before: { max_attempts: 4 } } },
      { tag: 'CreateConsumer', payload: { after: { max_attempts: 5 } } },
    ]);
  });

  it('tells of parked events that are replayed, edited and discarded: how many, and which come first', async () => {
    const { fetch, push, reject, consumer } = scene();
    const { consumers } = suite.client;
    const positions = await push(130);
    const { deliveries } = await fetch({ limit: 130 });
    await reject(deliveries, { verdict: Verdict.VERDICT_PARK });
    const some = positions.slice(0, 2);
    await consumers.replayParkedEvents({ consumer, positions: some, by: BY });
    await consumers.replayParkedEvents({ consumer, positions: some, by: BY });
    const edit = ReplayEditedEventRequest.fromPartial({
      ...{ consumer, position: positions[2] ?? 0n, by: BY },
      event: { issuer: 'i', payload: jsonPayload({ n: 3 }), messageId: crypto.randomUUID() },
    } as ReplayEditedEventRequest);
    await consumers.replayEditedEvent(edit);
    expect((await consumers.replayEditedEvent(edit)).outcome).toBe(Outcome.OUTCOME_DUPLICATE);
    await consumers.discardParkedEvents({ consumer, all: true, by: BY });
    await consumers.discardParkedEvents({ consumer, all: true, by: BY });
    const numbers = positions.map(Number);
    const [, ...changes] = await entries({ consumer });
    const kept = [...numbers.slice(0, 2), ...numbers.slice(3)];
    expect(changes).toMatchObject([
      { tag: 'ReplayParkedEvents', entityType: 'parked_event', payload: { count: 2, positions: numbers.slice(0, 2) } },
      { tag: 'ReplayEditedEvent', entityType: 'parked_event', payload: { count: 1, positions: [numbers[2]] } },
      { tag: 'DiscardParkedEvents', payload: { by: BY, count: 129, positions: kept.slice(0, 100) } },
    ]);
  });

  it('tells of topics that are registered and shapes that are dropped', async () => {
    const { topics, events } = suite.client;
    const register = () =>
      topics.registerTopic({ name: 'registered', settings: { descriptionPaths: ['/id'] }, by: BY });
    await register();
    await register();
    expect(await entries({ topic: 'registered' })).toMatchObject([
      {
        ...{ tag: 'RegisterTopic', subject: Subject.SUBJECT_CREATED, entityType: 'topic' },
        payload: { by: BY, after: { description_paths: ['/id'] } },
      },
    ]);
    await events.pushEvent({ event: newEvent({ topic: 'shaped', payload: undefined, description: { a: 1 } }) });
    const { shapes } = await topics.listShapes({ topic: 'shaped' });
    const id = shapes[0]?.id ?? 0n;
    expect(await refusalOf(topics.dropShape({ id, by: BY }))).toMatchObject({ reason: 'SHAPE_IN_USE' });
    await events.pushEvent({ event: newEvent({ topic: 'shaped', payload: jsonPayload({ a: 1 }) }) });
    await topics.dropShape({ id, by: BY });
    expect(await refusalOf(topics.dropShape({ id, by: BY }))).toMatchObject({ reason: 'SHAPE_UNKNOWN' });
    expect(await entries({ topic: 'shaped' })).toMatchObject([
      {
        ...{ tag: 'DropShape', subject: Subject.SUBJECT_DELETED, entityType: 'shape' },
        payload: { by: BY, shape_id: Number(id), before: { paths: ['/a'] } },
      },
    ]);
  });

  it('lies in the context that it concerns; of consumers of all contexts in the default one', async () => {
    await create('elsewhere', {}, { context: 'berlin' });
    expect(await entries({ consumer: 'elsewhere' }, 'berlin')).toHaveLength(1);
    expect(await entries({ consumer: 'elsewhere' })).toEqual([]);
    await create('everywhere', {}, { context: 'all' });
    expect(await entries({ consumer: 'everywhere' })).toMatchObject([{ payload: { context: 'all' } }]);
  });

  it('ends what waits for it', async () => {
    const description = { call: 'CreateConsumer', consumer: 'awaited' };
    const { event } = await suite.client.events.pushEvent({
      event: newEvent({ topic: 'watched.audit', payload: undefined, description }),
    });
    expect(event).toBeDefined();
  });

  it.each(['a\u0000b', ' a', 'x'.repeat(256)])('is not made by %j', async (by) => {
    const { topics, consumers } = suite.client;
    const refused = { status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: ['by'] };
    const to = { at: { $case: 'earliest', value: {} } } as const;
    const event = newEvent();
    const calls = [
      consumers.createConsumer({ name: 'refused', by }),
      consumers.updateConsumer({ name: 'refused', settings: { maxAttempts: 1 }, updateMask: ['max_attempts'], by }),
      consumers.deleteConsumer({ name: 'refused', by }),
      consumers.seekConsumer({ name: 'refused', to, by }),
      consumers.fetch({ consumer: 'refused', by }),
      consumers.replayParkedEvents({ consumer: 'refused', all: true, by }),
      consumers.discardParkedEvents({ consumer: 'refused', all: true, by }),
      consumers.replayEditedEvent({ consumer: 'refused', position: 1n, event, by }),
      topics.registerTopic({ name: 'refused', by }),
      topics.dropShape({ id: 1n, by }),
    ];
    for (const call of calls) expect(await refusalOf(call)).toMatchObject(refused);
    expect(await refusalOf(consumers.getConsumer({ name: 'refused' }))).toMatchObject({ reason: 'CONSUMER_UNKNOWN' });
  });

  it('is one, of calls at the same time that ask for the same', async () => {
    await Promise.all(Array.from({ length: 20 }, () => create('at-once')));
    expect(await entries({ consumer: 'at-once' })).toHaveLength(1);
    const updates = Array.from({ length: 10 }, (_, n) => update('at-once', { maxAttempts: 20 + n }, ['max_attempts']));
    await Promise.all(updates);
    const [, ...changes] = await entries({ consumer: 'at-once' });
    expect(changes).toHaveLength(10);
    for (const [index, { payload }] of changes.slice(1).entries()) {
      expect(payload.before).toEqual(changes[index]?.payload.after);
    }
    const deleted = await Promise.allSettled(
      Array.from({ length: 5 }, () => suite.client.consumers.deleteConsumer({ name: 'at-once' })),
    );
    expect(deleted.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await entries({ consumer: 'at-once' })).filter(({ tag }) => tag === 'DeleteConsumer')).toHaveLength(1);
  });
});
