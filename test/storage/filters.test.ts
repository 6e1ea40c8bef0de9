// Filters on the real database: pages, positions and what is left out are what the matcher says that goes by the entries themselves.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EntryKind, type LogEntry } from '../../src/domain/events/event.js';
import type { EventCriteria } from '../../src/domain/events/event-filter.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { planPage } from '../../src/storage/mysql/log/event-query.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { jsonPayload } from '../support/events/builders.js';
import { eventCalls } from '../support/events/event-calls.js';
import { naivelySelects, someCriteria, someEvent } from '../support/events/filters.js';
import { useServer } from '../support/server/suite.js';

const suite = useServer();
const { push, invalidate } = eventCalls(suite);
const names = new Names();
let database: Database;
let log: MysqlEventLog;
let entries: readonly LogEntry[];
/** What the payload of each event says. */
const saysOf = new Map<number, number>();

beforeAll(async () => {
  for (const [index, { n, ...event }] of fc.sample(someEvent, { numRuns: 150, seed: 1 }).entries()) {
    const { id } = await push({
      ...event,
      stream: event.stream ? `${event.context} ${event.stream}` : '',
      payload: jsonPayload({ n }),
    });
    saysOf.set(Number(id), n);
    if (index % 6 === 0) await invalidate(id);
  }
  database = new Database({ url: suite.database.url, poolSize: 2, random: Math.random });
  log = new MysqlEventLog({ database, names });
  const { position } = await log.readHead();
  entries = await log.readAt(Array.from({ length: position }, (_, n) => n + 1));
});
afterAll(() => database.close());

/** Positions of all pages, ascending. */
async function pages(criteria: EventCriteria, limit: number, newestFirst: boolean): Promise<number[]> {
  const found: number[] = [];
  let [after, upTo] = [0, entries.length];
  while (after < upTo) {
    const page = await log.readPage(criteria, { after, upTo, limit, maxBytes: 1_000, newestFirst });
    found.push(...page.entries.map(({ position }) => position));
    if (newestFirst) upTo = page.scannedTo;
    else after = page.scannedTo;
  }
  return newestFirst ? found.reverse() : found;
}

async function positions(criteria: EventCriteria, limit: number): Promise<number[]> {
  const found: number[] = [];
  for (let after = 0; after < entries.length; ) {
    const page = await log.readPositions(criteria, { after, upTo: entries.length, limit });
    found.push(...page.positions);
    after = page.scannedTo;
  }
  return found;
}

const selected = (criteria: EventCriteria) =>
  entries.filter((entry) => naivelySelects(criteria, entry, saysOf.get(entry.eventId))).map(({ position }) => position);

describe('a filter', () => {
  it('selects the same from the database as from memory, page by page and in both directions', async () => {
    const limits = fc.constantFrom(1, 7, 100, 1_000);
    await fc.assert(
      fc.asyncProperty(someCriteria, limits, fc.boolean(), async (said, limit, newestFirst) => {
        const criteria = { ...said, ...(said.streams && { streams: scoped(said.streams) }) };
        const expected = selected(criteria);
        expect(await pages(criteria, limit, newestFirst)).toEqual(expected);
        expect(await positions(criteria, limit)).toEqual(expected);
        const { description: _, properties: __, ...columns } = criteria;
        const others = await log.othersAt(
          columns,
          entries.map(({ position }) => position),
        );
        const told = selected(columns);
        expect(entries.map(({ position }) => position).filter((position) => !others.has(position))).toEqual(told);
      }),
      { numRuns: 300 },
    );
  });

  it('that is too wide to be repeated for each of its streams is left to the matcher in part', async () => {
    const wide = (name: string) => Array.from({ length: 100 }, (_, n) => `${name} ${n}`.padEnd(250, '.'));
    const criteria = {
      ...{ context: 'default', streams: scoped(['a', 'b']), kinds: [EntryKind.OCCURRED] },
      ...{ tags: [...wide('tag'), 'a'], units: [...wide('unit'), 'a'] },
    };
    const many = { ...criteria, streams: [...criteria.streams, ...wide('stream').slice(4)] };
    expect(await planPage(database, names.current, criteria)).toMatchObject({ undecided: undefined });
    expect(await pages(criteria, 10, false)).toEqual(selected(criteria));
    for (const stream of many.streams.slice(4)) await push({ stream });
    const plan = await planPage(database, names.current, many);
    // But for two names that are of another context.
    expect(plan?.sources).toHaveLength(98);
    const bytes = 100 * (plan?.values ?? []).reduce<number>((sum, value) => sum + Buffer.byteLength(String(value)), 0);
    expect(bytes).toBeLessThan(4 * 1024 * 1024);
    expect(plan?.undecided).toBeDefined();
    expect(await pages(many, 10, false)).toEqual(selected(criteria));
  });
});

/** A stream belongs to one context. */
function scoped(streams: readonly string[]): readonly string[] {
  return streams.flatMap((name) => [`default ${name}`, `others ${name}`]);
}
