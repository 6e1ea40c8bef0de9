// The search for a text on the real database: what it may have is all that has it, and how much is looked at for it is bounded.

import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../generated/madeleine/v1/event.js';
import { Subject } from '../../generated/madeleine/v1/event.js';
import type { EventCriteria } from '../../src/domain/events/event-filter.js';
import { SearchText } from '../../src/domain/events/search-text.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { MysqlEventSearch } from '../../src/storage/mysql/log/event-search.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { SEARCH_LOOK } from '../../src/storage/ports/search-storage.js';
import { bytesPayload, jsonPayload, newEvent } from '../support/events/builders.js';
import { useServer } from '../support/server/suite.js';

const suite = useServer();
const FILLERS = 9_000;
const EVERYWHERE: EventCriteria = { context: 'all' };
let database: Database;
let search: MysqlEventSearch;
let log: MysqlEventLog;
let connection: Connection;
let head = 0;

const TEXTS = [
  'Orders',
  'caf\u00e9',
  'CAF\u00c9',
  '\u00e3\u00a9',
  '100%',
  'a_b',
  'C:\\dir',
  'say "hi"',
  "it's",
  'a/b',
  '\u{1f600}',
  'x',
];

/** An event for each text in each of its fields. */
function eventsWith(text: string): Partial<NewEvent>[] {
  return [
    { topic: `t ${text}` },
    { stream: `s ${text}`, issuer: `s ${text}` },
    { issuer: `i ${text}` },
    ...[
      { to: text },
      { replyTo: text },
      { tag: `${text}${text}` },
      { entityType: text },
      { organization: text },
      { unit: text },
    ],
    ...[{ sessionId: text }, { correlationId: text }, { causedBy: text }, { dataSubject: text }],
    { properties: { key: `p ${text} p` } },
    { properties: { [`k ${text}`]: 'v' } },
    { system: { id: text, name: '', time: undefined, timezone: '' } },
    { trigger: { type: '', name: text } },
    { payload: jsonPayload({ deep: [{ text }] }) },
    { payload: bytesPayload(JSON.stringify({ text }).replaceAll('/', '\\/')) },
    { payload: bytesPayload(`\u0000\u0001${text}`, 'application/octet-stream') },
    { payload: jsonPayload({ text: { text } }), description: { text: { text } } },
  ];
}

beforeAll(async () => {
  for (const text of TEXTS) {
    for (const event of eventsWith(text))
      await suite.client.events.pushEvent({ event: newEvent({ topic: 'plain', ...event }) });
  }
  for (let n = 0; n < FILLERS; n += 1_000) {
    const events = Array.from({ length: 1_000 }, (_, index) => {
      const subject = index % 2 === 0 ? Subject.SUBJECT_CREATED : Subject.SUBJECT_UNSPECIFIED;
      return { event: newEvent({ topic: `filler ${index % 10}`, issuer: 'filler', subject }) };
    });
    await suite.client.events.pushEvents({ events });
  }
  database = new Database({ url: suite.database.url, poolSize: 1, random: Math.random });
  search = new MysqlEventSearch({ database, names: new Names() });
  log = new MysqlEventLog({ database, names: new Names() });
  head = (await log.readHead()).position;
  connection = await createConnection(suite.database.adminUrl);
}, 60_000);
afterAll(async () => {
  await connection.end();
  await database.close();
});

/** All looks of a search, one after the other. */
async function searched(text: string, criteria: EventCriteria, limit = 1_000): Promise<number[]> {
  const found: number[] = [];
  for (let upTo = head; upTo > 0; ) {
    const { positions, next } = await search.look(new SearchText(text), criteria, { after: 0, upTo, limit });
    expect(next).toBeLessThan(upTo);
    found.push(...positions);
    upTo = next;
  }
  return found;
}

async function rowsRead(work: () => Promise<unknown>): Promise<number> {
  const read = async () => {
    const rows = await database.query<RowDataPacket>("SHOW SESSION STATUS LIKE 'Handler_read%'");
    return rows.reduce((sum, row) => sum + Number(row['Value']), 0);
  };
  const before = await read();
  const look = (await read()) - before;
  await work();
  return (await read()) - before - 2 * look;
}

