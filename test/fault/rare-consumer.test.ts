// A consumer that wants one event of very many: what the database reads for it is counted, in rows and entries of indexes. By an index it
// reads next to nothing; without one it passes each row once, whatever becomes of its server, and rests when it is at the head.

import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../generated/madeleine/v1/consumer_service.js';
import type { EventFilter } from '../../generated/madeleine/v1/event.js';
import { EntryKind } from '../../src/domain/events/event.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { ExaminedRows } from '../plans/examined-rows.js';
import { TestSubscriber } from '../support/consumers/consumer.js';
import { numbers } from '../support/database/numbers.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { newEvent } from '../support/events/builders.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const EVENTS = 800_000;
const RARE = 790_000;
/** Rows that one page looks at. */
const PAGE = 20_000;
/** Rows that are read now and again to tell how many events of a consumer that is behind are pending. */
const COUNTS = 6 * PAGE;
/** What a server and a consumer read besides: themselves, the head again and again. */
const BESIDES = 3_000;
const PUSHED = 2_000;
const LONG_MS = 120_000;

const engine = new PrivateDatabase();
let url: string;
let connection: Connection;
let examined: ExaminedRows;

beforeAll(async () => {
  await engine.start();
  url = `${engine.adminUrl}rare`;
  const admin = await createConnection(engine.adminUrl);
  await admin.query('CREATE DATABASE rare');
  await admin.end();
  const database = new Database({ url, poolSize: 2, random: Math.random });
  await migrate(database);
  await database.close();
  connection = await createConnection(url);
  const first = numbers(1, EVENTS);
  for (const sql of [
    `INSERT INTO log (position, kind, event_id, context_id, topic_id, stream_id, sequence, message_id, created_at, version, subject, issuer,
        tag, session_id, payload_bytes, payload)
      SELECT seq, ${EntryKind.OCCURRED}, seq, 1, IF(seq = ${RARE}, 2, 1), 1, seq, UNHEX(LPAD(HEX(seq), 32, '0')), seq * 1000, 1, 0, 'shop',
        IF(seq = ${RARE}, 'rare', NULL), IF(seq = ${RARE}, 'rare', 'other'), 7, '{"n":1}' FROM ${first} ORDER BY seq`,
    `UPDATE log_head SET position = ${EVENTS}, next_event_id = ${EVENTS} + 1, next_context_id = 2, next_topic_id = 3, next_stream_id = 2,
       created_at = ${EVENTS} * 1000`,
    // As if statistics had counted all of it, and callbacks been looked for: they read the log, too.
    `UPDATE count_cursor SET position = ${EVENTS}`,
    `UPDATE firing_cursor SET position = ${EVENTS}`,
    "INSERT INTO context (id, name) VALUES (1, 'default')",
    "INSERT INTO topic (id, context_id, name) VALUES (1, 1, 'common'), (2, 1, 'rare')",
    `INSERT INTO stream (id, context_id, name, owner, epoch, last_sequence, first_position, last_position, first_event_at, last_event_at)
     VALUES (1, 1, 'busy', 'shop', 0, ${EVENTS}, 1, ${EVENTS}, 1, 1)`,
  ])
    await connection.query(sql);
  examined = await ExaminedRows.on(engine.adminUrl);
}, LONG_MS);
afterAll(async () => {
  await examined?.close();
  await connection?.end();
  await engine.stop();
});

/** Runs the work with a server of its own, which then stops, unless it was killed. */
async function served<T>(work: (client: TestClient, server: ServerProcess) => Promise<T>): Promise<T> {
  const server = await ServerProcess.start({ databaseUrl: url });
  const client = new TestClient(server.address);
  try {
    return await work(client, server);
  } finally {
    client.close();
    await server.stop();
  }
}

function subscriber(client: TestClient, consumer: string, where: Partial<EventFilter>): TestSubscriber {
  const settings = ConsumerSettings.fromPartial({ where } as ConsumerSettings);
  return new TestSubscriber(client.consumers, { consumer, settings });
}

/** Subscribes until the head, and acknowledges what comes. */
async function caughtUp(client: TestClient, consumer: string, where: Partial<EventFilter>): Promise<bigint[]> {
  const member = subscriber(client, consumer, where);
  await waitUntil(() => member.frames.some((frame) => frame.$case === 'caughtUp'), {
    what: 'it is at the head',
    timeoutMs: LONG_MS,
  });
  const positions = member.deliveries.map(({ event }) => event?.position ?? 0n);
  await client.consumers.acknowledge({ consumer, upTo: BigInt(EVENTS) });
  await waitUntil(async () => (await storedOffset(consumer)) >= EVENTS, { what: 'its place is stored' });
  await member.cancel();
  return positions;
}

