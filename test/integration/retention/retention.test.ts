// Retention through real clients and two instances: what topics are registered with, what goes, what stays, and what is told of what is gone.

import { randomUUID } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { RetentionMode, type TopicSettings } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);
let connection: Connection;

beforeAll(async () => {
  connection = await createConnection(suite.database.adminUrl);
});
afterAll(() => connection?.end());

const newTopic = () => `topic ${randomUUID()}`;

async function registered(settings: Partial<TopicSettings>, name = newTopic()): Promise<string> {
  await suite.client.topics.registerTopic({ name, settings, force: true });
  return name;
}

const push = async (topic: string, rest: Partial<NewEvent> = {}) =>
  (await suite.client.events.pushEvent({ event: newEvent({ topic, ...rest }) })).event as NonNullable<
    Awaited<ReturnType<typeof suite.client.events.pushEvent>>['event']
  >;

/**
 * Lets the whole log grow older, and something new come after it. A topic that is registered afterwards is looked at at once, one that was
 * before when its next event would have been due.
 */
async function age(hours: number): Promise<void> {
  await connection.query('UPDATE log SET created_at = created_at - ?', [hours * 3_600_000_000]);
  const { event } = await suite.client.events.pushEvent({ event: newEvent({ topic: 'the newest' }) });
  // What the server itself has not looked at does not go: it is looked for again after a while only.
  const before = Number(event?.position) - 1;
  const sql =
    'SELECT (SELECT position FROM count_cursor) >= ? AND (SELECT position FROM firing_cursor) >= ? AS settled';
  const isSettled = async () =>
    (await connection.query<RowDataPacket[]>(sql, [before, before]))[0][0]?.['settled'] === 1;
  await waitUntil(isSettled, { what: 'the server has looked at it' });
}

async function positions(topic: string, client = suite.client): Promise<bigint[]> {
  const { events } = await client.events.listEvents({ filter: { topics: [topic] } });
  return events.map(({ position }) => position);
}

const becomes = (topic: string, expected: bigint[]) =>
  waitUntil(async () => (await positions(topic)).join() === expected.join(), {
    what: `of ${topic} there is ${expected.join()}`,
    timeoutMs: 30_000,
  });

describe('a topic with a ttl', () => {
  it('loses what is older, on every instance, and nothing else', async () => {
    const [topic, permanent] = [newTopic(), newTopic()];
    const old = await push(topic, { stream: `s ${topic}` });
    const kept = await push(permanent);
    await age(49);
    const young = await push(topic, { stream: `s ${topic}` });
    await registered({ ttl: '2days' }, topic);
    await becomes(topic, [young.position]);
    expect(await positions(permanent)).toEqual([kept.position]);
    for (const { client } of [suite, other]) {
      expect((await refusalOf(client.events.getEvent({ key: { $case: 'id', value: old.id } }))).reason).toBe(
        'EVENT_UNKNOWN',
      );
      // Memory forgets it too.
      await waitUntil(
        async () => {
          const read = client.events.readEvents({ topics: [topic], afterPosition: 0n, follow: false });
          const seen: bigint[] = [];
          for await (const { events } of read) seen.push(...events.map(({ position }) => position));
          return seen.join() === `${young.position}`;
        },
        { what: 'readers see what is left', timeoutMs: 20_000 },
      );
    }
    await waitUntil(
      async () => {
        const stored = (await suite.client.topics.getTopic({ name: topic })).topic?.stored;
        return stored?.events === 1n && stored.bytes > 0n && stored.oldestPosition === young.position;
      },
      { what: 'the topic tells of what is left', timeoutMs: 20_000 },
    );
    // Sequences go on.
    expect((await push(topic, { stream: `s ${topic}` })).sequence).toBe(3n);
  });

  it('answers a push that is repeated within a day as a duplicate, though its event is gone', async () => {
    const topic = newTopic();
    const messageId = randomUUID();
    const event = newEvent({ topic, messageId, payload: jsonPayload({ once: true }) });
    const first = await suite.client.events.pushEvent({ event });
    await age(2);
    await registered({ ttl: '1h' }, topic);
    await becomes(topic, []);
    for (const { client } of [suite, other]) {
      const again = await client.events.pushEvent({ event });
      expect(again).toMatchObject({
        outcome: Outcome.OUTCOME_DUPLICATE,
        event: {
          id: first.event?.id,
          messageId,
          topic,
          position: 0n,
          payload: { body: { $case: 'json', value: { once: true } } },
        },
      });
      expect(again.event?.createdAt).toBeDefined();
      const reused = client.events.pushEvent({ event: { ...event, payload: jsonPayload({ once: false }) } });
      expect((await refusalOf(reused)).reason).toBe('MESSAGE_ID_REUSED');
    }
    expect(await positions(topic)).toEqual([]);
  });

  it('is settled by one form, and refuses what is no duration', async () => {
    const name = await registered({ ttl: '48h' });
    const same = await suite.client.topics.registerTopic({ name, settings: { ttl: '2 days' } });
    expect(same).toMatchObject({
      created: false,
      topic: { settings: { ttl: '2days', retentionMode: RetentionMode.RETENTION_MODE_EXPIRE } },
    });
    for (const ttl of ['soon', '-2days', '0h', `1${'0'.repeat(30)}years`, '5s']) {
      const refusal = await refusalOf(suite.client.topics.registerTopic({ name: newTopic(), settings: { ttl } }));
      expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', fields: ['settings.ttl'] });
    }
  });
});

