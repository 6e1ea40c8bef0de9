// Cawins on awaited events: whatever ends the wait fires each of them once.

import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { CawinState, CheckOrWaitRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { type Event, EventStatus } from '../../../generated/madeleine/v1/event.js';
import {
  Outcome,
  type PushEventRequest,
  PushEventRequest as PushMessage,
} from '../../../generated/madeleine/v1/event_service.js';
import { callbackTo, SECRET, useCawins } from '../../support/cawins/cawin-scene.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { numbers } from '../../support/database/numbers.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { waitUntil } from '../../support/wait-until.js';

const scene = useCawins();
const {
  EVENT_STATUS_OCCURRED: OCCURRED,
  EVENT_STATUS_EXPIRED: EXPIRED,
  EVENT_STATUS_INVALIDATED: INVALIDATED,
} = EventStatus;

async function push(request: Partial<PushEventRequest>): Promise<Event> {
  const { event } = await scene.client.events.pushEvent(PushMessage.fromPartial(request as PushEventRequest));
  if (event === undefined) throw new Error('an answer without an event');
  return event;
}

/** An awaited event, and what satisfies it. */
async function awaited(description: object, changes: Partial<PushEventRequest> = {}): Promise<bigint> {
  const event = newEvent({ topic: 'payment', description, payload: undefined });
  return (await push({ event, ...changes })).id;
}

const occur = (value: object) => push({ event: newEvent({ topic: 'payment', payload: jsonPayload(value) }) });
const soon = (ms: number) => {
  const at = BigInt(Date.now() + ms);
  return { seconds: at / 1000n, nanos: Number(at % 1000n) * 1_000_000 };
};

describe('a cawin on an awaited event', () => {
  it('waits, and fires once when the event occurs', async () => {
    const order = randomUUID();
    const eventId = await awaited({ order });
    const cawin = await scene.create(eventId);
    expect(cawin).toMatchObject({ state: CawinState.CAWIN_STATE_WAITING, firings: [] });
    const event = await occur({ order, amount: 12 });
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ kind: OCCURRED, position: event.position, attempts: 1 }]);
    expect(scene.receiver.received).toHaveLength(1);
    expect(JSON.parse(scene.receiver.received[0]!.body.toString())).toMatchObject({ data: { order, amount: 12 } });
  });

  it('fires by every id that one push satisfies', async () => {
    const order = randomUUID();
    const ids = [
      await awaited({ order }),
      await awaited({ order, paid: true }),
      await awaited({ paid: true, order, by: 'card' }),
    ];
    const cawins = [];
    for (const id of ids) cawins.push(await scene.create(id));
    await occur({ order, paid: true, by: 'card' });
    for (const { id } of cawins) await scene.reaches(id, CawinState.CAWIN_STATE_FIRED);
    expect(scene.receiver.received).toHaveLength(3);
  });

  it('fires INVALIDATED, also after OCCURRED and by each of the ids', async () => {
    const order = randomUUID();
    const ids = [await awaited({ order }), await awaited({ order, paid: true })];
    const cawins = [];
    for (const id of ids) cawins.push(await scene.create(id));
    const event = await occur({ order, paid: true });
    for (const { id } of cawins) await scene.reaches(id, CawinState.CAWIN_STATE_FIRED);
    await scene.client.events.invalidateEvent({ id: event.id, reason: 'a mistake' });
    for (const { id } of cawins) {
      await waitUntil(async () => (await scene.get(id)).firings.length === 2, { what: 'a second firing' });
      await scene.reaches(id, CawinState.CAWIN_STATE_FIRED);
      expect((await scene.get(id)).firings.map(({ kind }) => kind)).toEqual([OCCURRED, INVALIDATED]);
    }
    const late = await scene.create(ids[1]!);
    expect(late.firings.map(({ kind }) => kind)).toEqual([OCCURRED, INVALIDATED]);
  });

  it('fires EXPIRED at the deadline of the event', async () => {
    const eventId = await awaited({ order: randomUUID() }, { waitTimeout: { seconds: 1n, nanos: 0 } });
    const cawin = await scene.create(eventId);
    const silent = await scene.create(eventId, { notifyOn: [OCCURRED] });
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ kind: EXPIRED }]);
    await scene.reaches(silent.id, CawinState.CAWIN_STATE_CLOSED);
  });

  it('fires EXPIRED at its own deadline, and nothing after that', async () => {
    const order = randomUUID();
    const eventId = await awaited({ order });
    const cawin = await scene.create(eventId, { expiresAt: soon(300) });
    const other = await scene.create(eventId);
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ kind: EXPIRED, position: 0n }]);
    const body = JSON.parse(scene.receiver.received[0]!.body.toString()) as { type: string };
    expect(body.type).toBe('payment.expired');
    await occur({ order });
    await scene.reaches(other.id, CawinState.CAWIN_STATE_FIRED);
    expect((await scene.get(cawin.id)).firings).toHaveLength(1);
  });

  it('switched off when it occurs, fires when it is switched on', async () => {
    const order = randomUUID();
    const eventId = await awaited({ order });
    const cawin = await scene.create(eventId, { active: false });
    const witness = await scene.create(eventId);
    await occur({ order });
    await scene.reaches(witness.id, CawinState.CAWIN_STATE_FIRED);
    expect(await scene.get(cawin.id)).toMatchObject({ state: CawinState.CAWIN_STATE_INACTIVE, firings: [] });
    await scene.client.cawins.updateCawin({ id: cawin.id, active: true, updateMask: ['active'] });
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
  });

  it('is made, or its event occurs, in any order and at the same time: each fires once', async () => {
    const rounds = Array.from({ length: 20 }, () => randomUUID());
    const ids = await Promise.all(rounds.map((order) => awaited({ order })));
    const made = await Promise.all(
      rounds.flatMap((order, index) => [
        scene.create(ids[index]!),
        occur({ order }).then(() => undefined),
        scene.create(ids[index]!),
      ]),
    );
    const cawins = made.filter((cawin) => cawin !== undefined);
    for (const { id } of cawins) {
      const fired = await scene.reaches(id, CawinState.CAWIN_STATE_FIRED);
      expect(fired.firings.map(({ kind }) => kind)).toEqual([OCCURRED]);
    }
    expect(scene.receiver.received).toHaveLength(40);
  });
});

