// Makes a dump of what the server of an earlier commit stores, and writes beside it what that server answers about it:
//
//   npx tsx test/migrations/make-dump.ts COMMIT
//
// README.md here says which commits have one, and why. Nothing is changed outside dumps/.

import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { createTestDatabase } from '../support/database/database.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import type { ContractClient } from '../support/migrations/contract.js';
import { DUMPS, type Expected } from '../support/migrations/dumps.js';
import { makeConsumers } from '../support/migrations/old-consumers.js';
import { EVENTS } from '../support/migrations/old-events.js';
import { checkOut, withOldServer } from '../support/migrations/old-server.js';
import { makeCawins, makeWaits } from '../support/migrations/old-waits.js';
import { type Readings, readEverything } from '../support/migrations/readings.js';

const run = promisify(execFile);
/** Deadlines that lie ahead are put off by so much, so that they lie ahead whenever the dump is read. */
const CENTURY_MICROS = 100n * 365n * 86_400n * 1_000_000n;
const NOW_MICROS = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
const DEADLINES: readonly (readonly [table: string, column: string])[] = [
  ['wait', 'expires_at'],
  ['cawin', 'expires_at'],
  ['cawin', 'deadline'],
  ['firing', 'due_at'],
  ['endpoint', 'ready_at'],
  ['endpoint', 'next_probe_at'],
];
/** BIGINT UNSIGNED's greatest value stands for never. */
const NEVER = '18446744073709551615';

/** By each of the three ways to push, one after the other. */
async function writeEvents({ events, contract }: ContractClient): Promise<void> {
  const requests = EVENTS.map((event) => ({ event }));
  await events.pushEvents({ events: requests.slice(0, 5) });
  async function* batches() {
    yield contract.events.PushEventStreamRequest.fromPartial({
      batchId: 1n,
      events: requests.slice(5, 8),
      atomic: true,
    });
    yield contract.events.PushEventStreamRequest.fromPartial({ batchId: 2n, events: requests.slice(8, 11) });
  }
  for await (const { results } of events.pushEventStream(batches())) {
    if (results.some(({ result }) => result?.$case !== 'receipt')) throw new Error(JSON.stringify(results));
  }
  for (const request of requests.slice(11)) await events.pushEvent(request);
}

async function writeHistory(client: ContractClient): Promise<void> {
  await writeEvents(client);
  await makeConsumers(client);
  if (client.contract.waits === undefined) return;
  await makeWaits(client);
  await makeCawins(client);
}

async function putOffDeadlines(url: string): Promise<void> {
  const connection = await createConnection(url);
  try {
    const [tables] = await connection.query<RowDataPacket[]>('SHOW TABLES');
    const present = new Set(tables.map((row) => String(Object.values(row)[0])));
    for (const [table, column] of DEADLINES) {
      if (!present.has(table)) continue;
      const condition = `${column} > ${NOW_MICROS} AND ${column} < ${NEVER}`;
      await connection.query(`UPDATE ${table} SET ${column} = ${column} + ${CENTURY_MICROS} WHERE ${condition}`);
    }
  } finally {
    await connection.end();
  }
}

/** The database as SQL that names neither users nor versions, a row a line. */
async function dump(url: string): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const options = ['--skip-comments', '--hex-blob', '--order-by-primary', '--skip-extended-insert', '--skip-add-locks'];
  const server = [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, '--protocol=tcp'];
  const character = '--default-character-set=utf8mb4';
  const { stdout } = await run('mariadb-dump', ['--no-defaults', ...options, ...server, character, pathname.slice(1)], {
    env: { ...process.env, MYSQL_PWD: decodeURIComponent(password) },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.replace(/^\/\*M?!999999.*\n/m, '').replace(/DEFINER=\S+ (?=SQL SECURITY)/g, '');
}

/** As JSON with an item of a list on a line. */
function toLines(value: unknown): string {
  if (Array.isArray(value))
    return value.length === 0 ? '[]' : `[\n${value.map((one) => JSON.stringify(one)).join(',\n')}\n]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${toLines(member)}`);
  return `{\n${members.join(',\n')}\n}`;
}

async function readVersion(url: string): Promise<number> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT version FROM schema_info');
    return Number(rows[0]?.version);
  } finally {
    await connection.end();
  }
}

async function makeDump(commit: string): Promise<string> {
  const checkout = await checkOut(commit);
  const mariadb = new PrivateDatabase();
  try {
    await mariadb.start();
    const { url } = await createTestDatabase(mariadb.adminUrl);
    await withOldServer(checkout, url, writeHistory);
    await putOffDeadlines(url);
    let readings: Readings = {};
    await withOldServer(checkout, url, async (client) => {
      readings = await readEverything(client);
    });
    const version = await readVersion(url);
    const name = `${String(version).padStart(4, '0')}-${commit}`;
    const expected: Expected = { commit, version, readings };
    await writeFile(new URL(`${name}.sql`, DUMPS), await dump(url));
    await writeFile(new URL(`${name}.expected.json`, DUMPS), `${toLines(expected)}\n`);
    return name;
  } finally {
    await mariadb.stop();
    await rm(checkout, { recursive: true });
  }
}

const [commit] = process.argv.slice(2);
if (commit === undefined || !/^[0-9a-f]{7}$/.test(commit)) {
  process.stderr.write('usage: npx tsx test/migrations/make-dump.ts COMMIT (seven digits)\n');
  process.exit(1);
}
process.stdout.write(`dumps/${await makeDump(commit)}\n`);
// grpc-js keeps what it was given of subscriptions that were cut off.
process.exit(0);
