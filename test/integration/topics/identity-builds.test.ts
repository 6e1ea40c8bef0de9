// Other description paths of a topic with events: their identities are built anew, and pushes obey the former paths until that is done.

import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import type { IdentityBuild } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);

const event = (topic: string, payload: object) => newEvent({ topic, payload: jsonPayload(payload) });
const push = async (topic: string, payload: object, client = suite.client) =>
  (await client.events.pushEvent({ event: event(topic, payload) })).event?.id ?? 0n;
const refused = (topic: string, payload: object, client = suite.client) => refusalOf(push(topic, payload, client));
const update = (name: string, ...descriptionPaths: string[]) =>
  suite.client.topics.updateTopic({ name, settings: { descriptionPaths }, updateMask: ['description_paths'] });

async function registered(...descriptionPaths: string[]): Promise<string> {
  const name = `topic ${randomUUID()}`;
  await suite.client.topics.registerTopic({ name, settings: { descriptionPaths } });
  return name;
}

async function buildOf(name: string, client = suite.client): Promise<IdentityBuild | undefined> {
  return (await client.topics.getTopic({ name })).topic?.identityBuild;
}

function built(name: string): Promise<IdentityBuild> {
  const ended = async () => {
    const build = await buildOf(name);
    return build?.endedAt === undefined ? undefined : build;
  };
  return waitUntil(ended, { what: 'the identities are built', timeoutMs: 30_000 });
}

/** Holds the build of a topic before its first page while the work runs: it reads the rows of the events that are there. */
async function whileHeld(topic: string, work: () => Promise<void>): Promise<void> {
  const connection = await createConnection(suite.database.adminUrl);
  try {
    // Rows alone: the gaps between them are for new events.
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
    const [rows] = await connection.query<RowDataPacket[]>(
      'SELECT l.position FROM log l JOIN topic t ON t.id = l.topic_id WHERE t.name = ?',
      [Buffer.from(topic)],
    );
    await connection.query('START TRANSACTION');
    await connection.query('SELECT position FROM log WHERE position IN (?) FOR UPDATE', [
      rows.map(({ position }) => position as number),
    ]);
    await work();
  } finally {
    await connection.end();
  }
}

