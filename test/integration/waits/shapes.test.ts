// Shapes of descriptions: a topic has places for 16, and gives back those that nobody needs.

import { randomUUID } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Event, EventStatus } from '../../../generated/madeleine/v1/event.js';
import { Outcome, type PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import type { Shape } from '../../../generated/madeleine/v1/topic_service.js';
import { SystemClock } from '../../../src/lib/clock.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { seededRandom } from '../../support/random.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

const HOUR_MS = 3_600_000;
const A_MOMENT = { waitTimeout: { seconds: 0n, nanos: 1_000 } };

/** The machine's clocks, but the test may let time pass. */
class TestClock extends SystemClock {
  aheadMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.aheadMs;
  }

  override nowMs(): number {
    return super.nowMs() + this.aheadMs;
  }
}

const clock = new TestClock();
let database: TestDatabase;
let servers: TestServer[];
let clients: TestClient[];
let connection: Connection;

beforeAll(async () => {
  database = await createTestDatabase();
  const start = () => startServer({ databaseUrl: database.url }, { clock });
  servers = [await start(), await start()];
  clients = servers.map(({ address }) => new TestClient(address));
  connection = await createConnection(database.adminUrl);
});
afterAll(async () => {
  for (const client of clients) client.close();
  for (const server of servers) await server.stop();
  await connection.end();
  await database.drop();
});

type Json = Record<string, unknown>;
const newTopic = () => `topic ${randomUUID()}`;
const client = () => clients[0] as TestClient;
const at = (which: number) => clients[which] as TestClient;

function look(topic: string, description: Json, terms: Partial<PushEventRequest> = {}, who = client()) {
  return who.events.pushEvent({ event: newEvent({ topic, payload: undefined, description }), ...terms });
}
function occur(topic: string, payload: Json, who = client()) {
  return who.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload(payload) }) });
}
async function shapes(topic: string): Promise<readonly Shape[]> {
  return (await client().topics.listShapes({ topic })).shapes;
}
/** Takes all places of the topic. Nothing stays awaited. */
async function fill(topic: string): Promise<void> {
  for (let n = 0; n < 16; n += 1) await look(topic, { [`path ${n}`]: 1 }, A_MOMENT);
}
const micros = (time: { seconds: bigint; nanos: number } | undefined) =>
  Number(time?.seconds ?? 0n) * 1_000_000 + (time?.nanos ?? 0) / 1_000;
async function rows(sql: string, values: bigint[] = []): Promise<RowDataPacket[]> {
  return (await connection.query<RowDataPacket[]>(sql, values))[0];
}
const indexRows = async (shape: Shape) =>
  Number((await rows('SELECT COUNT(*) AS found FROM shape_index WHERE shape_id = ?', [shape.id]))[0]?.found);