/** So many more cawins like this one, by a way that is faster than calls. */
async function multiply(id: bigint, times: number): Promise<void> {
  const columns = `event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms, signed, created_at`;
  await sql(`INSERT INTO cawin (${columns}) SELECT ${columns} FROM cawin, ${numbers(1, times)} WHERE id = ?`, [id]);
}

async function sql(text: string, values: unknown[] = []): Promise<RowDataPacket[]> {
  const connection = await createConnection(scene.database.url);
  try {
    return (await connection.query<RowDataPacket[]>(text, values))[0];
  } finally {
    await connection.end();
  }
}

/** Firings of the cawins of an event, and how many of them were taken. */
async function firingsOf(eventId: bigint): Promise<{ firings: number; delivered: number }> {
  const [row] = await sql(
    `SELECT COUNT(*) AS firings, CAST(COALESCE(SUM(f.state = 2), 0) AS UNSIGNED) AS delivered
     FROM firing f JOIN cawin c ON c.id = f.cawin_id WHERE c.event_id = ?`,
    [eventId],
  );
  return row as unknown as { firings: number; delivered: number };
}

describe('many cawins on one event', () => {
  it('all fire, in several chunks, while other pushes go on', async () => {
    const order = randomUUID();
    const first = await scene.create(await awaited({ order }));
    await multiply(first.id, 1_200);
    await occur({ order });
    const done = async () => {
      await occur({ other: randomUUID() });
      const { firings, delivered } = await firingsOf(first.eventId);
      return firings === 1201 && delivered === 1201;
    };
    await waitUntil(done, { what: '1,201 delivered firings', timeoutMs: 20_000 });
    expect(new Set(scene.receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1201);
  });

  it('do not hold up those on another', async () => {
    const other = new HttpReceiver();
    await other.start();
    const orders = [randomUUID(), randomUUID()];
    const crowd = await scene.create(await awaited({ order: orders[0] }));
    const single = await scene.create(await awaited({ order: orders[1] }), { callback: callbackTo(other.url()) });
    const count = 60_000;
    await multiply(crowd.id, count - 1);
    try {
      for (const order of orders) await occur({ order });
      await scene.reaches(single.id, CawinState.CAWIN_STATE_FIRED);
      const { firings } = await firingsOf(crowd.eventId);
      expect(firings).toBeGreaterThan(0);
      expect(firings).toBeLessThan(count);
    } finally {
      await sql('DELETE FROM cawin WHERE event_id = ?', [crowd.eventId]);
      await sql('DELETE FROM firing WHERE cawin_id NOT IN (SELECT id FROM cawin)');
      await other.stop();
    }
  });
});

describe('a deadline and the event in the same moment', () => {
  it('end the wait one way, and every cawin on it is told that one', async () => {
    // Late enough that all of them are made before the first deadline, on a slow disk too.
    const rounds = Array.from({ length: 40 }, (_, n) => ({ order: randomUUID(), ms: 2_000 + n * 14 }));
    const waits = await Promise.all(
      rounds.map(async ({ order, ms }) => {
        const event = newEvent({ topic: 'payment', description: { order }, payload: undefined });
        const pushed = await push({
          event,
          waitTimeout: { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 },
        });
        const at = Number(pushed.expiresAt?.seconds) * 1_000 + (pushed.expiresAt?.nanos ?? 0) / 1_000_000;
        return { order, at, id: pushed.id, cawin: await scene.create(pushed.id) };
      }),
    );
    const outcomes = await Promise.all(
      waits.map(async ({ order, at }, n) => {
        // From before the deadline to after it.
        await waitUntil(() => Date.now() >= at - 40 + 8 * (n % 9), { what: 'the moment', intervalMs: 1 });
        return scene.client.events.pushEvent({
          event: newEvent({ topic: 'payment', payload: jsonPayload({ order }) }),
        });
      }),
    );
    const kinds = new Set<EventStatus>();
    for (const [n, { id, cawin }] of waits.entries()) {
      const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
      const kind = outcomes[n]?.outcome === Outcome.OUTCOME_SATISFIED ? OCCURRED : EXPIRED;
      kinds.add(kind);
      expect(fired.firings.map((firing) => firing.kind)).toEqual([kind]);
      const rows = await sql(
        'SELECT kind FROM log WHERE event_id = COALESCE((SELECT entry_event_id FROM wait WHERE event_id = ?), ?)',
        [id, id],
      );
      expect(rows).toHaveLength(1);
    }
    // Both happen: otherwise the moments were not the same.
    expect(kinds).toEqual(new Set([OCCURRED, EXPIRED]));
  });
});

describe('CheckOrWait', () => {
  const ask = (description: object, changes: Partial<CheckOrWaitRequest> = {}) =>
    scene.client.cawins.checkOrWait(
      CheckOrWaitRequest.fromPartial({
        ...{ topic: 'payment', issuer: 'orders', description, callback: callbackTo(scene.receiver.url()) },
        ...changes,
      } as CheckOrWaitRequest),
    );

  it('finds what occurred, and fires at once', async () => {
    const order = randomUUID();
    const event = await occur({ order });
    const answer = await ask({ order });
    expect(answer).toMatchObject({ outcome: Outcome.OUTCOME_FOUND, event: { id: event.id, status: OCCURRED } });
    await scene.reaches(answer.cawin!.id, CawinState.CAWIN_STATE_FIRED);
  });

  it('awaits what did not, shares it with others, and fires each when it occurs', async () => {
    const order = randomUUID();
    const first = await ask({ order }, { callback: callbackTo(scene.receiver.url('/a'), { secret: SECRET }) });
    const second = await ask({ order });
    expect(first).toMatchObject({
      outcome: Outcome.OUTCOME_AWAITED,
      event: { status: EventStatus.EVENT_STATUS_AWAITED },
    });
    expect(second.outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect(second.event?.id).toBe(first.event?.id);
    expect(first.cawin?.state).toBe(CawinState.CAWIN_STATE_WAITING);
    await occur({ order });
    for (const { cawin } of [first, second]) await scene.reaches(cawin!.id, CawinState.CAWIN_STATE_FIRED);
    expect(scene.receiver.received.map(({ path }) => path).sort()).toEqual(['/', '/a']);
    expect(scene.receiver.received.find(({ path }) => path === '/a')?.headers['webhook-signature']).toMatch(/^v1,/);
  });

  it('is safe to repeat with its request id', async () => {
    const order = randomUUID();
    const requestId = randomUUID();
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask({ order }, { requestId })));
    expect(new Set(answers.map(({ cawin }) => cawin?.id)).size).toBe(1);
    await occur({ order });
    const again = await ask({ order }, { requestId });
    expect(again.outcome).toBe(Outcome.OUTCOME_FOUND);
    expect(again.cawin?.id).toBe(answers[0]?.cawin?.id);
    const later = await ask(
      { order },
      { requestId, waitTimeout: { seconds: 77n, nanos: 0 }, since: { seconds: 1n, nanos: 0 } },
    );
    expect(later.cawin?.id).toBe(again.cawin?.id);
    const other = await refusalOf(ask({ order: 'another' }, { requestId }));
    expect(other).toMatchObject({ reason: 'REQUEST_ID_REUSED' });
  });

  it('keeps a deadline of its own where that of the shared event is later', async () => {
    const order = randomUUID();
    const eventId = await awaited({ order });
    const answer = await ask({ order }, { waitTimeout: { seconds: 1n, nanos: 0 } });
    expect(answer.event?.id).toBe(eventId);
    const fired = await scene.reaches(answer.cawin!.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ kind: EXPIRED, position: 0n }]);
  });

  it('keeps it also when another raises that of the event later, and tells of the event to the other', async () => {
    const order = randomUUID();
    const first = await ask({ order }, { waitTimeout: { seconds: 1n, nanos: 0 } });
    const second = await ask({ order }, { waitTimeout: { seconds: 3_600n, nanos: 0 } });
    expect(second.event?.id).toBe(first.event?.id);
    await scene.reaches(first.cawin!.id, CawinState.CAWIN_STATE_FIRED);
    expect((await scene.get(first.cawin!.id)).firings).toMatchObject([{ kind: EXPIRED }]);
    await occur({ order });
    await scene.reaches(second.cawin!.id, CawinState.CAWIN_STATE_FIRED);
    expect((await scene.get(second.cawin!.id)).firings).toMatchObject([{ kind: OCCURRED }]);
    expect((await scene.get(first.cawin!.id)).firings).toHaveLength(1);
  });

  it('whose deadline is the moment it is made in ends like any other', async () => {
    const answer = await ask({ order: randomUUID() }, { waitTimeout: { seconds: 0n, nanos: 1_000 } });
    const fired = await scene.reaches(answer.cawin!.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ kind: EXPIRED }]);
  });

  it.each<[field: string, changes: object]>([
    ['topic', { topic: '' }],
    ['issuer', { issuer: '' }],
    ['context', { context: 'all' }],
    ['description', { description: undefined }],
    ['description', { description: {} }],
    ['wait_timeout', { waitTimeout: { seconds: -1n, nanos: 0 } }],
    ['callback', { callback: undefined }],
  ])('refuses a bad %s', async (field, changes) => {
    expect(await refusalOf(ask({ n: 1 }, changes))).toMatchObject({ status: 'INVALID_ARGUMENT', fields: [field] });
  });
});

