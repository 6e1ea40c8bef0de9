// Which stored entries a consumer would not get: as the matcher says that goes by the entries themselves.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENTRY_KINDS, type LogEntry } from '../../src/domain/events/event.js';
import { compileCriteria, type EventCriteria } from '../../src/domain/events/event-filter.js';
import { MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { eventCalls } from '../support/events/event-calls.js';
import { useServer } from '../support/server/suite.js';

const suite = useServer();
const { occur, invalidate } = eventCalls(suite);
let database: Database;
let log: MysqlEventLog;

beforeAll(() => {
  database = new Database({ url: suite.database.url, poolSize: 2, random: Math.random });
  log = new MysqlEventLog({ database, names: new Names() });
});
afterAll(() => database.close());

describe('the entries that criteria do not select', () => {
  const CONTEXTS = ['default', 'others'];
  let entries: readonly LogEntry[];
  beforeAll(async () => {
    const pick = (n: number, ...texts: string[]) => texts[n % texts.length] ?? '';
    for (let n = 0; n < 60; n += 1) {
      const { id } = await occur(
        pick(n, 'x', 'y', 'z'),
        { n },
        {
          ...{ context: pick(n, ...CONTEXTS), stream: pick(n, '', 's', 't', '', 'u'), issuer: 'shop' },
          ...{ tag: pick(n, '', 'red', 'blue'), to: pick(n, '', '', 'c', 'd'), replyTo: pick(n, '', '', '', 'c') },
        },
      );
      if (n % 7 === 0) await invalidate(id);
    }
    const { position } = await log.readHead();
    entries = await log.readAt(Array.from({ length: position }, (_, n) => n + 1));
  });

  it('are those that the matcher refuses, but for what only payloads tell', async () => {
    const list = (...names: string[]) => fc.subarray(names);
    const criteria: fc.Arbitrary<EventCriteria> = fc.record({
      context: fc.constantFrom('default', 'others', 'all', 'never used'),
      topics: list('x', 'y', 'never used'),
      streams: list('s', 't', 'never used'),
      tags: list('red', 'none'),
      issuers: list('shop', 'nobody'),
      kinds: fc.subarray([...ENTRY_KINDS]),
      consumer: fc.constantFrom('c', 'other'),
      ignoreOwn: fc.boolean(),
    });
    const positions = entries.map(({ position }) => position);
    await fc.assert(
      fc.asyncProperty(criteria, async (wanted) => {
        const matches = compileCriteria(wanted);
        const expected = entries.filter((entry) => !matches(entry)).map(({ position }) => position);
        expect([...(await log.othersAt(wanted, positions))].sort((a, b) => a - b)).toEqual(expected);
        const described = await log.othersAt({ ...wanted, description: '{"n":1}' }, positions);
        expect([...described].sort((a, b) => a - b)).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it('are none of what is not stored', async () => {
    expect(await log.othersAt({ context: 'never used' }, [1, 999_999_999])).toEqual(new Set([1]));
    expect(await log.othersAt({ context: 'default' }, [])).toEqual(new Set());
  });
});