describe('a topic whose places are all taken', () => {
  it('takes the seventeenth set of paths once an hour has passed, and says before when that is', async () => {
    const topic = newTopic();
    await fill(topic);
    const taken = await shapes(topic);
    const refused = () => refusalOf(look(topic, { more: 1 }));
    const { reason, status, metadata, message } = await refused();
    expect({ reason, status }).toEqual({ reason: 'TOO_MANY_SHAPES', status: 'FAILED_PRECONDITION' });
    for (const { id, paths, freeAt } of taken) {
      const second = new Date(Math.ceil(micros(freeAt) / 1_000_000) * 1_000).toISOString().replace('.000Z', 'Z');
      expect(metadata[`shape_${id}`]).toBe(`${paths.join()} free at ${second}`);
      expect(micros(freeAt) - micros(taken[0]?.neededAt)).toBeGreaterThanOrEqual(HOUR_MS * 1_000);
    }
    expect(message).toContain(`shape_${taken[0]?.id} /path 0 free at `);
    clock.aheadMs += HOUR_MS - 60_000;
    expect((await refused()).reason).toBe('TOO_MANY_SHAPES');
    clock.aheadMs += 60_000;
    expect((await look(topic, { more: 1 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
    const now = await shapes(topic);
    expect(now.map(({ id }) => id)).toEqual([...taken.slice(1).map(({ id }) => id), expect.anything()]);
    expect(now.at(-1)?.paths).toEqual(['/more']);
    expect(now.at(-1)?.id).toBeGreaterThan(taken.at(-1)?.id ?? 0n);
  });

  it('keeps what is used and what is awaited by', async () => {
    const topic = newTopic();
    await look(topic, { awaited: 1 });
    for (let n = 1; n < 16; n += 1) await look(topic, { [`path ${n}`]: 1 }, A_MOMENT);
    for (let minutes = 0; minutes < 70; minutes += 10) {
      clock.aheadMs += 600_000;
      for (let n = 2; n < 16; n += 1) await look(topic, { [`path ${n}`]: 1 }, A_MOMENT, at(n % 2));
    }
    expect((await look(topic, { more: 1 }, A_MOMENT)).outcome).toBe(Outcome.OUTCOME_AWAITED);
    const paths = (await shapes(topic)).flatMap((shape) => shape.paths);
    expect(paths).toHaveLength(16);
    expect(paths).toContain('/awaited');
    expect(paths).not.toContain('/path 1');
    const { metadata } = await refusalOf(look(topic, { yet: 1 }));
    expect(Object.values(metadata).filter((text) => text.startsWith('/awaited awaited, free by'))).toHaveLength(1);
  });

  it('takes another one at once after DropShape', async () => {
    const topic = newTopic();
    await fill(topic);
    const [first] = await shapes(topic);
    await at(1).topics.dropShape({ id: first?.id ?? 0n });
    expect((await look(topic, { more: 1 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect((await refusalOf(look(topic, { 'path 0': 1 }))).reason).toBe('TOO_MANY_SHAPES');
  });
});

describe('a shape', () => {
  it('is given back when it was not used for a day, with its index', async () => {
    const topic = newTopic();
    const events = Array.from({ length: 1_000 }, (_, n) => ({
      event: newEvent({ topic, payload: jsonPayload({ n }) }),
    }));
    await client().events.pushEvents({ events });
    await look(topic, { n: 1 }, A_MOMENT);
    await look(topic, { kept: 1 });
    const before = await shapes(topic);
    expect(before.map(({ paths }) => paths)).toEqual([['/n'], ['/kept']]);
    expect(await indexRows(before[0] as Shape)).toBe(1_000);
    clock.aheadMs += 24 * HOUR_MS - 60_000;
    expect(await shapes(topic)).toHaveLength(2);
    clock.aheadMs += 60_000;
    await waitUntil(async () => (await shapes(topic)).length === 1, { what: 'the shape to be given back' });
    expect((await shapes(topic))[0]?.paths).toEqual(['/kept']);
    await waitUntil(async () => (await rows('SELECT id FROM freed_shape')).length === 0, { what: 'its index to go' });
    expect(await indexRows(before[0] as Shape)).toBe(0);
    // Asked for again it is another one, with an index of its own.
    expect((await look(topic, { n: 7 })).outcome).toBe(Outcome.OUTCOME_FOUND);
    const again = (await shapes(topic)).find(({ paths }) => paths[0] === '/n');
    expect(again?.id).toBeGreaterThan(before[1]?.id ?? 0n);
  });

  it('cannot be dropped while something is awaited by it, and can when that has ended', async () => {
    const topic = newTopic();
    await look(topic, { a: 1 });
    const [shape] = await shapes(topic);
    const id = shape?.id ?? 0n;
    expect(shape).toMatchObject({ topic, context: 'default', paths: ['/a'], ready: true });
    expect(micros(shape?.awaitedUntil)).toBeGreaterThan(Date.now() * 1_000);
    const drop = () => client().topics.dropShape({ id });
    expect(await refusalOf(drop())).toMatchObject({ reason: 'SHAPE_IN_USE', status: 'FAILED_PRECONDITION' });
    await occur(topic, { a: 1 });
    expect((await shapes(topic))[0]?.awaitedUntil).toBeUndefined();
    await drop();
    expect(await shapes(topic)).toEqual([]);
    for (const unknown of [id, 2n ** 64n - 1n]) {
      const refusal = await refusalOf(client().topics.dropShape({ id: unknown }));
      expect(refusal).toMatchObject({ reason: 'SHAPE_UNKNOWN', status: 'NOT_FOUND' });
    }
    expect(await refusalOf(client().topics.dropShape({}))).toMatchObject({ reason: 'FIELD_INVALID', fields: ['id'] });
  });

  it('stays as long as its topic is registered with its paths', async () => {
    const topic = newTopic();
    await client().topics.registerTopic({ name: topic, settings: { descriptionPaths: ['/id'] } });
    await look(topic, { id: 1 }, A_MOMENT);
    const [own] = await shapes(topic);
    expect(own?.freeAt).toBeUndefined();
    expect((await refusalOf(client().topics.dropShape({ id: own?.id ?? 0n }))).reason).toBe('SHAPE_IN_USE');
    await look(topic, { other: 1 }, A_MOMENT);
    clock.aheadMs += 25 * HOUR_MS;
    await waitUntil(async () => (await shapes(topic)).length === 1, { what: 'the other one to be given back' });
    expect((await shapes(topic))[0]?.id).toBe(own?.id);
  });

  it('is indexed no more for what was invalidated', async () => {
    const topic = newTopic();
    await look(topic, { a: 1 }, A_MOMENT);
    const { event } = await occur(topic, { a: 1 });
    const [shape] = await shapes(topic);
    expect(await indexRows(shape as Shape)).toBe(1);
    await client().events.invalidateEvent({ id: event?.id ?? 0n });
    expect(await indexRows(shape as Shape)).toBe(0);
    expect((await look(topic, { a: 1 })).outcome).toBe(Outcome.OUTCOME_AWAITED);
  });

  it('is listed in pages, of one topic or of all', async () => {
    const [one, other] = [newTopic(), newTopic()];
    for (const topic of [one, other]) for (const key of ['a', 'b', 'c']) await look(topic, { [key]: 1 });
    const { shapes: page, nextPageToken } = await client().topics.listShapes({ topic: one, pageSize: 2 });
    expect(page.map(({ paths }) => paths[0])).toEqual(['/a', '/b']);
    const { shapes: rest } = await client().topics.listShapes({ topic: one, pageSize: 2, pageToken: nextPageToken });
    expect(rest.map(({ paths }) => paths[0])).toEqual(['/c']);
    const all = await client().topics.listShapes({ context: 'all', pageSize: 1_000 });
    expect(all.shapes.filter(({ topic }) => topic === one || topic === other)).toHaveLength(6);
    expect((await client().topics.listShapes({ context: 'elsewhere' })).shapes).toEqual([]);
  });
});

describe('two servers', () => {
  it('find and end everything while shapes are dropped at random', { timeout: 120_000 }, async () => {
    const random = seededRandom(7);
    const topic = newTopic();
    const keys = ['a', 'b', 'c'];
    const count = 72;
    const payloadOf = (n: number) => ({ a: n, b: n, c: n });
    let done = false;
    const dropping = (async () => {
      let dropped = 0;
      while (!done) {
        for (const { id } of await shapes(topic)) {
          const reason = await at(dropped % 2)
            .topics.dropShape({ id })
            .then(
              () => '',
              (error) => refusalOf(Promise.reject(error)).then((one) => one.reason),
            );
          if (reason === '') dropped += 1;
          else expect(['SHAPE_IN_USE', 'SHAPE_UNKNOWN']).toContain(reason);
        }
      }
      return dropped;
    })();
    const lookAgain = async (n: number): Promise<Event> => {
      for (;;) {
        const description = { [keys[n % 3] as string]: n };
        const answer = look(topic, description, {}, at(Math.floor(random() * 2)));
        const failure = await answer.then(
          () => undefined,
          (error) => refusalOf(Promise.reject(error)),
        );
        if (failure === undefined) return (await answer).event as Event;
        // Dropped three times between being made and being looked into.
        expect(failure.reason).toBe('SEARCH_TOO_WIDE');
      }
    };
    const looks: Promise<Event>[] = [];
    const pushes: Promise<unknown>[] = [];
    for (let start = 0; start < count; start += 12) {
      for (let n = start; n < start + 12; n += 1) {
        const push = () => pushes.push(occur(topic, payloadOf(n), at(Math.floor(random() * 2))));
        if (random() < 0.5) push();
        looks.push(lookAgain(n));
        if (pushes.length <= n) push();
      }
      await Promise.all([...looks.slice(start), ...pushes.slice(start)]);
    }
    done = true;
    expect(await dropping).toBeGreaterThan(5);
    for (const event of await Promise.all(looks)) {
      const { event: now } = await client().events.getEvent({ key: { $case: 'id', value: event.id } });
      expect(now?.status).toBe(EventStatus.EVENT_STATUS_OCCURRED);
    }
    await waitUntil(async () => (await rows('SELECT id FROM freed_shape')).length === 0, { what: 'all indexes to go' });
    const orphans = await rows(
      'SELECT DISTINCT shape_id FROM shape_index WHERE shape_id NOT IN (SELECT id FROM shape)',
    );
    expect(orphans).toEqual([]);
    for (const shape of await shapes(topic)) if (shape.ready) expect(await indexRows(shape)).toBe(count);
  });
});