describe('ExplainWait', () => {
  it('shows the closest events that did not match, and where they differ first', async () => {
    const [order, topic] = [randomUUID(), `explained-${randomUUID()}`];
    const push = (value: object) =>
      scene.client.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload(value) }) });
    const description = { order, total: 21, currency: 'EUR' };
    const { event } = await scene.client.events.pushEvent(
      PushMessage.fromPartial({ event: newEvent({ topic, description, payload: undefined }) } as PushEventRequest),
    );
    await push({ order: 'another' });
    await push({ order, total: 12, currency: 'EUR' });
    await push({ order });
    const answer = await scene.client.cawins.explainWait({ eventId: event?.id ?? 0n, limit: 2 });
    expect(answer).toMatchObject({ lookedAt: 3, event: { status: EventStatus.EVENT_STATUS_AWAITED } });
    expect(answer.nearMisses).toMatchObject([
      { matchingLeaves: 2, leaves: 3, difference: { path: '/total', expected: '21', actual: '12' } },
      { matchingLeaves: 1, leaves: 3, difference: { path: '/currency', expected: '"EUR"', actual: undefined } },
    ]);
    const never = scene.client.cawins.explainWait({ eventId: await scene.occurred() });
    expect(await refusalOf(never)).toMatchObject({ reason: 'EVENT_UNKNOWN' });
  });
});