describe('other description paths', () => {
  it('identify what is stored, the first of those that are equal', async () => {
    const topic = await registered('/id');
    const first = await push(topic, { id: 1, order: 7 });
    await push(topic, { id: 2, order: 8 });
    const third = await push(topic, { id: 3, order: 7 });
    await push(topic, { id: 4 });
    const gone = await push(topic, { id: 5, order: 9 });
    await suite.client.events.invalidateEvent({ id: gone, reason: 'a mistake' });
    await update(topic, '/order');
    const build = await built(topic);
    expect(build).toMatchObject({
      ...{ identified: 3n, withoutIdentity: 1n, repeated: 1n, repeatedEventIds: [third], formerDescriptionPaths: [] },
    });
    expect(build.builtTo).toBe(build.buildUpTo);
    expect(await refused(topic, { id: 6, order: 7 }, other.client)).toMatchObject({
      ...{ reason: 'ALREADY_OCCURRED', metadata: { event_id: String(first) } },
    });
    expect((await refused(topic, { id: 6 })).reason).toBe('FIELD_INVALID');
    // The former paths mean nothing any more, and what was invalidated stands in nobody's way.
    await push(topic, { id: 1, order: 9 }, other.client);
    await suite.client.events.invalidateEvent({ id: first, reason: 'a mistake' });
    expect(await refused(topic, { order: 7 })).toMatchObject({ metadata: { event_id: String(third) } });
  });

  it('are built for a topic that had none, over payloads of every kind', async () => {
    const topic = await registered();
    const payloads = [bytesPayload('text', 'text/plain'), bytesPayload('{"id":1,"id":1}'), jsonPayload([1])];
    for (const payload of payloads) await suite.client.events.pushEvent({ event: newEvent({ topic, payload }) });
    const events = Array.from({ length: 2_500 }, (_, n) => ({ event: event(topic, { id: n % 2_400 }) }));
    for (let from = 0; from < events.length; from += 500) {
      await suite.client.events.pushEvents({ events: events.slice(from, from + 500) });
    }
    await update(topic, '/id');
    expect(await built(topic)).toMatchObject({ identified: 2_500n, withoutIdentity: 3n, repeated: 100n });
    expect((await buildOf(topic))?.repeatedEventIds).toHaveLength(10);
    expect((await refused(topic, { id: 2_399 })).reason).toBe('ALREADY_OCCURRED');
    await push(topic, { id: 2_400 });
  });

  it('take effect only then: until it is done pushes obey the former ones, and get identities by both', async () => {
    const topic = await registered('/id');
    const first = await push(topic, { id: 1, order: 7 });
    let second = 0n;
    await whileHeld(topic, async () => {
      await update(topic, '/order');
      expect((await suite.client.topics.getTopic({ name: topic })).topic).toMatchObject({
        settings: { descriptionPaths: ['/order'] },
        identityBuild: { formerDescriptionPaths: ['/id'], builtTo: 0n, identified: 0n, endedAt: undefined },
      });
      // Registered is what was asked for, by whoever starts meanwhile.
      const again = await other.client.topics.registerTopic({
        name: topic,
        settings: { descriptionPaths: ['/order'] },
      });
      expect(again).toMatchObject({ created: false, changes: [] });
      for (const client of [suite.client, other.client]) {
        expect(await refused(topic, { id: 1, order: 9 }, client)).toMatchObject({
          metadata: { event_id: String(first) },
        });
        expect((await refused(topic, { order: 9 }, client)).reason).toBe('FIELD_INVALID');
      }
      second = await push(topic, { id: 2, order: 8 }, other.client);
      await push(topic, { id: 3, order: 7 });
      await push(topic, { id: 4 });
    });
    expect(await built(topic)).toMatchObject({ identified: 1n, repeated: 0n });
    for (const client of [suite.client, other.client]) {
      expect(await refused(topic, { id: 5, order: 8 }, client)).toMatchObject({
        metadata: { event_id: String(second) },
      });
      expect(await refused(topic, { id: 5, order: 7 }, client)).toMatchObject({
        metadata: { event_id: String(first) },
      });
      expect((await refused(topic, { id: 5 }, client)).reason).toBe('FIELD_INVALID');
    }
    await push(topic, { id: 1, order: 10 });
  });

  it('may be given again, or others, while they are built', async () => {
    const topic = await registered('/id');
    await push(topic, { id: 1, order: 7, state: 'paid' });
    await whileHeld(topic, async () => {
      await update(topic, '/order');
      await update(topic, '/id');
      expect(await buildOf(topic)).toBeUndefined();
      expect((await refused(topic, { id: 1 })).reason).toBe('ALREADY_OCCURRED');
      await update(topic, '/order');
      await update(topic, '/state');
      expect((await buildOf(topic))?.formerDescriptionPaths).toEqual(['/id']);
      await update(topic);
      expect(await buildOf(topic)).toBeUndefined();
      await push(topic, { id: 1, order: 7, state: 'paid' });
      await update(topic, '/state');
    });
    expect(await built(topic)).toMatchObject({ identified: 2n, repeated: 1n });
    expect((await refused(topic, { state: 'paid' })).reason).toBe('ALREADY_OCCURRED');
  });

  it('are forgotten with the registration', async () => {
    const topic = await registered('/id');
    await push(topic, { id: 1, order: 7 });
    await whileHeld(topic, async () => {
      await update(topic, '/order');
      await suite.client.topics.unregisterTopic({ name: topic });
      expect(await buildOf(topic)).toBeUndefined();
      await push(topic, { id: 1, order: 7 });
      await suite.client.topics.registerTopic({ name: topic, settings: { descriptionPaths: ['/state'] } });
    });
    await push(topic, { id: 1, order: 7, state: 1 });
    expect(await buildOf(topic)).toBeUndefined();
  });

  it('leave nobody a moment of none, on any instance', async () => {
    const topic = await registered('/a');
    const accepted: object[] = [];
    let isOver = false;
    // Both paths say the same of each event: whichever is obeyed, the first one alone occurs.
    const pushAll = async (client: typeof suite.client) => {
      for (let n = 0; !isOver || n < 40; n += 1) {
        const payload = { a: n % 40, b: n % 40 };
        await push(topic, payload, client).then(
          () => accepted.push(payload),
          () => {},
        );
      }
    };
    const pushing = [suite.client, other.client, suite.client].map(pushAll);
    for (const paths of [['/b'], ['/a'], ['/a', '/b'], ['/b'], ['/a']]) {
      await update(topic, ...paths);
      await built(topic);
    }
    isOver = true;
    await Promise.all(pushing);
    expect(accepted).toHaveLength(40);
    expect(new Set(accepted.map((payload) => JSON.stringify(payload))).size).toBe(40);
  });
});
