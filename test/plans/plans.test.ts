// What the storage's operations cost the database, in rows that it examines, on logs that are large enough for an optimizer to go
// astray: of one topic and of several, at their beginning, in the middle and at the end, with true statistics and with such as mislead.

import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testEngineName } from '../support/database/engines.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { type AgedLog, FAST, makeAgedLog, type Variety } from './aged-log.js';
import { ExaminedRows } from './examined-rows.js';
import { HOT_OPERATIONS, type HotOperation, PLACES, Storage } from './hot-operations.js';
import { isUncounted, STATISTICS, type StatisticsName, setStatistics } from './statistics.js';

const MAKING_MS = 300_000;
const VARIETIES: readonly Variety[] = ['one', 'several'];
const server = new PrivateDatabase({ arguments: FAST });
const logs = new Map<Variety, AgedLog>();
let examined: ExaminedRows;

beforeAll(async () => {
  await server.start();
  examined = await ExaminedRows.on(server.adminUrl);
  for (const log of await Promise.all(VARIETIES.map((variety) => makeAgedLog(server, variety))))
    logs.set(log.variety, log);
}, MAKING_MS);
afterAll(async () => {
  await examined?.close();
  await server.stop();
});

describe.each(VARIETIES)('on a log of %s topic(s)', (variety) => {
  describe.each(Object.keys(STATISTICS) as StatisticsName[])('with statistics %s', (name) => {
    let storage: Storage;
    beforeAll(async () => {
      const log = logs.get(variety);
      if (log === undefined) throw new Error('the log was not made');
      await setStatistics(log, name);
      storage = new Storage(log);
    }, MAKING_MS);
    afterAll(() => storage.close());

    it.each(operationsWith(name))('$of examines few rows wherever it reads: $what', async ({ run, atMost }) => {
      // Connections, and names that are looked up once.
      await run(storage, PLACES[0] as (typeof PLACES)[number]).catch(() => undefined);
      const rows: Record<string, number> = {};
      for (const place of PLACES) rows[place.name] = await examined.during(() => run(storage, place));
      for (const [place, read] of Object.entries(rows)) {
        expect(read, `at ${place}; ${JSON.stringify(rows)}`).toBeLessThanOrEqual(atMost);
      }
    });
  });
});

/** Those that the engine can be kept from harm with. */
function operationsWith(statistics: StatisticsName): readonly HotOperation[] {
  if (testEngineName() !== 'mysql' || !isUncounted(statistics)) return HOT_OPERATIONS;
  return HOT_OPERATIONS.filter(({ needsCount }) => needsCount !== true);
}

describe('the table of operations', () => {
  it('has every method of every store', async () => {
    const tested = new Set(HOT_OPERATIONS.map(({ of }) => of));
    const methods = await storeMethods();
    expect(methods.length).toBeGreaterThan(40);
    expect(methods.filter((method) => !tested.has(method))).toEqual([]);
  });
});

/** `Class.method` of what the files of stores export. */
async function storeMethods(): Promise<string[]> {
  const root = new URL('../../src/storage/mysql/', import.meta.url);
  const paths = (await readdir(root, { recursive: true })).filter((path) => /(-store|event-log)\.ts$/.test(path));
  const modules = await Promise.all(paths.map((path) => import(new URL(path, root).href) as Promise<object>));
  const classes = modules.flatMap((module) => Object.values(module)).filter((value) => typeof value === 'function');
  return classes.flatMap(({ name, prototype }) =>
    Object.getOwnPropertyNames(prototype ?? {})
      .filter((method) => method !== 'constructor')
      .map((method) => `${name}.${method}`),
  );
}
