// What is under way while an event is erased, and would bring back what it said: what a receiver answers late, and an edited copy.

import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CreateCawinRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { FetchRequest, Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { placesOf } from '../../support/database/every-row.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer({ callbackAllow: '127.0.0.1', secretKey: 'ab'.repeat(32) });
const other = useServerBeside(suite, { callbackAllow: '127.0.0.1', secretKey: 'ab'.repeat(32) });
const { push, occur, await_ } = eventCalls(suite);
const receiver = new HttpReceiver();
let connection: Connection;

beforeAll(async () => {
  await receiver.start();
  connection = await createConnection(suite.database.adminUrl);
});
afterAll(async () => {
  await receiver.stop();
  await connection.end();
});

const newSubject = () => `person ${randomUUID()}`;
const erase = (subject: string, client = suite.client) =>
  client.events.eraseEvents({ target: { $case: 'dataSubject', value: subject } });

/** A cawin on the event whose receiver has the call in hand. */
async function calledBack(eventId: bigint): Promise<{ readonly id: bigint; readonly response: ServerResponse }> {
  const path = `/${randomUUID()}`;
  const called = new Promise<ServerResponse>((resolve) => {
    receiver.respond = (response) => resolve(response);
  });
  const request = { eventId, active: true, callback: { url: receiver.url(path) } };
  const { cawin } = await suite.client.cawins.createCawin(CreateCawinRequest.fromPartial(request));
  return { id: cawin?.id ?? 0n, response: await called };
}

async function attemptOf(cawinId: bigint) {
  const attempts = async () => (await suite.client.cawins.listAttempts({ cawinId })).attempts;
  const [attempt] = await waitUntil(async () => ((await attempts()).length > 0 ? attempts() : undefined), {
    what: 'the attempt is written down',
  });
  return attempt;
}

describe('what a receiver answers after the event was erased', () => {
  it('is not written down, but that it answered', async () => {
    const subject = newSubject();
    const { id } = await push({ topic: newTopic(), dataSubject: subject, payload: jsonPayload({ who: subject }) });
    const { id: cawinId, response } = await calledBack(id);
    expect(await erase(subject)).toMatchObject({ erased: 1n, remaining: 0n });
    response.end(`thanks for ${subject}`);
    expect(await attemptOf(cawinId)).toMatchObject({ statusCode: 200, firstBytes: '', status: '', error: '' });
    expect(await placesOf(suite.database.url, subject)).toEqual([]);
  });

  it('is not written down where only what was awaited was about the subject', async () => {
    const subject = newSubject();
    const topic = newTopic();
    const awaited = await await_(topic, { who: subject }, { dataSubject: subject });
    await occur(topic, { who: subject });
    const { id: cawinId, response } = await calledBack(awaited.id);
    await erase(subject);
    response.end(`thanks for ${subject}`);
    expect(await attemptOf(cawinId)).toMatchObject({ statusCode: 200, firstBytes: '' });
  });

  it('is written down as ever where another event was erased', async () => {
    const subject = newSubject();
    await push({ dataSubject: subject });
    const { id } = await push({ topic: newTopic() });
    const { id: cawinId, response } = await calledBack(id);
    await erase(subject);
    response.end('thanks');
    expect(await attemptOf(cawinId)).toMatchObject({ statusCode: 200, firstBytes: 'thanks' });
  });
});

/** Waits until so many groups of the suite's database wait for the head row. */
function waiting(count: number): Promise<unknown> {
  const sql = `SELECT COUNT(*) AS waiting FROM information_schema.processlist
    WHERE db = ? AND info LIKE '%FROM log_head WHERE id = 1 FOR UPDATE' AND id <> CONNECTION_ID()`;
  const look = async () => {
    const [[row]] = await connection.query<RowDataPacket[]>(sql, [suite.database.name]);
    return Number(row?.['waiting']) >= count;
  };
  return waitUntil(look, { what: `${count} wait for the head row` });
}

describe('an edited copy of a parked event', () => {
  async function parked(subject: string) {
    const topic = newTopic();
    const consumer = `editor ${topic}`;
    const settings = { filter: { topics: [topic] } };
    await suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer, settings, limit: 1 }));
    const said = { tag: `tag ${subject}`, properties: { who: subject }, dataSubject: subject };
    const { position } = await push({ topic, ...said });
    const { deliveries } = await suite.client.consumers.fetch(
      FetchRequest.fromPartial({ consumer, limit: 1, wait: { seconds: 5n } }),
    );
    const rejections = deliveries.map(({ lease }) => ({ position, lease }));
    await suite.client.consumers.reject({ consumer, rejections, verdict: Verdict.VERDICT_PARK });
    const event = newEvent({ topic: '', issuer: 'editor', payload: jsonPayload({ mended: true }) });
    return () => suite.client.consumers.replayEditedEvent({ consumer, position, event });
  }

  it('that was read just before the event was erased is not stored, and repeated it has nothing of it', async () => {
    const subject = newSubject();
    const edit = await parked(subject);
    // Whoever comes to the head row first is first served, if he knows the catalogue: the erasure, and then the copy.
    await other.client.events.pushEvent({ event: newEvent() });
    await connection.query('START TRANSACTION');
    await connection.query('SELECT position FROM log_head WHERE id = 1 FOR UPDATE');
    const erased = erase(subject, other.client);
    await waiting(1);
    const edited = refusalOf(edit());
    await waiting(2);
    await connection.query('ROLLBACK');
    expect(await edited).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'OVERLOADED', retryable: true });
    expect(await erased).toMatchObject({ erased: 1n, remaining: 0n });
    const { event } = await edit();
    expect(event).toMatchObject({ tag: '', properties: {}, dataSubject: '', issuer: 'editor' });
    expect(await placesOf(suite.database.url, subject)).toEqual([]);
  });

  it('that is asked for while the erasure goes on has nothing of the event', async () => {
    const subject = newSubject();
    const edit = await parked(subject);
    await erase(subject);
    expect((await edit()).event).toMatchObject({ tag: '', properties: {}, dataSubject: '' });
    expect(await placesOf(suite.database.url, subject)).toEqual([]);
  });
});
