// The answer of a COMMIT that makes a cawin is lost: one event, one cawin, one firing of it, and the outcome of the first run.

import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CawinState, CheckOrWaitRequest } from '../../generated/madeleine/v1/cawin_service.js';
import { EventStatus } from '../../generated/madeleine/v1/event.js';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { CAWIN_SETTINGS, callbackTo, created, pushed, reaches, SECRET } from '../support/cawins/cawin-scene.js';
import { HttpReceiver } from '../support/cawins/http-receiver.js';
import { createTestDatabase } from '../support/database/database.js';
import { FaultyProxy } from '../support/database/faulty-proxy.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { startServer, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useProxiedServer(CAWIN_SETTINGS);
const receiver = new HttpReceiver();
beforeAll(() => receiver.start());
afterAll(() => receiver.stop());
beforeEach(() => {
  receiver.received.length = 0;
});

const KINDS = ['cut after', 'cut before'] as const;
const lose = (kind: (typeof KINDS)[number]) => suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1 });

async function count(table: 'cawin' | 'firing' | 'wait'): Promise<number> {
  const connection = await createConnection(suite.database.url);
  try {
    const [[row]] = await connection.query<RowDataPacket[]>(`SELECT COUNT(*) AS rows_there FROM ${table}`);
    return Number(row?.rows_there);
  } finally {
    await connection.end();
  }
}

async function checkOrWait(topic: string, order: string, requestId: string) {
  const request = CheckOrWaitRequest.fromPartial({
    ...{ topic, issuer: 'orders', description: { order }, requestId },
    callback: callbackTo(receiver.url(), { secret: SECRET }),
  } as unknown as CheckOrWaitRequest);
  const answer = await suite.client.cawins.checkOrWait(request);
  return { ...answer, cawin: answer.cawin!, event: answer.event! };
}

const occur = (topic: string, order: string) =>
  suite.client.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload({ order }) }) });

describe.each(KINDS)('a connection %s COMMIT', (kind) => {
  it.each(['with a request id', 'without one'])('makes one cawin by CheckOrWait that awaits, %s', async (given) => {
    const topic = `awaits ${kind} ${given}`;
    const requestId = given === 'without one' ? '' : randomUUID();
    // The shape of the descriptions is known, so that the lost COMMIT is that of the wait.
    await checkOrWait(topic, 'first', '');
    const before = { cawin: await count('cawin'), wait: await count('wait') };
    const order = randomUUID();
    const lost = lose(kind);
    const { outcome, cawin, event } = await checkOrWait(topic, order, requestId);
    expect(lost.hits).toBe(1);
    expect(outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect(event.status).toBe(EventStatus.EVENT_STATUS_AWAITED);
    expect(cawin).toMatchObject({ eventId: event.id, state: CawinState.CAWIN_STATE_WAITING });
    expect({ cawin: await count('cawin'), wait: await count('wait') }).toEqual({
      cawin: before.cawin + 1,
      wait: before.wait + 1,
    });
    lose(kind);
    expect((await occur(topic, order)).event?.id).toBe(event.id);
    const fired = await reaches(suite.client, cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toHaveLength(1);
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([fired.firings[0]?.deliveryId]);
    // The secret is that of this cawin: it opens.
    expect(receiver.received[0]?.headers['webhook-signature']).toMatch(/^v1,/);
  });

  it('makes one cawin by CheckOrWait that finds, and fires it once', async () => {
    const topic = `finds ${kind}`;
    await checkOrWait(topic, 'first', '');
    const order = randomUUID();
    const { event: occurred } = await occur(topic, order);
    const before = { cawin: await count('cawin'), firing: await count('firing') };
    const lost = lose(kind);
    const { outcome, cawin, event } = await checkOrWait(topic, order, '');
    expect(lost.hits).toBe(1);
    expect(outcome).toBe(Outcome.OUTCOME_FOUND);
    expect(event).toMatchObject({ id: occurred?.id, position: occurred?.position });
    await reaches(suite.client, cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect({ cawin: await count('cawin'), firing: await count('firing') }).toEqual({
      cawin: before.cawin + 1,
      firing: before.firing + 1,
    });
    expect(receiver.received).toHaveLength(1);
  });

  it.each(['with a request id', 'without one'])('makes one cawin by CreateCawin, %s', async (given) => {
    const eventId = await pushed(suite.client);
    const requestId = given === 'without one' ? '' : randomUUID();
    const before = { cawin: await count('cawin'), firing: await count('firing') };
    const lost = lose(kind);
    const cawin = await created(suite.client, { eventId, requestId, callback: callbackTo(receiver.url()) });
    expect(lost.hits).toBe(1);
    const fired = await reaches(suite.client, cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toHaveLength(1);
    expect({ cawin: await count('cawin'), firing: await count('firing') }).toEqual({
      cawin: before.cawin + 1,
      firing: before.firing + 1,
    });
    expect(receiver.received).toHaveLength(1);
  });

  it('withdraws an event once, and fires that once', async () => {
    const topic = `withdraws ${kind}`;
    const { cawin, event } = await checkOrWait(topic, randomUUID(), '');
    const lost = lose(kind);
    const { event: withdrawn } = await suite.client.events.invalidateEvent({ id: event.id, reason: 'once' });
    expect(lost.hits).toBe(1);
    expect(withdrawn?.status).toBe(EventStatus.EVENT_STATUS_INVALIDATED);
    const fired = await reaches(suite.client, cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ kind: EventStatus.EVENT_STATUS_INVALIDATED }]);
  });
});

describe('the answer of what fires is lost', () => {
  it.each(['INSERT INTO firing (', 'INSERT INTO attempt (', 'UPDATE firing_cursor SET'])('at %s', async (text) => {
    const topic = `fires ${text}`;
    const order = randomUUID();
    const { cawin } = await checkOrWait(topic, order, '');
    suite.proxy.inject({ harm: { kind: 'cut after' }, when: (statement) => statement.text.includes(text), times: 3 });
    await occur(topic, order);
    const fired = await reaches(suite.client, cawin.id, CawinState.CAWIN_STATE_FIRED, 30_000);
    expect(fired.firings).toHaveLength(1);
    expect(receiver.received.length).toBeGreaterThanOrEqual(1);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });
});

describe('a server that ends while its database is away', () => {
  it('does not wait for it with the results of calls', async () => {
    const database = await createTestDatabase();
    const proxy = new FaultyProxy(database.url);
    await proxy.start();
    const server = await startServer({ databaseUrl: proxy.url, ...CAWIN_SETTINGS });
    const client = new TestClient(server.address);
    const hanging = new HttpReceiver();
    hanging.respond = () => {};
    await hanging.start();
    try {
      const eventId = await pushed(client);
      for (let n = 0; n < 5; n += 1) await created(client, { eventId, callback: callbackTo(hanging.url()) });
      await waitUntil(() => hanging.received.length === 5, { what: 'calls under way' });
      proxy.refuse();
      let ended = false;
      const end = server.stop().then(() => {
        ended = true;
      });
      // A result is tried for a minute while nobody ends the server.
      await waitUntil(() => ended, { what: 'the end of the server', timeoutMs: 20_000 });
      await end;
    } finally {
      client.close();
      await hanging.stop();
      await proxy.stop();
      await database.drop();
    }
  });
});
