// More names than are remembered: what a group has to know of them is looked up again, and no name gets a second number.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, it } from 'vitest';
import { newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
/** The bound is 10,000 contexts: src/storage/mysql/names/name-cache.ts. */
const NAMES = 11_000;
const BATCH = 1_000;

async function pushAll(): Promise<bigint[]> {
  const ids: bigint[] = [];
  for (let from = 0; from < NAMES; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, n) => {
      const name = `${from + n}`;
      return { event: newEvent({ context: `context ${name}`, topic: `topic ${name}`, stream: `stream ${name}` }) };
    });
    const { results } = await suite.client.events.pushEvents({ events });
    ids.push(...results.map(({ event }) => event?.id ?? 0n));
  }
  return ids;
}

it('contexts, topics and streams that were forgotten are what they were', async () => {
  const ids = await pushAll();
  await pushAll();
  const name = 'context 0';
  const { streams } = await suite.client.streams.listStreams({ context: name });
  expect(streams.map(({ name: stream, lastSequence }) => [stream, lastSequence])).toEqual([['stream 0', 2n]]);
  const { events } = await suite.client.events.listEvents({ filter: { context: name } });
  expect(events.map(({ topic, sequence }) => [topic, sequence])).toEqual([
    ['topic 0', 1n],
    ['topic 0', 2n],
  ]);
  const { event } = await suite.client.events.invalidateEvent({ id: ids[1] ?? 0n });
  expect([event?.context, event?.topic, event?.stream]).toEqual(['context 1', 'topic 1', 'stream 1']);
  const connection = await createConnection(suite.database.url);
  for (const table of ['context', 'topic', 'stream']) {
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT COUNT(*) AS rows_found FROM ${table}`);
    expect(rows[0]?.rows_found, table).toBe(NAMES);
  }
  const wrong = `SELECT COUNT(*) AS rows_found FROM log l JOIN topic t ON t.id = l.topic_id JOIN stream s ON s.id = l.stream_id
    WHERE t.context_id <> l.context_id OR s.context_id <> l.context_id`;
  const [rows] = await connection.query<RowDataPacket[]>(wrong);
  expect(rows[0]?.rows_found).toBe(0);
  await connection.end();
}, 120_000);
