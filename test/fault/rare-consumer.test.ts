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

const EVENTS = 400_000;
const RARE = 250_000;
/** Rows that one page looks at, and the positions that may be passed before the offset is written. */
const PAGE = 20_000;
const UNWRITTEN = 10_000;
/** What a server and a consumer read besides: themselves, the head again and again. */
const BESIDES = 3_000;
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

  it('passes each row once, also over a kill -9, and none again after a restart', { timeout: LONG_MS }, async () => {
    const rows = await examined.during(async () => {
      await served(async (client, server) => {
        const member = subscriber(client, consumer, where);
        await waitUntil(async () => (await storedOffset(consumer)) > EVENTS / 8, {
          what: 'a part is passed',
          intervalMs: 5,
        });
        await server.kill();
        await member.end();
      });
      expect(await storedOffset(consumer)).toBeLessThan(RARE);
      await served((client) => caughtUp(client, consumer, where));
    });
    expect(rows).toBeGreaterThan(EVENTS);
    expect(rows).toBeLessThan(EVENTS + 2 * PAGE + UNWRITTEN + 3 * BESIDES);
    await served(async (client) => {
      const again = await examined.during(() => caughtUp(client, consumer, where));
      expect(again).toBeLessThan(BESIDES);
    });
  });

  it('rests at the head, and is not woken by what others push', { timeout: LONG_MS }, async () => {
    await served(async (client) => {
      await caughtUp(client, consumer, where);
      const member = subscriber(client, consumer, where);
      const isSilent = (count: number) => () => member.frames.filter((f) => f.$case === 'heartbeat').length >= count;
      const idle = await examined.during(() => waitUntil(isSilent(1), { what: 'silence', timeoutMs: 30_000 }));
      expect(idle).toBeLessThan(BESIDES);
      const event = newEvent({ topic: 'common', stream: '' });
      const pushed = await examined.during(async () => {
        for (let n = 0; n < 20; n += 1) {
          await client.events.pushEvents({ events: Array.from({ length: 100 }, () => ({ event })) });
        }
        await waitUntil(isSilent(2), { what: 'silence', timeoutMs: 30_000 });
      });
      expect(pushed).toBeLessThan(BESIDES);
      // It passed them without a look at the database.
      const heartbeat = member.frames.findLast((frame) => frame.$case === 'heartbeat');
      expect(heartbeat?.value).toMatchObject({ lag: 0n });
      await member.cancel();
    });
  });
});
