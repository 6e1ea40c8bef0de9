// Pages of the log on the real database: whatever the sizes of payloads, page after page gives each event once and whole, and no
// page holds more bytes than it may.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../src/domain/events/event.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { bytesPayload, newEvent } from '../support/events/builders.js';
import { useServer } from '../support/server/suite.js';

/** Small ones next to each other, single large ones, several large ones next to each other, an empty one. */
const SIZES = Array.from({ length: 400 }, (_, n) => (n === 7 ? 0 : n % 50 > 45 ? 150_000 : n % 31 === 3 ? 9_000 : n));
const suite = useServer();
let database: Database;
let log: MysqlEventLog;

beforeAll(async () => {
  for (const [n, size] of SIZES.entries()) {
    const payload = bytesPayload(String.fromCharCode(97 + (n % 26)).repeat(size), 'text/plain');
    await suite.client.events.pushEvent({ event: newEvent({ topic: `topic ${n % 2}`, payload }) });
  }
  database = new Database({ url: suite.database.url, poolSize: 2, random: Math.random });
  log = new MysqlEventLog({ database, names: new Names() });
});
afterAll(() => database.close());

const bytesOf = (entries: readonly LogEntry[]) =>
  entries.reduce((sum, { payload }) => sum + (payload?.bytes.byteLength ?? 0), 0);

/** All pages one after the other. */
async function readAll(topics: readonly string[] | undefined, limit: number, maxBytes: number): Promise<LogEntry[]> {
  const criteria = { context: 'default', ...(topics && { topics }) };
  const entries: LogEntry[] = [];
  for (let after = 0; after < SIZES.length; ) {
    const page = await log.readPage(criteria, { after, upTo: SIZES.length, limit, maxBytes });
    if (page.entries.length > 1) expect(bytesOf(page.entries)).toBeLessThanOrEqual(maxBytes);
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    expect(page.scannedTo).toBeGreaterThan(after);
    entries.push(...page.entries);
    after = page.scannedTo;
  }
  return entries;
}

/** All positions, page after page from either end; what a page tells is ascending. */
async function allPositions(topics: readonly string[] | undefined, limit: number, newestFirst: boolean) {
  const criteria = { context: 'default', ...(topics && { topics }) };
  const found: number[] = [];
  let [after, upTo] = [0, SIZES.length];
  while (after < upTo) {
    const { positions, scannedTo } = await log.readPositions(criteria, { after, upTo, limit, newestFirst });
    if (newestFirst) found.unshift(...positions);
    else found.push(...positions);
    expect(positions.length).toBeLessThanOrEqual(limit);
    [after, upTo] = newestFirst ? [after, scannedTo] : [scannedTo, upTo];
  }
  return found;
}

describe('pages of the log', () => {
  it.each([undefined, ['topic 0'], ['topic 0', 'topic 1'], ['no topic']])(
    'give the same positions from either end: %j',
    async (wanted) => {
      const isWanted = (n: number) => wanted === undefined || wanted.includes(`topic ${n % 2}`);
      const expected = SIZES.map((_, n) => n).filter(isWanted);
      for (const newestFirst of [true, false]) {
        const found = await allPositions(wanted, 33, newestFirst);
        expect(found).toEqual(expected.map((n) => n + 1));
      }
    },
  );

  const limits = fc.constantFrom(1, 10, 64, 100, 256, 1_000);
  const bytes = fc.oneof(fc.constantFrom(1, 200_000, 2 * 1024 * 1024), fc.integer({ min: 1, max: 700_000 }));
  const topics = fc.constantFrom(undefined, ['topic 0'], ['topic 0', 'topic 1']);

  it('give every matching event once, whole and in order', async () => {
    await fc.assert(
      fc.asyncProperty(topics, limits, bytes, async (wanted, limit, maxBytes) => {
        const entries = await readAll(wanted, limit, maxBytes);
        const expected = SIZES.map((size, n) => ({
          position: n + 1,
          size,
          letter: String.fromCharCode(97 + (n % 26)),
        }));
        const matching = wanted?.length === 1 ? expected.filter(({ position }) => position % 2 === 1) : expected;
        expect(entries.map(({ position }) => position)).toEqual(matching.map(({ position }) => position));
        for (const [index, { payload }] of entries.entries()) {
          const { size, letter } = matching[index] as (typeof matching)[number];
          expect(Buffer.from(payload?.bytes ?? []).equals(Buffer.from(letter.repeat(size)))).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  }, 60_000);
});
