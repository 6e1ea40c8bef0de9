// Where events lie, by any of their ids, as the pieces that look at one event say.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntryKind } from '../../src/domain/events/event.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { MysqlEventPlaceStore } from '../../src/storage/mysql/log/event-place-store.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { eventCalls } from '../support/events/event-calls.js';
import { useServer } from '../support/server/suite.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useServer();
const { push, occur, await_, invalidate } = eventCalls(suite);
let database: Database;
let store: MysqlEventPlaceStore;
let log: MysqlEventLog;

beforeAll(() => {
  database = new Database({ url: suite.database.url, poolSize: 2, random: Math.random });
  store = new MysqlEventPlaceStore({ database, names: new Names() });
  log = new MysqlEventLog({ database, names: new Names() });
});
afterAll(() => database.close());

const positionsOf = async (id: bigint) => (await store.positionsOf([Number(id)])).get(Number(id));
/** Kinds and positions of the entries that have the id as their own. */
const entriesOf = async (id: bigint) =>
  (await log.findByEventId(Number(id))).map(({ kind, position }) => [kind, position] as const);

describe('the positions of an event', () => {
  it('are those of its entries, of one that was withdrawn two', async () => {
    const { id, position } = await occur('places', { n: 1 });
    expect(await positionsOf(id)).toEqual([Number(position)]);
    await invalidate(id);
    const [, withdrawn] = await entriesOf(id);
    expect(withdrawn?.[0]).toBe(EntryKind.INVALIDATED);
    expect(await positionsOf(id)).toEqual([Number(position), withdrawn?.[1]]);
  });

  it('are found by every wait that it ended', async () => {
    const [first, second] = [await await_('places', { a: 1 }), await await_('places', { b: 2 })];
    expect(await store.positionsOf([Number(first.id), Number(second.id)])).toEqual(new Map());
    const { id, position, satisfiedIds } = await occur('places', { a: 1, b: 2 });
    expect([id, satisfiedIds]).toEqual([first.id, [second.id]]);
    await invalidate(second.id);
    const both = (await entriesOf(id)).map(([, at]) => at);
    expect(both).toEqual([Number(position), expect.any(Number)]);
    for (const one of [first, second]) expect(await positionsOf(one.id)).toEqual(both);
  });

  it('are that of its end for a wait that expired or was withdrawn', async () => {
    const { id } = await await_('places', { never: 1 }, {}, { waitTimeout: { seconds: 0n, nanos: 50_000_000 } });
    const [position] = await waitUntil(() => positionsOf(id), { what: 'the wait has expired' });
    expect(await entriesOf(id)).toEqual([[EntryKind.EXPIRED, position]]);
    const other = await await_('places', { never: 2 });
    await invalidate(other.id);
    expect(await entriesOf(other.id)).toEqual([[EntryKind.INVALIDATED, (await positionsOf(other.id))?.[0]]]);
  });

  it('come of many at once, and of none', async () => {
    const events = Array.from({ length: 700 }, (_, n) => ({ topic: `many ${n % 3}` }));
    const pushed = await Promise.all(events.map((event) => push(event)));
    const ids = pushed.map(({ id }) => Number(id));
    const found = await store.positionsOf([...ids, ...ids, 999_999_999]);
    expect([...found].sort(([a], [b]) => a - b)).toEqual(
      pushed.map(({ id, position }) => [Number(id), [Number(position)]]).sort(([a], [b]) => Number(a) - Number(b)),
    );
    expect(await store.positionsOf([])).toEqual(new Map());
  });
});

describe('the event of a push', () => {
  it('is known by the message id in its context, whether or not it left an entry', async () => {
    const [entered, awaited, found] = [randomUUID(), randomUUID(), randomUUID()];
    const event = await occur('pushed', { n: 7 }, { messageId: entered });
    const wait = await await_('pushed', { n: 8 }, { messageId: awaited });
    const again = await await_('pushed', { n: 7 }, { messageId: found });
    expect(again.id).toBe(event.id);
    const asked = [entered, awaited, found, randomUUID(), entered];
    expect(await store.pushedAs('default', asked)).toEqual(
      new Map([
        [entered, { eventId: Number(event.id), isEntered: true }],
        [awaited, { eventId: Number(wait.id), isEntered: false }],
        [found, { eventId: Number(event.id), isEntered: false }],
      ]),
    );
    for (const context of ['elsewhere', 'all']) expect(await store.pushedAs(context, asked)).toEqual(new Map());
  });
});
