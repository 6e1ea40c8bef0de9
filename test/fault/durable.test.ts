// Durable before visible: InnoDB shows a commit before its redo is on disk. With slow flushes and a database that is
// killed at a random moment, nothing that anyone was shown or answered is gone afterwards, and no position is used twice.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { refusalOf } from '../support/contract/refusals.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { PrivateDatabase } from '../support/database/private-database.js';
import { storedEvents, storedRows } from '../support/database/proxied.js';
import { newEvent } from '../support/events/builders.js';
import { Follower } from '../support/events/follower.js';
import { History, missingFrom } from '../support/events/history.js';
import { propertyParameters } from '../support/property.js';
import { seededRandom } from '../support/random.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const { seed = Date.now() % 2 ** 31, numRuns: LIVES = 5 } = propertyParameters(5);
const FLUSH_DELAY_MS = 150;

/** What the redo log reaches the disk by. A write that was made survives the process, so writes have to be slow as well. */
const CALLS = 'pwrite64,fdatasync,fsync';

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Whether this machine lets us slow the flushes of a process down. */
function canSlowFlushes(): boolean {
  const options = ['-f', '-e', `trace=${CALLS}`, '-e', `inject=${CALLS}:delay_enter=1`];
  return spawnSync('strace', [...options, 'true'], { stdio: 'ignore' }).status === 0;
}

/** Makes each flush of the process take longer, until the process ends. */
async function slowFlushes(pid: number, delayMs = FLUSH_DELAY_MS): Promise<ChildProcess> {
  const delay = `inject=${CALLS}:delay_enter=${delayMs * 1000}`;
  const strace = spawn('strace', ['-f', '-p', String(pid), '-e', `trace=${CALLS}`, '-e', delay], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  strace.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk).slice(0, 10_000);
  });
  await waitUntil(() => output.includes('attached'), { what: 'strace is attached' });
  return strace;
}

interface Two {
  readonly mariadb: PrivateDatabase;
  readonly database: TestDatabase;
  readonly servers: ServerProcess[];
  readonly clients: TestClient[];
}

async function rowsOf({ adminUrl }: TestDatabase, sql: string): Promise<RowDataPacket[]> {
  const connection = await createConnection(adminUrl);
  try {
    return (await connection.query<RowDataPacket[]>(sql))[0];
  } finally {
    await connection.end();
  }
}

/** What the database itself finds wrong with the log: pages that its recovery has broken would look like events that we lost. */
async function brokenTables(database: TestDatabase): Promise<string[]> {
  const rows = await rowsOf(database, 'CHECK TABLE log, log_head');
  return rows.map(({ Msg_text: text }) => String(text)).filter((text) => text !== 'OK');
}

/** Two servers on a database server of their own. */
async function startTwo({ task }: TestContext): Promise<Two> {
  const mariadb = new PrivateDatabase();
  const servers: ServerProcess[] = [];
  stops.push(() => mariadb.stop());
  await mariadb.start();
  const database = await createTestDatabase(mariadb.adminUrl);
  const clients: TestClient[] = [];
  for (let n = 0; n < 2; n += 1) {
    const server = await ServerProcess.start({ databaseUrl: database.url, pollMs: '5' });
    servers.push(server);
    const client = new TestClient(server.address);
    clients.push(client);
    stops.push(async () => {
      client.close();
      await server.kill();
    });
  }
  stops.push(async () => {
    if (task.result?.state !== 'fail') return;
    const outputs = servers.map(({ output }, n) => `server ${n}:\n${output.slice(-20_000)}`);
    process.stderr.write([...outputs, `mariadbd:\n${(await mariadb.readLog()).slice(-10_000)}`, ''].join('\n'));
  });
  return { mariadb, database, servers, clients };
}