/** Where the consumer goes on, should everything end now. */
async function storedOffset(consumer: string): Promise<number> {
  const [[row]] = await connection.query<RowDataPacket[]>('SELECT acked_to FROM consumer WHERE name = ?', [consumer]);
  return Number(row?.['acked_to'] ?? 0);
}

const BY_INDEX: readonly (readonly [string, Partial<EventFilter>])[] = [
  ['the topic', { topics: ['rare'] }],
  ['the topic and more', { topics: ['rare'], tags: ['rare'], sessionId: 'rare', properties: {} }],
  ['a payload of the topic', { topics: ['rare'], description: { n: 1 } }],
];

describe.each(BY_INDEX)('a consumer of one event by %s', (name, where) => {
  it('reads it, and next to nothing besides', { timeout: LONG_MS }, async () => {
    await served(async (client) => {
      const rows = await examined.during(async () => {
        expect(await caughtUp(client, `by ${name}`, where)).toEqual([BigInt(RARE)]);
      });
      expect(rows).toBeLessThan(BESIDES);
    });
  });
});

it(
  'a consumer of one event by its topic, of a stream with all, passes over a page of the stream',
  async () => {
    await served(async (client) => {
      const where = { streams: ['busy'], topics: ['rare'] };
      const rows = await examined.during(async () => {
        expect(await caughtUp(client, 'by both', where)).toEqual([BigInt(RARE)]);
      });
      expect(rows).toBeLessThan(3 * PAGE + BESIDES);
    });
  },
  LONG_MS,
);

describe.each([
  ['a tag', { tags: ['rare'] }],
  ['a session', { sessionIds: ['rare'], issuers: ['shop'] }],
] as const)('a consumer of one event by %s, which has no index', (name, filter) => {
  const consumer = `by ${name}`;
  const where: Partial<EventFilter> = Object.fromEntries(Object.entries(filter).map(([k, v]) => [k, [...v]]));

  it('goes on after a kill -9 from where its place was stored, and reads nothing again', {
    timeout: LONG_MS,
  }, async () => {
    await served(async (client, server) => {
      const member = subscriber(client, consumer, where);
      const isUnderWay = async () => (await storedOffset(consumer)) > EVENTS / 2;
      await waitUntil(isUnderWay, { what: 'a part is passed', intervalMs: 5 });
      await server.kill();
      await member.end();
    });
    const stored = await storedOffset(consumer);
    expect(stored).toBeLessThan(RARE);
    await served(async (client) => {
      const left = await examined.during(() => caughtUp(client, consumer, where));
      expect(left).toBeGreaterThan(EVENTS - stored);
      expect(left).toBeLessThan(EVENTS - stored + PAGE + COUNTS + BESIDES);
    });
    await served(async (client) => {
      expect(await examined.during(() => caughtUp(client, consumer, where))).toBeLessThan(BESIDES);
    });
  });

  it('rests at the head, and is not woken by what others push', { timeout: LONG_MS }, async () => {
    await served(async (client) => {
      await caughtUp(client, consumer, where);
      const member = subscriber(client, consumer, where);
      const isSilent = (count: number) => () => member.frames.filter((f) => f.$case === 'heartbeat').length >= count;
      const idle = await examined.during(() => waitUntil(isSilent(1), { what: 'silence', timeoutMs: 30_000 }));
      expect(idle).toBeLessThan(BESIDES);
      const beside = await examined.during(() => pushOthers(client));
      await waitUntil(isSilent(2), { what: 'silence', timeoutMs: 30_000 });
      // It passed them without a look at the database.
      const heartbeat = member.frames.findLast((frame) => frame.$case === 'heartbeat');
      expect(heartbeat?.value).toMatchObject({ lag: 0n });
      await member.cancel();
      const alone = await examined.during(() => pushOthers(client));
      expect(beside - alone).toBeLessThan(PUSHED / 4);
    });
  });
});

/** Pushes events that the consumer does not want, and waits until all that reads the log by itself has done so. */
async function pushOthers(client: TestClient): Promise<void> {
  const event = newEvent({ topic: 'common', stream: '' });
  let last = 0n;
  for (let n = 0; n < PUSHED / 100; n += 1) {
    const { results } = await client.events.pushEvents({ events: Array.from({ length: 100 }, () => ({ event })) });
    last = results.at(-1)?.event?.position ?? 0n;
  }
  const position = (table: string) => connection.query<RowDataPacket[]>(`SELECT position FROM ${table} WHERE id = 1`);
  const isRead = async (table: string) => Number((await position(table))[0][0]?.['position']) >= Number(last);
  for (const table of ['count_cursor', 'firing_cursor']) {
    await waitUntil(() => isRead(table), { what: `${table} is at the head`, timeoutMs: 60_000, intervalMs: 100 });
  }
}
