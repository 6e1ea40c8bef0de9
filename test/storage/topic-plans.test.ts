// How the database looks for what identifies events: by the primary key, however many events there are. The statement is the one
// that a server really sends, taken from the wire.

import { createConnection } from 'mysql2/promise';
import { expect, it } from 'vitest';
import { useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';

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
  const [plan] = await connection.query(`EXPLAIN FORMAT=TRADITIONAL ${sent?.text}`);
  await connection.end();
  expect(plan).toMatchObject([
    { table: 'i', key: 'PRIMARY', type: 'range' },
    // Whether it is still there, and was invalidated: read for those alone that are found.
    { table: 'l', key: 'PRIMARY', type: 'eq_ref' },
    { table: 'x', key: 'log_event', type: 'eq_ref' },
  ]);
  expect(Number((plan as { rows: unknown }[])[0]?.rows)).toBeLessThan(100);
});