describe('a search', () => {
  it.each(TEXTS)('finds all that has %j, and newest first', async (text) => {
    const found = await searched(text, EVERYWHERE);
    expect(found).toEqual([...found].sort((a, b) => b - a));
    const wanted = new SearchText(text);
    const all: number[] = [];
    for (let after = 0; after < head; ) {
      const page = await log.readPage(EVERYWHERE, { after, upTo: head, limit: 1_000, maxBytes: 8 * 1024 * 1024 });
      all.push(...page.entries.filter((entry) => wanted.matchesOf(entry).length > 0).map(({ position }) => position));
      after = page.scannedTo;
    }
    expect(all.length).toBeGreaterThanOrEqual(20);
    expect(found).toEqual(expect.arrayContaining(all));
  });

  it('finds what the criteria select', async () => {
    const everywhere = await searched('created', EVERYWHERE);
    expect(everywhere).toHaveLength(FILLERS / 2);
    const some = await searched('created', { context: 'default', topics: ['filler 2', 'filler 3', 'filler 4'] });
    expect(some).toHaveLength((FILLERS / 10) * 2);
    expect(await searched('created', { context: 'default', topics: ['nowhere'] })).toEqual([]);
    expect(await searched('created', { context: 'elsewhere' })).toEqual([]);
    expect(await searched('filler', { context: 'default', streams: ['s x'] })).toEqual([]);
  });

  it('goes on where it had enough', async () => {
    const whole = await searched('created', EVERYWHERE);
    expect(await searched('created', EVERYWHERE, 100)).toEqual(whole);
  });

  it.each([
    ['everywhere', EVERYWHERE],
    ['in topics', { context: 'default', topics: ['filler 0', 'filler 1'] }],
    ['of an issuer that is nowhere', { context: 'default', issuers: ['nobody'] }],
    ['in a topic, of an issuer that is nowhere', { context: 'default', topics: ['filler 0'], issuers: ['nobody'] }],
  ])('looks at no more rows than it may: %s', async (_, criteria) => {
    const text = new SearchText('no such text');
    const look = () => search.look(text, criteria, { after: 0, upTo: head, limit: 1_000 });
    await look();
    // Ranges, sizes and the text: each row three times, with the names of its topic; never more, however long the log.
    expect(await rowsRead(look)).toBeLessThanOrEqual(SEARCH_LOOK.entries * 5);
    expect((await look()).next).toBeGreaterThanOrEqual(0);
  });

  it('ends a look where its long entries have enough bytes, and goes on', async () => {
    const long = 'y'.repeat(200_000);
    for (let n = 0; n < 50; n += 1) {
      const payload = bytesPayload(`${n} needle ${long}`, 'text/plain');
      await suite.client.events.pushEvent({ event: newEvent({ topic: 'long', payload }) });
    }
    const { position } = await log.readHead();
    const found: number[] = [];
    let looks = 0;
    for (let upTo = position; upTo > position - 50; looks += 1) {
      const text = new SearchText('Needle');
      const { positions, next, bytes } = await search.look(text, EVERYWHERE, {
        after: position - 50,
        upTo,
        limit: 1_000,
      });
      expect(bytes).toBeLessThanOrEqual(SEARCH_LOOK.bytes);
      expect(next).toBeLessThan(upTo);
      found.push(...positions);
      upTo = next;
    }
    expect(found).toEqual(Array.from({ length: 50 }, (_, n) => position - n));
    expect(looks).toBeGreaterThan(1);
    expect(looks).toBeLessThan(10);
  });

  it('finds what was pushed with a message id, in its context and in all', async () => {
    const messageId = '0193f0a4-5b5c-7d1e-8f3a-0123456789ab';
    const positions: number[] = [];
    for (const context of ['one', 'two']) {
      const { event } = await suite.client.events.pushEvent({ event: newEvent({ context, messageId }) });
      positions.unshift(Number(event?.position));
    }
    expect(await search.pushedAs(messageId, 'all')).toEqual(positions);
    expect(await search.pushedAs(messageId, 'one')).toEqual([positions[1]]);
    expect(await search.pushedAs(messageId, 'default')).toEqual([]);
  });

  it('tells when an entry was created', async () => {
    const { position, createdAt } = await log.readHead();
    expect(await search.createdAt(position)).toBe(createdAt);
    expect(await search.createdAt(position + 1)).toBeUndefined();
  });
});
