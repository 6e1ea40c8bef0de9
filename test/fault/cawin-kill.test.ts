// kill -9 between the commit that makes a firing and its call, and in the middle of a call: the call is made, the record says one
// firing.

import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Cawin, CawinState } from '../../generated/madeleine/v1/cawin_service.js';
import { CAWIN_SETTINGS, callbackTo, created, pushed, reaches } from '../support/cawins/cawin-scene.js';
import { HttpReceiver } from '../support/cawins/http-receiver.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

/** More than are called at a time. */
const CAWINS = 60;
let database: TestDatabase;
let receiver: HttpReceiver;
const clients: TestClient[] = [];
const servers: ServerProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  receiver = new HttpReceiver();
  await receiver.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) if (server.running) await server.kill();
  await receiver.stop();
});

async function life(): Promise<{ server: ServerProcess; client: TestClient }> {
  const server = await ServerProcess.start({ databaseUrl: database.url, ...CAWIN_SETTINGS });
  const client = new TestClient(server.address);
  servers.push(server);
  clients.push(client);
  return { server, client };
}

/** Cawins on one event that occurred; their calls take at most a second, so that their leases end soon. */
async function cawinsOf(client: TestClient): Promise<Cawin[]> {
  const eventId = await pushed(client);
  const callback = callbackTo(receiver.url(), { timeout: { seconds: 1n, nanos: 0 } });
  return Promise.all(Array.from({ length: CAWINS }, () => created(client, { eventId, callback })));
}

const callsOf = ({ firings }: Cawin) =>
  receiver.received.filter(({ headers }) => headers['webhook-id'] === firings[0]?.deliveryId).length;

describe('a server that is killed', () => {
  it('in the middle of its calls makes them again in its next life', async () => {
    receiver.respond = () => {};
    const first = await life();
    const cawins = await cawinsOf(first.client);
    await waitUntil(() => receiver.received.length >= 5, { what: 'calls under way' });
    await first.server.kill();
    receiver.respond = (response) => response.end();
    const before = receiver.received.length;
    const { client } = await life();
    for (const { id } of cawins) {
      const fired = await reaches(client, id, CawinState.CAWIN_STATE_FIRED, 30_000);
      expect(fired.firings).toHaveLength(1);
      expect(callsOf(fired)).toBeGreaterThanOrEqual(1);
    }
    expect(receiver.received.length).toBeGreaterThan(before);
  });

  it('after the commit and before the call makes it in its next life', async () => {
    receiver.respond = () => {};
    const first = await life();
    const cawins = await cawinsOf(first.client);
    await waitUntil(() => receiver.received.length >= 5, { what: 'calls under way, behind which others wait' });
    await first.server.kill();
    const called = new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
    const waiting = cawins.filter(({ firings }) => !called.has(firings[0]?.deliveryId));
    expect(waiting.length).toBeGreaterThan(0);
    receiver.respond = (response) => response.end();
    const { client } = await life();
    for (const { id } of waiting) {
      const fired = await reaches(client, id, CawinState.CAWIN_STATE_FIRED, 30_000);
      expect(fired.firings).toHaveLength(1);
      expect(callsOf(fired)).toBeGreaterThanOrEqual(1);
    }
  });

  it('right after it answered has made the firing, or makes it', async () => {
    const first = await life();
    const cawins = await cawinsOf(first.client);
    await first.server.kill();
    const { client } = await life();
    for (const { id } of cawins) {
      const fired = await reaches(client, id, CawinState.CAWIN_STATE_FIRED, 30_000);
      expect(fired.firings).toHaveLength(1);
      expect(callsOf(fired)).toBeGreaterThanOrEqual(1);
    }
  });

  it('while its event occurs fires in its next life what was awaited', async () => {
    const first = await life();
    const order = randomUUID();
    const description = { event: newEvent({ topic: 'payment', payload: undefined, description: { order } }) };
    const { event } = await first.client.events.pushEvent(description);
    const eventId = event?.id ?? 0n;
    const cawins = await Promise.all(
      Array.from({ length: CAWINS }, () => created(first.client, { eventId, callback: callbackTo(receiver.url()) })),
    );
    await first.client.events.pushEvent({ event: newEvent({ topic: 'payment', payload: jsonPayload({ order }) }) });
    // The event is answered; its firings are made from the log, behind the answer.
    await first.server.kill();
    const { client } = await life();
    for (const { id } of cawins) {
      const fired = await reaches(client, id, CawinState.CAWIN_STATE_FIRED, 30_000);
      expect(fired.firings).toHaveLength(1);
      expect(callsOf(fired)).toBeGreaterThanOrEqual(1);
    }
  });
});
