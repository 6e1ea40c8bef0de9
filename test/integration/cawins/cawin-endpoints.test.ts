// Receivers that misbehave: each gets what the design says, and none delays the others.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { AttemptOutcome, type Cawin, CawinState } from '../../../generated/madeleine/v1/cawin_service.js';
import { callbackTo, created, useCawins } from '../../support/cawins/cawin-scene.js';
import { HttpReceiver, type Responder } from '../../support/cawins/http-receiver.js';
import { waitUntil } from '../../support/wait-until.js';

const scene = useCawins();
const receivers: HttpReceiver[] = [];
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()));
});

async function receiverThat(respond: Responder): Promise<HttpReceiver> {
  const receiver = new HttpReceiver();
  receiver.respond = respond;
  await receiver.start();
  receivers.push(receiver);
  return receiver;
}

function cawinTo(eventId: bigint, receiver: HttpReceiver, seconds = 3n): Promise<Cawin> {
  const callback = callbackTo(receiver.url(), { timeout: { seconds, nanos: 0 } });
  return created(scene.client, { eventId, callback });
}

/** Milliseconds from the commit of its firing to the first call of each cawin, the middle one. */
async function latency(ids: readonly bigint[]): Promise<number> {
  const connection = await createConnection(scene.database.url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT (CAST(a.started_at AS SIGNED) - CAST(f.created_at AS SIGNED)) / 1000 AS ms FROM attempt a
       JOIN firing f ON f.cawin_id = a.cawin_id AND f.kind = a.kind WHERE a.number = 1 AND a.cawin_id IN (?) ORDER BY ms`,
      [ids],
    );
    expect(rows).toHaveLength(ids.length);
    return Number(rows[Math.floor(rows.length / 2)]?.ms);
  } finally {
    await connection.end();
  }
}

/** Twenty good calls at once, each answered. */
async function goodCalls(eventId: bigint): Promise<bigint[]> {
  const good = await Promise.all(Array.from({ length: 20 }, () => cawinTo(eventId, scene.receiver)));
  await Promise.all(good.map(({ id }) => scene.reaches(id, CawinState.CAWIN_STATE_FIRED)));
  return good.map(({ id }) => id);
}

describe('bad receivers', () => {
  it('do not delay the good ones, and get what they deserve', async () => {
    const eventId = await scene.occurred();
    const hanging = await receiverThat(() => {});
    const failing = await receiverThat((response) => response.writeHead(500).end());
    const gone = await receiverThat((response) => response.writeHead(410).end());
    const huge = await receiverThat((response) => {
      response.writeHead(200);
      for (let n = 0; n < 160; n += 1) response.write(Buffer.alloc(65_536, 'x'));
      response.end();
    });
    const redirecting = await receiverThat((response) =>
      response.writeHead(302, { location: scene.receiver.url('/private') }).end(),
    );
    const alone = await latency(await goodCalls(eventId));
    const bad = [hanging, failing, gone, huge, redirecting];
    const cawins = await Promise.all(
      bad.flatMap((receiver) => Array.from({ length: 20 }, () => cawinTo(eventId, receiver))),
    );
    const of = (index: number) => cawins.slice(index * 20, index * 20 + 20);
    await waitUntil(() => hanging.received.length > 0, { what: 'a call that hangs' });
    const beside = await latency(await goodCalls(eventId));
    // Behind a call that hangs it would be its whole timeout, which is 3 s.
    expect(beside, `alone ${alone} ms, beside bad ones ${beside} ms`).toBeLessThan(Math.max(10 * alone, 1_000));
    expect(await scene.attempts(of(0)[0]!.id), 'all good calls were made while those hung').toEqual([]);
    for (const { id } of of(2)) await scene.reaches(id, CawinState.CAWIN_STATE_FAILED);
    for (const { id } of of(3)) await scene.reaches(id, CawinState.CAWIN_STATE_FIRED, 20_000);
    const [first] = await scene.attempts(of(3)[0]!.id);
    expect(first?.firstBytes.length).toBeLessThanOrEqual(1_024);
    // A redirect is not followed: nobody came to where it leads.
    await waitUntil(async () => (await scene.attempts(of(4)[0]!.id)).length > 0, {
      what: 'an attempt that was redirected',
    });
    expect((await scene.attempts(of(4)[0]!.id))[0]).toMatchObject({
      statusCode: 302,
      outcome: AttemptOutcome.ATTEMPT_OUTCOME_FAILED,
    });
    expect(scene.receiver.received.some(({ path }) => path === '/private')).toBe(false);
    const timedOut = () => scene.attempts(of(0)[0]!.id);
    await waitUntil(async () => (await timedOut()).length > 0, { what: 'an attempt that timed out' });
    expect((await timedOut())[0]).toMatchObject({ reason: 'timeout', statusCode: 0 });
  }, 60_000);

  it('that hang, as many as there are, leave room for the good ones', async () => {
    const eventId = await scene.occurred();
    const hanging = await Promise.all(Array.from({ length: 40 }, () => receiverThat(() => {})));
    // More calls than are made at a time.
    const cawins = await Promise.all(
      hanging.flatMap((receiver) => Array.from({ length: 20 }, () => cawinTo(eventId, receiver, 30n))),
    );
    await waitUntil(() => hanging.every(({ received }) => received.length > 0), { what: 'a call to each hangs' });
    await goodCalls(eventId);
    const attempts = await Promise.all(cawins.slice(0, 40).map(({ id }) => scene.attempts(id)));
    expect(attempts.flat(), 'all good calls were made while those hung').toEqual([]);
  }, 60_000);

  it('that fail for a while are called until they are well again', async () => {
    const receiver = await receiverThat((response) => response.writeHead(500).end());
    const cawin = await cawinTo(await scene.occurred(), receiver);
    await waitUntil(() => receiver.received.length >= 2, { what: 'a second attempt' });
    receiver.respond = (response) => response.end();
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toHaveLength(1);
    const outcomes = (await scene.attempts(cawin.id)).map(({ statusCode }) => statusCode);
    expect(outcomes).toEqual([...outcomes.slice(1).map(() => 500), 200]);
  });

  it('are left alone after ten failures in a row; their firings are held, and go out when a probe is answered', async () => {
    const eventId = await scene.occurred();
    let broken = true;
    const receiver = await receiverThat((response) => response.writeHead(broken ? 503 : 200).end());
    const cawins = await Promise.all(Array.from({ length: 12 }, () => cawinTo(eventId, receiver)));
    const held = async () => {
      const all = await Promise.all(cawins.map(({ id }) => scene.get(id)));
      return all.filter(({ firings }) => firings[0]?.held).map(({ id }) => id);
    };
    await waitUntil(async () => (await held()).length > 0, { what: 'firings that are held' });
    await waitUntil(
      async () =>
        (await Promise.all(cawins.map(({ id }) => scene.get(id)))).every(({ firings }) => firings.length === 1),
      {
        what: 'a firing of every cawin',
      },
    );
    const calls = receiver.received.length;
    const waiting = await held();
    expect(waiting.length).toBeGreaterThan(0);
    broken = false;
    // Nobody waits for the probe's time: a person may ask for it.
    await scene.client.cawins.retryCawin({ id: waiting[0]! });
    for (const id of waiting) await scene.reaches(id, CawinState.CAWIN_STATE_FIRED);
    expect(receiver.received.length).toBeGreaterThan(calls);
    const told = scene.logged.map((line) => JSON.parse(line) as { msg: string; origin?: string });
    const { origin: endpoint } = new URL(receiver.url());
    const here = told.filter(({ origin }) => origin === endpoint).map(({ msg }) => msg);
    expect(here.filter((msg) => msg.includes('held'))).toHaveLength(1);
    expect(here.at(-1)).toContain('go out again');
    const filter = { topics: ['madeleine.endpoint'], description: { endpoint } };
    const events = await waitUntil(
      async () => {
        const listed = (await scene.client.events.listEvents({ filter })).events;
        return listed.at(-1)?.tag === 'closed' ? listed : undefined;
      },
      { what: 'the event that says so' },
    );
    expect(events.map(({ tag }) => tag).filter((tag) => tag !== 'failing')).toEqual(['open', 'closed']);
    const opened = events.find(({ tag }) => tag === 'open')!;
    expect(opened).toMatchObject({ issuer: 'madeleine', entityType: 'endpoint' });
    expect(opened.payload?.body?.value).toMatchObject({
      ...{ state: 'open', failures: expect.any(Number), next_probe_at: expect.stringMatching(/^20\d\d-.*Z$/) },
    });
  }, 30_000);
});
