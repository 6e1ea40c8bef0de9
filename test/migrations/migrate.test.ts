// How an older schema becomes today's: by the command, by two servers at once, and in spite of ends in the middle.

import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../src/storage/mysql/migrations/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { FaultyProxy, type Statement } from '../support/database/faulty-proxy.js';
import { jsonPayload } from '../support/events/builders.js';
import { ContractClient, loadContract } from '../support/migrations/contract.js';
import { type Dump, listDumps, restoreDump } from '../support/migrations/dumps.js';
import { migrateDatabase } from '../support/migrations/migrate.js';
import { expectedReadings, readEverything } from '../support/migrations/readings.js';
import { newSchema, schemaText } from '../support/migrations/schema-text.js';
import { TestProcess } from '../support/server/process.js';
import { ServerProcess, startServer } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const DUMPS = listDumps();
const OLDEST = DUMPS[0] as Dump;
const LATEST = MIGRATIONS.length;
const LATER = (version: number) => MIGRATIONS.slice(version).map(({ name }) => name);

/** Changes something that the next run has to find as it is. */
function isWrite({ command, text }: Statement): boolean {
  return command !== 'prepare' && /^\s*(CREATE|ALTER|INSERT|UPDATE|DELETE)/i.test(text);
}

/** The same for the same step of another run. */
function stepOf({ text }: Statement): string {
  return text.replace(/'\d{4}-\d\d-\d\d [\d:.]+'/g, 'now');
}

describe('madeleine migrate', () => {
  let database: TestDatabase;
  afterEach(() => database.drop());

  it.each(DUMPS)('brings $name up to date, and a second time changes nothing', async (dump) => {
    database = await restoreDump(dump);
    expect(await migrateDatabase(database.url)).toEqual({ version: LATEST, applied: LATER(dump.version) });
    const schema = await schemaText(database.adminUrl);
    expect(await migrateDatabase(database.url)).toEqual({ version: LATEST, applied: [] });
    expect(await schemaText(database.adminUrl)).toBe(schema);
  });
});

describe('failed attempts of before', () => {
  let database: TestDatabase;
  afterEach(() => database.drop());

  it.each(DUMPS)('do not count any more, and those of later stay: $name', async (dump) => {
    database = await restoreDump(dump);
    const connection = await createConnection(database.adminUrl);
    const failed = async () => {
      const [rows] = await connection.query('SELECT DISTINCT attempts + losses AS failed FROM consumer_trouble');
      return (rows as { failed: number }[]).map((row) => Number(row.failed));
    };
    try {
      expect(Math.max(...(await failed()))).toBeGreaterThan(0);
      await migrateDatabase(database.url);
      expect(await failed()).toEqual([0]);
      await connection.query('UPDATE consumer_trouble SET attempts = 3');
      await migrateDatabase(database.url);
      expect(await failed()).toEqual([3]);
    } finally {
      await connection.end();
    }
  });
});

describe('two servers that are started at once on an old schema', () => {
  let database: TestDatabase;
  let servers: readonly ServerProcess[] = [];
  beforeAll(async () => {
    database = await restoreDump(OLDEST);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await database.drop();
  });

  it('both come up and serve the one log', async () => {
    const settings = { databaseUrl: database.url };
    servers = await Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
    const contract = await loadContract();
    const clients = servers.map(({ address }) => new ContractClient(address, contract));
    try {
      const positions: bigint[] = [];
      for (const { events } of clients) {
        const payload = jsonPayload({ from: 'both' });
        const { event } = await events.pushEvent({ event: { topic: 'both', issuer: 'both', stream: 'both', payload } });
        positions.push(event?.position ?? 0n);
      }
      const head = positions[0] ?? 0n;
      expect(positions).toEqual([head, head + 1n]);
      // What is told of consumers counts up to the head that the asked server knows; a position that is named moves it there.
      for (const { events } of clients) {
        for await (const { events: later } of events.readEvents({ afterPosition: head + 1n }))
          expect(later).toEqual([]);
      }
      const [one, other] = await Promise.all(clients.map((client) => readEverything(client)));
      expect(one).toEqual(other);
    } finally {
      for (const client of clients) client.close();
    }
  });
});

describe('a migration that is interrupted', () => {
  let database: TestDatabase;
  let proxy: FaultyProxy;
  async function begin(made: Promise<TestDatabase>): Promise<void> {
    database = await made;
    proxy = new FaultyProxy(database.url);
    await proxy.start();
  }
  afterEach(async () => {
    await proxy.stop();
    await database.drop();
  });

  /** Lets migrations run until one gets to its end; each of the others is cut off after a step that none was before. */
  async function migrateStepByStep(): Promise<number> {
    const cut = new Set<string>();
    const isNew = (statement: Statement) => isWrite(statement) && !cut.has(stepOf(statement));
    for (;;) {
      const fault = proxy.inject({
        harm: { kind: 'cut after' },
        when: (statement) => isNew(statement) && cut.add(stepOf(statement)) !== undefined,
      });
      const outcome = await migrateDatabase(proxy.url).catch(() => undefined);
      fault.end();
      if (fault.hits === 0) {
        expect(outcome?.version).toBe(LATEST);
        return cut.size;
      }
    }
  }

  it.each(DUMPS)('goes on after each of its steps: $name', async (dump) => {
    await begin(restoreDump(dump));
    await migrateStepByStep();
    expect(await schemaText(database.adminUrl)).toBe(await newSchema());
    await expectReadings(dump, database);
  });

  it('goes on after each of its steps: a new database', async () => {
    await begin(createTestDatabase());
    expect(await migrateStepByStep()).toBeGreaterThan(20);
    expect(await schemaText(database.adminUrl)).toBe(await newSchema());
  });

  it('is run again after kill -9 in its middle', async () => {
    await begin(restoreDump(OLDEST));
    const fault = proxy.inject({
      harm: { kind: 'hang' },
      when: ({ text }) => text.includes('TABLE IF NOT EXISTS cawin'),
    });
    const environment = { MADELEINE_DATABASE_URL: proxy.url };
    const killed = new TestProcess({ file: 'src/main.ts', arguments: ['migrate'], environment });
    await waitUntil(() => fault.hits === 1, { what: 'the migration is in its middle', timeoutMs: 20_000 });
    await killed.end('SIGKILL');
    const { applied } = await migrateDatabase(database.url);
    expect(applied).toEqual(LATER(3));
    expect(await schemaText(database.adminUrl)).toBe(await newSchema());
    await expectReadings(OLDEST, database);
  });
});

async function expectReadings(dump: Dump, database: TestDatabase): Promise<void> {
  const server = await startServer({ databaseUrl: database.url });
  const client = new ContractClient(server.address, await loadContract());
  try {
    expect(await readEverything(client, Object.keys(dump.readings))).toEqual(expectedReadings(dump.readings));
  } finally {
    client.close();
    await server.stop();
  }
}