describe('what a durable consumer has not passed', () => {
  it('is not taken by a shorter ttl, unless it is forced', async () => {
    const topic = await registered({ ttl: '10days' });
    const used = newTopic();
    const filter = { topics: [topic, used] };
    await suite.client.consumers.createConsumer({ name: `c ${topic}`, settings: { filter } });
    const events = [await push(topic), await push(topic), await push(used)];
    await age(3);
    const settings = { ttl: '1h' };
    const update = { name: topic, settings, updateMask: ['ttl'] };
    const register = { name: used, settings };
    const isRefused = { status: 'FAILED_PRECONDITION', reason: 'SETTINGS_DIFFER', fields: ['settings.ttl'] };
    expect(await refusalOf(suite.client.topics.updateTopic(update))).toMatchObject(isRefused);
    expect(await refusalOf(suite.client.topics.updateTopic({ ...update, dryRun: true }))).toMatchObject(isRefused);
    expect(await refusalOf(suite.client.topics.registerTopic(register))).toMatchObject(isRefused);
    await expect(suite.client.topics.updateTopic(update)).rejects.toThrow(
      `takes 2 events that consumer "c ${topic}" in "default" has not passed`,
    );
    await suite.client.topics.updateTopic({ ...update, settings: { ttl: '4days' } });
    expect(await positions(topic)).toEqual(events.slice(0, 2).map(({ position }) => position));
    await suite.client.topics.updateTopic({ ...update, force: true });
    await suite.client.topics.registerTopic({ ...register, force: true });
    await becomes(topic, []);
    await becomes(used, []);
    const { consumer } = await suite.client.consumers.getConsumer({ name: `c ${topic}` });
    expect(consumer?.expiredUnread).toBe(3n);
  });

  it('is held with HOLD, and goes once it is passed', async () => {
    const [topic, gone] = [newTopic(), newTopic()];
    const consumer = `c ${topic}`;
    const events = [await push(topic), await push(topic)];
    await suite.client.consumers.createConsumer({ name: consumer, settings: { filter: { topics: [topic] } } });
    await push(gone);
    await age(3);
    await registered({ ttl: '1h', retentionMode: RetentionMode.RETENTION_MODE_HOLD }, topic);
    await registered({ ttl: '1h' }, gone);
    await becomes(gone, []);
    expect(await positions(topic)).toEqual(events.map(({ position }) => position));
    const { deliveries } = await suite.client.consumers.fetch({ consumer, limit: 10 });
    await suite.client.consumers.acknowledge({
      consumer,
      acknowledgements: deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease })),
    });
    await becomes(topic, []);
  });

  it('goes with EXPIRE, and is counted', async () => {
    const topic = newTopic();
    const consumer = `c ${topic}`;
    await push(topic);
    await push(topic);
    await suite.client.consumers.createConsumer({ name: consumer, settings: { filter: { topics: [topic] } } });
    await age(3);
    await registered({ ttl: '1h' }, topic);
    await becomes(topic, []);
    const [rows] = await connection.query('SELECT expired_unread FROM consumer WHERE name = ?', [consumer]);
    expect(rows).toEqual([{ expired_unread: 2 }]);
  });
});