describe('ExplainWait in a large topic', () => {
  it('looks at each of the newest events once, as many as it says', async () => {
    const topic = `large-${randomUUID()}`;
    const { event } = await scene.client.events.pushEvent(
      PushMessage.fromPartial({ event: newEvent({ topic, description: { n: -1 }, payload: undefined }) } as object),
    );
    for (let from = 0; from < 2_300; from += 460) {
      const events = Array.from({ length: 460 }, (_, n) => ({
        event: newEvent({ topic: n % 2 === 0 ? topic : 'between', payload: jsonPayload({ n: from + n }) }),
      }));
      await scene.client.events.pushEvents({ events });
    }
    const eventId = event?.id ?? 0n;
    const few = await scene.client.cawins.explainWait({ eventId, limit: 20 });
    expect(few.lookedAt).toBe(1_150);
    expect(new Set(few.nearMisses.map((miss) => miss.event?.id)).size).toBe(20);
    // The newest come first where all are equally close.
    expect(few.nearMisses[0]?.difference).toMatchObject({ path: '/n', expected: '-1', actual: '2298' });
  });
});

describe('WaitForEvent', () => {
  const waitFor = (eventId: bigint, signal = new AbortController().signal) =>
    scene.client.cawins.waitForEvent({ eventId }, { signal });

  it('sends the state now, and the end', async () => {
    const order = randomUUID();
    const eventId = await awaited({ order });
    const statuses: [EventStatus | undefined, boolean][] = [];
    for await (const { event, ended } of waitFor(eventId)) {
      statuses.push([event?.status, ended]);
      if (!ended) await occur({ order });
    }
    expect(statuses).toEqual([
      [EventStatus.EVENT_STATUS_AWAITED, false],
      [OCCURRED, true],
    ]);
  });

  it('sends an event that has ended once', async () => {
    const frames = [];
    for await (const frame of waitFor(await scene.occurred())) frames.push(frame.ended);
    expect(frames).toEqual([true]);
  });

  it('refuses what does not exist', async () => {
    const first = waitFor(10_000_000n)[Symbol.asyncIterator]();
    expect(await refusalOf(first.next())).toMatchObject({ reason: 'EVENT_UNKNOWN' });
  });
});
