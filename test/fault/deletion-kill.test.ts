// kill -9 of the instance that deletes, at any statement of a deletion, under pushes and consumers: what a topic keeps is there, what it does
// not keep goes in the end, and what a consumer had not passed is counted once and told.

import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  AckStatus,
  CreateConsumerRequest,
  FetchRequest,
  GetConsumerRequest,
} from '../../generated/madeleine/v1/consumer_service.js';
import { RetentionMode } from '../../generated/madeleine/v1/topic_service.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { FaultyProxy, type Statement } from '../support/database/faulty-proxy.js';
import { newEvent } from '../support/events/builders.js';
import { RandomChoices } from '../support/random.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const SEED = Number(process.env['SEED'] || 1);
const ROUNDS = 5;
const EVENTS = 30;
const TOPICS = ['kept', 'held', 'expiring'] as const;
type Topic = (typeof TOPICS)[number];
const STREAM = 'truncated';

/** A statement of a transaction that deletes, or of what comes before it. */
function isOfDeletion({ group, command, text }: Statement): boolean {
  if (group || command === 'prepare') return false;
  return /retention_|stream_truncation|consumer_gap|deleted_topic|log_deletion|expired_unread|DELETE t FROM|^COMMIT$/.test(
    text,
  );
}

interface Pushed {
  readonly position: number;
  readonly sequence: number;
  readonly topic: Topic;
}

/** Others are of a lease that a former life of the consumer gave. */
const PASSED = new Set([AckStatus.ACK_STATUS_ACCEPTED, AckStatus.ACK_STATUS_ALREADY]);

/** What a consumer has acknowledged and was told. */
class Reader {
  readonly name: string;
  readonly topic: Topic;
  /** What it tried to acknowledge, and what it was answered for. */
  readonly tried = new Set<number>();
  readonly acknowledged = new Set<number>();
  readonly seen = new Set<number>();
  readonly gaps = new Map<string, { readonly first: number; readonly last: number; readonly events: number }>();

  constructor(topic: Topic) {
    this.topic = topic;
    this.name = `reader of ${topic}`;
  }

  wasTold(position: number): boolean {
    return [...this.gaps.values()].some(({ first, last }) => first <= position && position <= last);
  }

  /** Fetches some and acknowledges a part; returns whether there was anything new. */
  async take({ consumers }: TestClient, limit: number, part: number): Promise<boolean> {
    const { deliveries, gaps } = await consumers.fetch(FetchRequest.fromPartial({ consumer: this.name, limit }));
    const known = this.gaps.size;
    for (const { firstPosition, lastPosition, events = 0n } of gaps) {
      const gap = { first: Number(firstPosition), last: Number(lastPosition), events: Number(events) };
      this.gaps.set(`${gap.first} ${gap.last} ${gap.events}`, gap);
    }
    for (const { event } of deliveries) this.seen.add(Number(event?.position));
    const some = deliveries.slice(0, Math.ceil(deliveries.length * part));
    const acknowledgements = some.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    for (const { position } of acknowledgements) this.tried.add(Number(position));
    const { results } = await consumers.acknowledge({ consumer: this.name, acknowledgements });
    for (const { position, status } of results) if (PASSED.has(status)) this.acknowledged.add(Number(position));
    return deliveries.length > 0 || this.gaps.size > known;
  }
}

let database: TestDatabase;
let proxy: FaultyProxy;
let connection: Connection;
beforeAll(async () => {
  database = await createTestDatabase();
  proxy = new FaultyProxy(database.url);
  await proxy.start();
  connection = await createConnection(database.adminUrl);
});
afterAll(async () => {
  await connection?.end();
  await proxy?.stop();
  await database?.drop();
});

/** The leases of who is dead run out. */
async function expireLeases(): Promise<void> {
  await connection.query('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 MINUTE');
  for (const table of ['retention_cursor', 'count_cursor', 'firing_cursor']) {
    await connection.query(`UPDATE ${table} SET lease_until = 1 WHERE lease_until > 1`);
  }
}

/** What is stored now grows older than its topics keep. */
async function age(): Promise<void> {
  const [rows] = await connection.query('SELECT MAX(position) AS last FROM log');
  agedTo = (rows as { last: number }[])[0]?.last ?? 0;
  await connection.query('UPDATE log SET created_at = created_at - ?', [2 * 3_600_000_000]);
}

const pushed: Pushed[] = [];
let agedTo = 0;
let truncatedTo = 0;

/** Pushes some events of each topic. */
async function push({ events }: TestClient, number: number): Promise<void> {
  const drafts = Array.from({ length: number * TOPICS.length }, (_, n) => {
    const topic = TOPICS[n % TOPICS.length] as Topic;
    return { event: newEvent({ topic, issuer: 'shop', stream: topic === 'kept' ? STREAM : '' }) };
  });
  for (const { event } of (await events.pushEvents({ events: drafts })).results) {
    const topic = event?.topic as Topic;
    pushed.push({ position: Number(event?.position), sequence: Number(event?.sequence), topic });
  }
}

