// To which of some streams events were pushed: with few statements, whatever the number of names and contexts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MysqlStreamStore } from '../../src/storage/mysql/log/stream-store.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { eventCalls } from '../support/events/event-calls.js';
import { useServer } from '../support/server/suite.js';

const suite = useServer();
const { push } = eventCalls(suite);
let database: Database;
let store: MysqlStreamStore;

beforeAll(async () => {
  database = new Database({ url: suite.database.url, poolSize: 2, random: Math.random });
  store = new MysqlStreamStore({ database, names: new Names() });
  for (const [context, stream] of [
    ['default', 'here'],
    ['default', 'both'],
    ['elsewhere', 'both'],
    ['elsewhere', 'there'],
  ] as const) {
    await push({ context, stream });
  }
});
afterAll(() => database.close());

describe('the streams that were pushed to', () => {
  it.each([
    ['default', ['here', 'both']],
    ['elsewhere', ['both', 'there']],
    ['all', ['here', 'both', 'there']],
    ['never used', []],
  ])('are told apart in %s', async (context, expected) => {
    const asked = ['here', 'Here', 'here ', 'both', 'both', 'there', 'nowhere', "'; DROP TABLE stream; --"];
    for (let again = 0; again < 2; again += 1) expect(await store.pushedTo(context, asked)).toEqual(new Set(expected));
    expect(await store.pushedTo(context, [])).toEqual(new Set());
  });

  it('are found among many names', async () => {
    const many = Array.from({ length: 99 }, (_, n) => `stream ${n}`);
    for (const context of ['default', 'all']) {
      expect(await store.pushedTo(context, [...many, 'both'])).toEqual(new Set(['both']));
    }
  });
});
