// How the database runs the hot statements: each by the index that it was written for, without sorting. The statements are the
// ones that a server really sends, taken from the wire.

import { randomUUID } from 'node:crypto';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../generated/madeleine/v1/event.js';
import { TestSubscriber } from '../support/consumers/consumer.js';
import { useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { waitUntil } from '../support/wait-until.js';

const ROWS = 20_000;
const MESSAGE_LOOK_UP = /SELECT context_id, message_id, position, event_id, issuer, digest, created_at FROM log/;
const suite = useProxiedServer({ tailBytes: String(1024 * 1024) });
let connection: Connection;

interface PlanRow {
  readonly table: string;
  readonly type: string;
  readonly key: string | null;
  readonly rows: number;
  readonly Extra: string | null;
}

beforeAll(async () => {
  for (let n = 0; n < ROWS; n += 1_000) {
    const events = Array.from({ length: 1_000 }, (_, index) => ({
      event: newEvent({ topic: `topic ${index % 20}`, stream: `stream ${(n + index) % 200}`, messageId: randomUUID() }),
    }));
    await suite.client.events.pushEvents({ events });
  }
  connection = await createConnection(suite.database.adminUrl);
  await connection.query('ANALYZE TABLE log, stream, topic, consumer');
}, 60_000);
afterAll(() => connection.end());

/** The text of what the server sent while the work ran, and how the database would run it with these values. */
async function planOf(work: () => Promise<unknown>, pattern: RegExp, values: readonly unknown[]): Promise<PlanRow[]> {
  suite.proxy.statements.length = 0;
  await work();
  const found = await waitUntil(() => suite.proxy.statements.find(({ text }) => pattern.test(text)), {
    what: `a statement like ${pattern}; there were ${suite.proxy.statements.map(({ text }) => text.slice(0, 80))}`,
  });
  // Of several that were sent together, the one that is meant.
  const text = found.text.split('; ').find((part) => pattern.test(part)) ?? found.text;
  const marks = (text.match(/\?/g) ?? []).length;
  const given = Array.from({ length: marks }, (_, n) => values[n % values.length]);
  const [rows] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${text}`, given);
  return rows as PlanRow[];
}

function expectIndex(
  plan: readonly PlanRow[],
  table: string,
  key: string,
  types: readonly string[],
  maxRows: number,
): void {
  const row = plan.find((each) => each.table === table);
  expect(row, JSON.stringify(plan)).toMatchObject({ key });
  expect(types, JSON.stringify(plan)).toContain(row?.type);
  expect(Number(row?.rows), JSON.stringify(plan)).toBeLessThanOrEqual(maxRows);
  for (const { Extra } of plan) expect(Extra ?? '', JSON.stringify(plan)).not.toMatch(/filesort|temporary/i);
}

async function readFrom(
  position: number,
  filter: { topics?: string[]; stream?: string; pageSize?: number } = {},
): Promise<void> {
  const { stream, topics, pageSize = 100 } = filter;
  const list = {
    ...(topics && { topics }),
    ...(stream && { stream }),
    context: 'default',
    afterPosition: BigInt(position),
  };
  await suite.client.events.listEvents({ filter: list, pageSize });
}

describe('a page of the log is read', () => {
  it('in one step where most matches', async () => {
    const plan = await planOf(
      () => readFrom(1),
      /SELECT .* IF\(payload_bytes > \?, NULL, payload\)/,
      [1_000, 1, 101, 1],
    );
    expect(plan).toHaveLength(1);
    expectIndex(plan, 'log', 'PRIMARY', ['range'], 200);
  });

  it('by position', async () => {
    const plan = await planOf(
      () => readFrom(1, { pageSize: 10 }),
      /SELECT position, topic_id, kind, payload_bytes \+ .* payload_bytes FROM log/,
      [1, 1_000, 1],
    );
    expectIndex(plan, 'log', 'PRIMARY', ['range'], 2_000);
  });

  it('by topic', async () => {
    const work = () => readFrom(1, { topics: ['topic 3'] });
    const plan = await planOf(work, /payload_bytes FROM log FORCE INDEX \(log_topic\) WHERE topic_id = \?/, [
      4,
      1,
      ROWS,
    ]);
    expectIndex(plan, 'log', 'log_topic', ['range', 'ref'], ROWS / 10);
  });

  it('by stream', async () => {
    const work = () => readFrom(1, { stream: 'stream 3' });
    const plan = await planOf(work, /payload_bytes FROM log FORCE INDEX \(log_stream\) WHERE stream_id = \?/, [
      4,
      1,
      ROWS,
    ]);
    expectIndex(plan, 'log', 'log_stream', ['range', 'ref'], ROWS / 50);
  });

  it('and its rows by a range of positions', async () => {
    const plan = await planOf(
      () => readFrom(1, { pageSize: 10 }),
      /FROM log FORCE INDEX \(PRIMARY\) WHERE position BETWEEN/,
      [1, 100],
    );
    expectIndex(plan, 'log', 'PRIMARY', ['range'], 200);
  });
});

describe('a look-up goes by its index', () => {
  it('of message ids, several at once', async () => {
    const event = newEvent({ messageId: randomUUID() });
    await suite.client.events.pushEvent({ event });
    const again = () => suite.client.events.pushEvent({ event });
    const [stored] = await connection.query('SELECT context_id, message_id FROM log ORDER BY RAND() LIMIT 500');
    const values = (stored as { context_id: number; message_id: Buffer }[]).flatMap((row) => [
      row.context_id,
      row.message_id,
    ]);
    const plan = await planOf(again, MESSAGE_LOOK_UP, values);
    expectIndex(plan, 'log', 'log_message', ['const'], 1);
    // A group of many asks for as many in one statement.
    const events = Array.from({ length: 500 }, () => ({ event: newEvent({ messageId: randomUUID() }) }));
    await suite.client.events.pushEvents({ events });
    const many = await planOf(() => suite.client.events.pushEvents({ events }), MESSAGE_LOOK_UP, values);
    // From 1,000 values on MariaDB makes a table of them first, and looks up each.
    expectIndex(many, 'log', 'log_message', ['range', 'eq_ref'], 1_000);
  });

  it('of what is awaited, and of what occurred, by their values', async () => {
    const look = (n: number) => newEvent({ topic: 'watched', payload: undefined, description: { n } });
    const payload = (n: number) => newEvent({ topic: 'watched', payload: jsonPayload({ n: n % 100 }) });
    const many = (make: (n: number) => NewEvent) => Array.from({ length: 1_000 }, (_, n) => ({ event: make(n) }));
    await suite.client.events.pushEvents({ events: many((n) => look(n + 1_000)) });
    for (let n = 0; n < 3; n += 1) await suite.client.events.pushEvents({ events: many(payload) });
    await connection.query('ANALYZE TABLE wait, shape_index, log');
    const [stored] = await connection.query('SELECT value_hash FROM wait LIMIT 64');
    const hashes = (stored as { value_hash: Buffer }[]).map((row) => row.value_hash);
    const search = () => suite.client.events.pushEvent({ event: look(7) });
    const waiting = await planOf(search, /FROM wait FORCE INDEX \(wait_match\) WHERE shape_id/, [1, ...hashes]);
    expectIndex(waiting, 'wait', 'wait_match', ['range', 'ref'], 10);
    const found = await planOf(search, /FROM shape_index i FORCE INDEX \(PRIMARY\) JOIN log/, []);
    expectIndex(found, 'i', 'PRIMARY', ['range', 'ref'], 100);
    expectIndex(found, 'l', 'PRIMARY', ['eq_ref'], 1);
    expectIndex(found, 'x', 'log_event', ['eq_ref', 'ref'], 1);
    // Many are held against the index alone first: of each the newest row, in the order of the index.
    const some = Array.from({ length: 50 }, (_, n) => ({ event: look(n) }));
    const searchMany = () => suite.client.events.pushEvents({ events: some });
    expectIndex(
      await planOf(searchMany, /FROM wait FORCE INDEX \(wait_match\) WHERE shape_id/, [1, ...hashes]),
      'wait',
      'wait_match',
      ['range'],
      100,
    );
    const any = await planOf(searchMany, /FROM shape_index i FORCE INDEX \(PRIMARY\)\s+WHERE/, []);
    expectIndex(any, 'i', 'PRIMARY', ['ref'], 100);
    expect(any.find(({ table }) => table === 'i')?.Extra).not.toMatch(/filesort|temporary/);
  });

  it('of the waits that are due', async () => {
    for (const sql of [
      'SELECT expires_at FROM wait WHERE state = 0 ORDER BY expires_at LIMIT 1',
      'SELECT event_id, LENGTH(description) FROM wait WHERE state = 0 AND expires_at <= 1000000 ORDER BY expires_at LIMIT 500',
      'SELECT created_at FROM push_ledger WHERE created_at < 1000000 ORDER BY created_at LIMIT 500',
    ]) {
      const [plan] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${sql}`);
      const table = sql.includes('wait') ? 'wait' : 'push_ledger';
      expectIndex(plan as PlanRow[], table, table === 'wait' ? 'wait_due' : 'push_ledger_age', ['ref', 'range'], 5_000);
    }
  });

  it('of an event', async () => {
    const work = () => suite.client.events.getEvent({ key: { $case: 'id', value: 77n } });
    expectIndex(
      await planOf(work, /FROM log FORCE INDEX \(log_event\) WHERE event_id = \?/, [77]),
      'log',
      'log_event',
      ['const', 'ref'],
      1,
    );
  });

  it('of streams', async () => {
    const [plan] = await connection.query(
      "EXPLAIN FORMAT=TRADITIONAL SELECT id, last_sequence FROM stream WHERE (context_id, name) IN ((1, 'stream 1'), (1, 'stream 2'), (1, 'x'))",
    );
    expectIndex(plan as PlanRow[], 'stream', 'stream_name', ['range'], 10);
  });

  it('of the position at a time', async () => {
    const work = async () => {
      const startTime = { seconds: 1n, nanos: 0 };
      for await (const frame of suite.client.events.readEvents({ startTime })) if (frame) break;
    };
    const plan = await planOf(work, /SELECT position, created_at FROM log FORCE INDEX \(PRIMARY\) WHERE/, [10_000]);
    expectIndex(plan, 'log', 'PRIMARY', ['range', 'const'], ROWS);
  });
});

describe('consumers are written by their keys', () => {
  it('places by id, leases by owner', async () => {
    const work = async () => {
      const subscriber = new TestSubscriber(suite.client.consumers, { consumer: 'planned' });
      const [first] = await subscriber.first(1);
      const acknowledgements = [{ position: first?.event?.position ?? 0n, lease: first?.lease ?? 0n }];
      await suite.client.consumers.acknowledge({ consumer: 'planned', acknowledgements });
      await subscriber.cancel();
    };
    const [flush] = await planOf(work, /UPDATE consumer FORCE INDEX \(PRIMARY\) SET generation = CASE id/, [1]);
    expect(flush, JSON.stringify(flush)).toMatchObject({ key: 'PRIMARY', type: 'range' });
    expect(flush?.Extra ?? '').not.toMatch(/filesort|temporary/i);
    const [renew] = await connection.query(
      "EXPLAIN FORMAT=TRADITIONAL UPDATE consumer SET lease_until = NOW(6) WHERE owner = 'x'",
    );
    expect((renew as PlanRow[])[0], JSON.stringify(renew)).toMatchObject({ key: 'consumer_owner' });
  });
});
