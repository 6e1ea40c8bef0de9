// Events of the server's own topics in pages of the log, also where the numbers of those topics were not known when they were asked for:
// another instance has just made them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventCriteria } from '../../src/domain/events/event-filter.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { newEvent } from '../support/events/builders.js';
import { useServer } from '../support/server/suite.js';

const AUDIT = 'madeleine.audit';
const suite = useServer();
let database: Database;
let count = 0;

beforeAll(() => {
  database = new Database({ url: suite.database.url, poolSize: 2, random: Math.random });
});
afterAll(() => database.close());

/** A context with so many pairs of an event and an entry of the audit, and a log that knew of none of them. */
async function pairs(pairCount: number, { isKnown }: { readonly isKnown: boolean }) {
  const { events, consumers } = suite.client;
  const context = `context ${++count}`;
  const push = async () => (await events.pushEvent({ event: newEvent({ context }) })).event?.position ?? 0n;
  const first = Number(await push());
  const log = new MysqlEventLog({ database, names: new Names() });
  const upTo = () => first + 2 * pairCount;
  if (!isKnown) {
    for (const from of [context, 'all'])
      await log.readPage({ context: from }, { ...WHOLE, after: first - 1, upTo: first });
  }
  const positions: number[] = [];
  for (let n = 0; n < pairCount; n += 1) {
    await consumers.createConsumer({ context, name: `consumer ${n}` });
    positions.push(Number(await push()));
  }
  return { log, context, range: { after: first, upTo: upTo() }, positions };
}

const WHOLE = { limit: 1_000, maxBytes: 1 << 20 };

describe.each([true, false])('events of a topic of the server, whose number is known: %s', (isKnown) => {
  it.each<[what: string, criteria: (context: string) => EventCriteria, limit: number]>([
    ['of its context', (context) => ({ context }), 10],
    ['of its context, in one step', (context) => ({ context }), 100],
    ['of all contexts', () => ({ context: 'all' }), 10],
    ['of all contexts, in one step', () => ({ context: 'all' }), 100],
    ['of an issuer', (context) => ({ context, issuers: ['shop', 'madeleine'] }), 10],
    ['with a property', (context) => ({ context, description: '{"total":12.5}' }), 10],
  ])('are not in a page %s', async (_what, criteriaOf, limit) => {
    const { log, context, range, positions } = await pairs(6, { isKnown });
    const criteria = criteriaOf(context);
    const page = await log.readPage(criteria, { ...range, limit, maxBytes: 1 << 20 });
    const newest = await log.readPage(criteria, { ...range, limit, maxBytes: 1 << 20, newestFirst: true });
    const counted = await log.readPositions(criteria, { ...range, limit: 1_000 });
    const all = page.scannedTo < range.upTo ? positions.filter((position) => position <= page.scannedTo) : positions;
    expect(page.entries.map(({ position }) => position)).toEqual(all);
    expect(newest.entries.every(({ topic }) => topic === 'orders')).toBe(true);
    expect(counted).toEqual({ positions, scannedTo: range.upTo });
  });

  it('are not in a page that is read in one step, however large they are', async () => {
    const { log, context, range, positions } = await pairs(6, { isKnown });
    for (const criteria of [{ context }, { context: 'all' }]) {
      // No payload fits in a page of so few bytes: each is read anew.
      const page = await log.readPage(criteria, { ...range, limit: 100, maxBytes: 99 });
      const { scannedTo } = page;
      expect(page.entries.map((entry) => entry.position)).toEqual(positions.filter((each) => each <= scannedTo));
      const large = await log.readPage(criteria, { ...range, limit: 20_000, maxBytes: 20_000 });
      expect(large.entries.map((entry) => entry.position)).toEqual(positions);
    }
  });

  it('are among those that are not selected', async () => {
    const { log, context, range, positions } = await pairs(3, { isKnown });
    const all = Array.from({ length: range.upTo - range.after }, (_, n) => range.after + n + 1);
    const others = all.filter((position) => !positions.includes(position));
    for (const criteria of [{ context }, { context: 'all' }]) {
      expect(await log.othersAt(criteria, all)).toEqual(new Set(others));
      expect(await log.othersAt({ ...criteria, topics: [AUDIT] }, all)).toEqual(new Set(positions));
      expect(await log.othersAt({ ...criteria, withReserved: true }, all)).toEqual(new Set());
    }
  });

  it('are in a page for which they are named', async () => {
    const { log, context, range } = await pairs(3, { isKnown });
    const page = await log.readPage({ context, topics: [AUDIT] }, { ...range, ...WHOLE });
    expect(page.entries.map(({ topic }) => topic)).toEqual([AUDIT, AUDIT, AUDIT]);
    const whole = await log.readPage({ context: 'all', withReserved: true }, { ...range, ...WHOLE });
    expect(whole.entries).toHaveLength(6);
  });
});
