// How the database looks for what identifies events: by the primary key, however many events there are. The statement is the one
// that a server really sends, taken from the wire.

import { createConnection } from 'mysql2/promise';
import { expect, it } from 'vitest';
import { refusalOf } from '../support/contract/refusals.js';
import { useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useProxiedServer();
const ROWS = 5_000;

it('identities are looked up by their key', async () => {
  const { topics, events } = suite.client;
  await topics.registerTopic({ name: 'identified', settings: { descriptionPaths: ['/id'] } });
  const push = (from: number, count: number) =>
    events.pushEvents({
      events: Array.from({ length: count }, (_, n) => ({
        event: newEvent({ topic: 'identified', payload: jsonPayload({ id: from + n }) }),
      })),
    });
  for (let n = 0; n < ROWS; n += 1_000) await push(n, 1_000);
  const connection = await createConnection(suite.database.adminUrl);
  await connection.query('ANALYZE TABLE event_identity');
  suite.proxy.statements.length = 0;
  await push(ROWS, 20);
  const sent = suite.proxy.statements.find(({ text }) => text.includes('i.digest'));
  const [rows] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${sent?.text}`);
  await connection.end();
  const plan = (rows as { select_type: string }[]).filter((row) => row.select_type === 'DEPENDENT SUBQUERY');
  expect(plan).toMatchObject([
    { table: 'i', key: 'PRIMARY', type: 'ref' },
    // Whether it is still there, and was invalidated: read for those alone that are found.
    { table: 'l', key: 'PRIMARY', type: 'eq_ref' },
    { table: 'x', key: 'log_event', type: 'eq_ref' },
  ]);
});

it('one event is read of an identity that thousands have', async () => {
  const { topics, events } = suite.client;
  await topics.registerTopic({ name: 'kinds' });
  const event = newEvent({ topic: 'kinds', payload: jsonPayload({ kind: 1 }) });
  for (let n = 0; n < ROWS; n += 1_000) {
    await events.pushEvents({ events: Array.from({ length: 1_000 }, () => ({ event })) });
  }
  suite.proxy.statements.length = 0;
  await topics.updateTopic({
    name: 'kinds',
    settings: { descriptionPaths: ['/kind'] },
    updateMask: ['description_paths'],
  });
  const build = async () => (await topics.getTopic({ name: 'kinds' })).topic?.identityBuild;
  await waitUntil(async () => (await build())?.endedAt !== undefined, { what: 'the build', timeoutMs: 60_000 });
  expect((await build())?.repeated).toBe(BigInt(ROWS - 1));
  expect((await refusalOf(events.pushEvent({ event }))).reason).toBe('ALREADY_OCCURRED');
  const ofTopic = suite.proxy.statements.filter(({ text }) => /i\.digest/.test(text) && !/INSERT/.test(text));
  const connection = await createConnection(suite.database.adminUrl);
  for (const { text } of ofTopic.slice(-2)) {
    await connection.query('FLUSH STATUS');
    await connection.query(text);
    const [status] = await connection.query("SHOW SESSION STATUS LIKE 'Handler_read%'");
    const read = (status as { Value: string }[]).reduce((sum, { Value }) => sum + Number(Value), 0);
    expect(read).toBeLessThan(20);
  }
  await connection.end();
});