describe('what is told of it', () => {
  it('is a dry run with the settings that it is registered with, or with others', async () => {
    const topic = newTopic();
    const consumer = `c ${topic}`;
    const [first] = [await push(topic), await push(topic), await push(topic)];
    await suite.client.consumers.createConsumer({ name: consumer, settings: { filter: { topics: [topic] } } });
    await age(3);
    const preview = (ttl?: string, retentionMode = RetentionMode.RETENTION_MODE_EXPIRE) =>
      suite.client.topics.previewRetention({
        name: topic,
        settings: ttl === undefined ? undefined : { ttl, retentionMode },
      });
    // Statistics and firings have to be past it.
    await waitUntil(async () => (await preview('1h')).events === 3n, {
      what: 'three events are due',
      timeoutMs: 30_000,
    });
    expect(await preview()).toMatchObject({ events: 0n, notPassed: [] });
    expect(await preview('2days')).toMatchObject({ events: 0n });
    expect(await preview('1h')).toMatchObject({
      oldestPosition: first?.position,
      heldFrom: 0n,
      notPassed: [{ consumer, events: 3n, atLeast: false }],
    });
    expect((await preview('1h', RetentionMode.RETENTION_MODE_HOLD)).heldFrom).toBe(first?.position);
    expect(await positions(topic)).toHaveLength(3);
    expect((await refusalOf(suite.client.topics.previewRetention({ name: newTopic() }))).reason).toBe('TOPIC_UNKNOWN');
  });

  it('is what went, and who holds what', async () => {
    const topic = await registered({ ttl: '1h', retentionMode: RetentionMode.RETENTION_MODE_HOLD });
    const consumer = `c ${topic}`;
    await suite.client.consumers.createConsumer({ name: consumer, settings: { filter: { topics: [topic] } } });
    const held = await push(topic);
    await age(3);
    const stateOf = async () =>
      (await other.client.topics.getRetentionState({ pageSize: 1_000 })).topics.find(({ name }) => name === topic);
    await waitUntil(async () => (await stateOf())?.heldBy.length === 1, { what: 'it is held', timeoutMs: 30_000 });
    const state = await stateOf();
    expect(state).toMatchObject({
      ttl: '1h',
      oldestPosition: held.position,
      heldBy: [{ consumer }],
      deletedEvents: 0n,
    });
    expect(Number(state?.overdueSeconds)).toBeGreaterThan(7_000);
  });

  it('is that the clock leapt, until somebody resumes, which the audit tells', async () => {
    await connection.query('UPDATE retention_cursor SET stopped_at = 1000000, leapt_by = 86401000000');
    const topic = newTopic();
    const kept = await push(topic);
    await age(3);
    await registered({ ttl: '1h' }, topic);
    const { stoppedAt, leaptSeconds } = await suite.client.topics.getRetentionState({});
    expect({ stoppedAt: stoppedAt !== undefined, leaptSeconds }).toEqual({ stoppedAt: true, leaptSeconds: 86_401n });
    expect(await positions(topic)).toEqual([kept.position]);
    expect(await other.client.topics.resumeRetention({ by: 'anna' })).toEqual({ resumed: true });
    expect(await other.client.topics.resumeRetention({ by: 'anna' })).toEqual({ resumed: false });
    await becomes(topic, []);
    const filter = { topics: ['madeleine.audit'], tag: 'ResumeRetention' };
    expect((await suite.client.events.listEvents({ filter })).events).toHaveLength(1);
  });
});