describe.skipIf(!canSlowFlushes())('a database that is killed while it flushes (needs strace)', () => {
  it(`loses nothing that was told (SEED=${seed})`, async (context) => {
    const random = seededRandom(seed);
    const { mariadb, database, servers, clients } = await startTwo(context);
    const [writer, reader] = clients as [TestClient, TestClient];
    const history = new History();
    const followers = [writer, reader].map((client) => new Follower(() => client, history));
    let running = true;
    const push = async () => {
      while (running) {
        const answer = await writer.events.pushEvent({ event: newEvent() }).catch(() => sleep(20));
        if (answer?.event !== undefined) history.answered(answer.event);
      }
    };
    const peek = async () => {
      while (running) {
        const newest = followers[1]?.position ?? 0;
        const peeked = await reader.events
          .peekEvent({ context: 'all', afterPosition: BigInt(newest) })
          .catch(() => sleep(20));
        if (peeked?.event !== undefined) history.shown(peeked.event);
      }
    };
    const load = [...Array.from({ length: 8 }, push), peek()];
    for (const follower of followers) follower.start();
    for (let life = 0; life < LIVES; life += 1) {
      const goal = (followers[1]?.events.length ?? 0) + 10;
      const strace = await slowFlushes(mariadb.pid);
      for (const server of servers) server.signal('SIGCONT');
      await waitUntil(() => (followers[1]?.events.length ?? 0) >= goal, {
        what: 'the reader is shown events',
        timeoutMs: 30_000,
      });
      await sleep(random() * 2 * FLUSH_DELAY_MS);
      const gone = once(strace, 'exit');
      await mariadb.kill();
      await gone;
      const told = history.told();
      // Nobody writes before the flushes are slow again: MariaDB 10.11.19 breaks B-trees of its own, with any client, in one of some
      // hundred crashes in which it was written to fast first and slowly then.
      for (const server of servers) server.signal('SIGSTOP');
      await mariadb.run();
      expect(await brokenTables(database), `the database's own tables, life ${life}`).toEqual([]);
      expect(missingFrom(await storedEvents(database), told), `life ${life}`).toEqual([]);
    }
    for (const server of servers) server.signal('SIGCONT');
    running = false;
    await Promise.all(load);
    const stored = await storedEvents(database);
    // What they have seen is told when they do not.
    await expect
      .poll(() => followers.map(({ position }) => position), { timeout: 10_000 })
      .toEqual(followers.map(() => stored.length));
    await Promise.all(followers.map((follower) => follower.stop()));
    expect(history.faults(stored)).toEqual([]);
    expect(followers.flatMap(({ faults }) => faults)).toEqual([]);
  });

  it('does not lose what a refusal rests on', async (context) => {
    const { mariadb, database, clients } = await startTwo(context);
    const [writer, other] = clients as [TestClient, TestClient];
    const strace = await slowFlushes(mariadb.pid, 400);
    const pushed = writer.events.pushEvent({ event: newEvent({ stream: 'contested' }) });
    pushed.catch(() => {});
    // Committed, as InnoDB shows it to others, and not yet on disk.
    await waitUntil(async () => (await storedRows(database)).length === 1, { what: 'the commit shows', intervalMs: 5 });
    const second = { event: newEvent({ stream: 'contested' }), expectedSequence: 0n };
    expect((await refusalOf(other.events.pushEvent(second))).reason).toBe('SEQUENCE_CONFLICT');
    const gone = once(strace, 'exit');
    await mariadb.kill();
    await gone;
    await mariadb.run();
    expect(await storedRows(database)).toMatchObject([{ position: 1, stream: 'contested', sequence: 1 }]);
  });

  it('does not lose a registration that a refusal rests on', async (context) => {
    const { mariadb, database, clients } = await startTwo(context);
    const [writer, other] = clients as [TestClient, TestClient];
    await writer.topics.registerTopic({ name: 'first', settings: { descriptionPaths: ['/id'] } });
    const registered = () => rowsOf(database, 'SELECT topic_id FROM registered_topic');
    const strace = await slowFlushes(mariadb.pid, 400);
    const first = writer.topics.registerTopic({ name: 'contested', settings: { descriptionPaths: ['/id'] } });
    first.catch(() => {});
    await waitUntil(async () => (await registered()).length === 2, { what: 'the commit shows', intervalMs: 5 });
    const second = other.topics.registerTopic({ name: 'contested', settings: { descriptionPaths: ['/other'] } });
    expect((await refusalOf(second)).reason).toBe('TOPIC_DIFFERS');
    const gone = once(strace, 'exit');
    await mariadb.kill();
    await gone;
    await mariadb.run();
    expect(await registered()).toHaveLength(2);
  });

  it('does not take the number of a name that was lost for the number of another', async (context) => {
    const { mariadb, database, servers, clients } = await startTwo(context);
    const [writer, other] = clients as [TestClient, TestClient];
    await writer.events.pushEvent({ event: newEvent() });
    await waitUntil(async () => (await other.events.listEvents({})).events.length === 1, { what: 'the first shows' });
    const strace = await slowFlushes(mariadb.pid, 400);
    const pushed = writer.events.pushEvent({ event: newEvent({ context: 'lost' }) });
    pushed.catch(() => {});
    await waitUntil(async () => (await storedRows(database)).length === 2, { what: 'the commit shows', intervalMs: 5 });
    expect((await other.events.listEvents({ filter: { context: 'lost' } })).events).toEqual([]);
    const gone = once(strace, 'exit');
    await mariadb.kill();
    await servers[0]?.kill();
    await gone;
    await mariadb.run();
    expect(await storedRows(database)).toHaveLength(1);
    const push = async (name: string) => (await other.events.pushEvent({ event: newEvent({ context: name }) })).event;
    const listed = async (name: string) => (await other.events.listEvents({ filter: { context: name } })).events;
    const first = await waitUntil(() => push('other').catch(() => undefined), { what: 'pushes are stored again' });
    expect(await listed('lost')).toEqual([]);
    const second = await push('lost');
    expect((await listed('lost')).map(({ id }) => id)).toEqual([second?.id]);
    expect((await listed('other')).map(({ id }) => id)).toEqual([first.id]);
  });
});
