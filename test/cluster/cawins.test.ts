// Several instances share the calls: every waiter is called, and none of them twice without a failure.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cawin, CawinState, CheckOrWaitRequest } from '../../generated/madeleine/v1/cawin_service.js';
import { PushEventRequest } from '../../generated/madeleine/v1/event_service.js';
import { CAWIN_SETTINGS, callbackTo, created, reaches } from '../support/cawins/cawin-scene.js';
import { HttpReceiver } from '../support/cawins/http-receiver.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { Cluster } from '../support/server/cluster.js';

const WAITERS = 200;
const DESCRIPTIONS = 20;
let cluster: Cluster;
let receiver: HttpReceiver;

beforeAll(async () => {
  receiver = new HttpReceiver();
  await receiver.start();
  cluster = await Cluster.start(2, CAWIN_SETTINGS);
}, 120_000);
afterAll(async () => {
  await cluster?.stop();
  await receiver.stop();
});

describe('two instances', () => {
  it('with 200 waiters and 200 pushers on the same descriptions: one event each, every waiter called once', async () => {
    const orders = Array.from({ length: DESCRIPTIONS }, () => randomUUID());
    const orderOf = (n: number) => orders[n % DESCRIPTIONS] as string;
    const client = (n: number) => cluster.at(n % 2).client;
    const callback = callbackTo(receiver.url());
    const twoCalls = async (n: number) => {
      const event = newEvent({ topic: 'race', description: { order: orderOf(n) }, payload: undefined });
      const answer = await client(n).events.pushEvent(PushEventRequest.fromPartial({ event } as PushEventRequest));
      return created(client(n >> 1), { eventId: answer.event?.id ?? 0n, callback });
    };
    const oneCall = async (n: number) => {
      const request = { topic: 'race', issuer: 'orders', description: { order: orderOf(n) }, callback };
      const answer = await client(n >> 1).cawins.checkOrWait(CheckOrWaitRequest.fromPartial(request as object));
      return answer.cawin as Cawin;
    };
    // Each says which event it pushes, so that it occurs once, whoever comes first.
    const pusher = async (n: number) => {
      const order = orderOf(n);
      const event = newEvent({ topic: 'race', payload: jsonPayload({ order, n }), description: { order } });
      return client(n >> 2)
        .events.pushEvent({ event })
        .then(({ event: stored }) => stored?.id)
        .catch((error: unknown) => {
          if (!String(error).includes('ALREADY_EXISTS')) throw error;
        });
    };
    const [cawins, pushed] = await Promise.all([
      Promise.all(Array.from({ length: WAITERS }, (_, n) => (n % 3 === 0 ? oneCall(n) : twoCalls(n)))),
      Promise.all(Array.from({ length: WAITERS }, (_, n) => pusher(n))),
    ]);
    for (const [index] of orders.entries()) {
      const ids = pushed.filter((id, n) => n % DESCRIPTIONS === index && id !== undefined);
      expect(ids).toHaveLength(1);
      const waited = new Set(cawins.filter((_, n) => n % DESCRIPTIONS === index).map(({ eventId }) => eventId));
      expect([...waited]).toEqual(ids);
    }
    for (const { id } of cawins) {
      const fired = await reaches(client(Number(id)), id, CawinState.CAWIN_STATE_FIRED, 60_000);
      expect(fired.firings).toHaveLength(1);
    }
    const ids = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(WAITERS);
    expect(new Set(ids).size).toBe(WAITERS);
  });

  it('go on when the one that makes the firings is killed', async () => {
    await cluster.add();
    const order = randomUUID();
    const { client } = cluster.at(1);
    const event = newEvent({ topic: 'race', description: { order }, payload: undefined });
    const answer = await client.events.pushEvent(PushEventRequest.fromPartial({ event } as PushEventRequest));
    const cawin = await created(client, { eventId: answer.event?.id ?? 0n, callback: callbackTo(receiver.url()) });
    await cluster.at(0).server.kill();
    await client.events.pushEvent({ event: newEvent({ topic: 'race', payload: jsonPayload({ order }) }) });
    const fired = await reaches(client, cawin.id, CawinState.CAWIN_STATE_FIRED, 30_000);
    expect(fired.firings).toHaveLength(1);
  });
});