/** Pushes and takes until the instance is gone. */
async function busy(client: TestClient, readers: readonly Reader[]): Promise<void> {
  const until = async (work: () => Promise<unknown>) => {
    for (;;) {
      try {
        await work();
      } catch {
        return;
      }
    }
  };
  const pushing = until(() => push(client, 1));
  await Promise.all([pushing, ...readers.map((reader) => until(() => reader.take(client, 2, 0.5)))]);
}

async function storedOf(topic: Topic): Promise<Set<number>> {
  const [rows] = await connection.query('SELECT position FROM events WHERE topic = ?', [topic]);
  return new Set((rows as { position: number }[]).map(({ position }) => position));
}

it(`leaves what is kept, and nothing untold (SEED=${SEED})`, { timeout: 300_000 }, async () => {
  const choices = new RandomChoices(SEED);
  const readers = TOPICS.map((topic) => new Reader(topic));
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await ServerProcess.start({ databaseUrl: proxy.url });
    const client = new TestClient(server.address);
    if (round === 0) await register(client, readers);
    await push(client, EVENTS);
    for (const reader of readers) await reader.take(client, choices.between(1, EVENTS), choices.of([0.3, 1]));
    await age();
    await push(client, 1);
    truncatedTo += EVENTS / 3;
    await client.streams.truncateStream({ stream: STREAM, upToSequence: BigInt(truncatedTo), by: 'ann', force: true });
    const harm = { kind: choices.of(['hang', 'cut after'] as const) };
    const fault = proxy.inject({ harm, when: isOfDeletion, skip: choices.between(0, 40) });
    const work = busy(client, readers);
    await waitUntil(() => fault.hits > 0, { what: 'a deletion is under way', timeoutMs: 15_000 });
    await server.kill();
    await work;
    client.close();
    proxy.forget();
    await expireLeases();
  }
  await checkEnd(readers);
});

async function register({ topics, consumers }: TestClient, readers: readonly Reader[]): Promise<void> {
  const { RETENTION_MODE_EXPIRE, RETENTION_MODE_HOLD } = RetentionMode;
  await topics.registerTopic({ name: 'held', settings: { ttl: '1h', retentionMode: RETENTION_MODE_HOLD } });
  await topics.registerTopic({ name: 'expiring', settings: { ttl: '1h', retentionMode: RETENTION_MODE_EXPIRE } });
  for (const { name, topic } of readers) {
    const request = { name, settings: { filter: { topics: [topic] } } };
    await consumers.createConsumer(CreateConsumerRequest.fromPartial(request));
  }
}

/** The last life deletes undisturbed, and everything is read to its end. */
async function checkEnd(readers: readonly Reader[]): Promise<void> {
  const [, ofHeld] = readers as readonly [Reader, Reader, Reader];
  const server = await ServerProcess.start({ databaseUrl: proxy.url });
  const client = new TestClient(server.address);
  try {
    const events = (topic: Topic) => pushed.filter((event) => event.topic === topic);
    const isDue = (position: number | undefined) => position !== undefined && position <= agedTo;
    const left = async () => {
      const [held, expiring, kept] = [await storedOf('held'), await storedOf('expiring'), await storedOf('kept')];
      const firstHeld = Math.min(...held);
      return {
        held: isDue(firstHeld) && ofHeld.acknowledged.has(firstHeld) ? [firstHeld] : [],
        expiring: [...expiring].filter(isDue),
        kept: events('kept').filter(({ position, sequence }) => sequence <= truncatedTo && kept.has(position)),
      };
    };
    await waitUntil(async () => Object.values(await left()).flat().length === 0, {
      what: 'what is not kept goes',
      timeoutMs: 120_000,
    }).catch(() => undefined);
    expect(await left()).toEqual({ held: [], expiring: [], kept: [] });
    // What the policy keeps is all there.
    const [held, expiring, kept] = [await storedOf('held'), await storedOf('expiring'), await storedOf('kept')];
    const missing = {
      held: events('held').filter(({ position }) => !ofHeld.tried.has(position) && !held.has(position)),
      expiring: events('expiring').filter(({ position }) => !isDue(position) && !expiring.has(position)),
      kept: events('kept').filter(({ position, sequence }) => sequence > truncatedTo && !kept.has(position)),
    };
    expect(missing).toEqual({ held: [], expiring: [], kept: [] });
    for (const reader of readers) await checkReader(client, reader, events(reader.topic));
  } finally {
    client.close();
    await server.stop();
  }
}

async function checkReader(client: TestClient, reader: Reader, events: readonly Pushed[]): Promise<void> {
  while (await reader.take(client, 100, 1));
  const { name } = reader;
  const positions = events.map(({ position }) => position);
  const unknown = positions.filter((at) => !reader.seen.has(at) && !reader.wasTold(at));
  expect(unknown, `${name}: neither delivered nor told`).toEqual([]);
  const { consumer } = await client.consumers.getConsumer(GetConsumerRequest.fromPartial({ name }));
  const told = [...reader.gaps.values()].reduce((sum, { events }) => sum + events, 0);
  expect(told, `${name}: told`).toBe(Number(consumer?.expiredUnread));
  const unpassed = positions.filter((at) => !reader.tried.has(at)).length;
  expect(Number(consumer?.expiredUnread), `${name}: counted`).toBeGreaterThanOrEqual(unpassed);
  if (reader.topic === 'held') expect(consumer?.expiredUnread).toBe(0n);
}
