// `make bench`: each figure as a ratio to its limit, measured in the same run by the same client against its own processes.
// Figures and limits take turns, several rounds, and the medians count: a noisy neighbour then hits both.

import { createConnection } from 'mysql2/promise';
import { PrivateMariadb } from '../support/private-mariadb.js';
import { catchUp, noopStream } from './catch-up.js';
import { type Arm, batchRequest, pushRequest, RawClient } from './load.js';
import { type Running, startNoop, startServer } from './processes.js';
import { rawInserts } from './raw-inserts.js';
import { Report } from './report.js';

const PUSH = '/madeleine.v1.EventService/PushEvent';
const PUSH_STREAM = '/madeleine.v1.EventService/PushEventStream';
const UNARY_CALLS = 10_000;
const BATCHES = 1_000;
const BATCH_EVENTS = 100;
const CATCH_UP_EVENTS = 200_000;
const ROUNDS = 3;

const HELP = `Usage: make bench [ARGS="--only TEXT"]

Measures pushes and consumers as ratios to what this machine can do. Prints a table, and keeps the figures in .bench/.

  --only TEXT   only the figures whose name contains TEXT
  --strict      exit code 1 when a figure misses what it must reach`;

class Bench {
  readonly #report: Report;
  readonly #server: Running;
  readonly #noop: Running;
  readonly #rawUrl: string;
  readonly #only: string;

  constructor(options: { report: Report; server: Running; noop: Running; rawUrl: string; only: string }) {
    this.#report = options.report;
    this.#server = options.server;
    this.#noop = options.noop;
    this.#rawUrl = options.rawUrl;
    this.#only = options.only;
  }

  async run(): Promise<void> {
    await this.#if('PushEvent, 64 in flight, bytes', (figure) => this.#unary(figure, 'bytes', 64));
    await this.#if('PushEvent, 64 in flight, Value', (figure) => this.#unary(figure, 'value', 64));
    await this.#if('PushEventStream, 100 x 8, bytes', (figure) => this.#stream(figure, 'bytes', 0.6, 0.8));
    await this.#if('PushEventStream, 100 x 8, Value', (figure) => this.#stream(figure, 'value', 0.45, 0.7));
    await this.#if('Subscribe + Acknowledge, catching up', (figure) => this.#catchUp(figure));
  }

  async #if(figure: string, measure: (figure: string) => Promise<void>): Promise<void> {
    if (figure.toLowerCase().includes(this.#only.toLowerCase())) await measure(figure);
  }

  async #unary(figure: string, arm: Arm, inFlight: number): Promise<void> {
    const request = pushRequest(arm);
    const options = { inFlight, count: UNARY_CALLS };
    const { value, limitValue } = await inTurns(
      () => withClient(this.#server, (client) => client.saturate(PUSH, request, options)),
      () => withClient(this.#noop, (client) => client.saturate(PUSH, request, options)),
    );
    const limit = 'no-op call, same middlewares';
    this.#report.add({ figure, value, limit, limitValue, unit: 'calls/s', mustReach: 0.75, aimAt: 0.9 });
  }

  async #stream(figure: string, arm: Arm, mustReach: number, aimAt: number): Promise<void> {
    const request = batchRequest(arm, BATCH_EVENTS);
    let groupSize = BATCH_EVENTS;
    const { value, limitValue } = await inTurns(
      async () => {
        const before = await groups(this.#server);
        const rate = await withClient(this.#server, (client) =>
          client.saturateStream(PUSH_STREAM, request, { inFlight: 8, count: BATCHES }),
        );
        const after = await groups(this.#server);
        groupSize = Math.max(1, Math.round((after.events - before.events) / (after.groups - before.groups)));
        return rate * BATCH_EVENTS;
      },
      () => rawInserts(this.#rawUrl, { rows: BATCHES * BATCH_EVENTS, groupSize, lanes: 2 }),
    );
    const limit = `prepared inserts in groups of ${groupSize}, 2 connections`;
    this.#report.add({ figure, value, limit, limitValue, unit: 'events/s', mustReach, aimAt });
  }

  async #catchUp(figure: string): Promise<void> {
    await this.#fill(CATCH_UP_EVENTS);
    let round = 0;
    const { value, limitValue } = await inTurns(
      () => {
        round += 1;
        return withClient(this.#server, (client) => catchUp(client, `bench-${process.pid}-${round}`, CATCH_UP_EVENTS));
      },
      () => withClient(this.#noop, (client) => noopStream(client, CATCH_UP_EVENTS)),
    );
    const limit = 'no-op stream of the same frames';
    this.#report.add({ figure, value, limit, limitValue, unit: 'events/s', mustReach: 0.45, aimAt: 0.7 });
  }

  async #fill(events: number): Promise<void> {
    const batches = Math.ceil(events / 500);
    const request = batchRequest('bytes', 500);
    await withClient(this.#server, (client) =>
      client.saturateStream(PUSH_STREAM, request, { inFlight: 4, count: batches }),
    );
  }
}

/** Figure and limit, round by round in turn, after one round each that does not count; the medians. */
async function inTurns(figure: () => Promise<number>, limit: () => Promise<number>) {
  await figure();
  await limit();
  const values: number[] = [];
  const limits: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    values.push(await figure());
    limits.push(await limit());
  }
  return { value: median(values), limitValue: median(limits) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

async function withClient<T>(server: Running, work: (client: RawClient) => Promise<T>): Promise<T> {
  const client = new RawClient(server.address);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Groups committed so far, and their events. */
async function groups(server: Running): Promise<{ groups: number; events: number }> {
  const text = await (await fetch(`http://${server.httpAddress}/metrics`)).text();
  const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  return { groups: metric('madeleine_group_events_count'), events: metric('madeleine_group_events_sum') };
}

async function createDatabase(mariadb: PrivateMariadb, name: string): Promise<string> {
  const connection = await createConnection(mariadb.adminUrl);
  await connection.query(`CREATE DATABASE ${name}`);
  await connection.end();
  return `${mariadb.adminUrl}${name}`;
}

async function settings(mariadb: PrivateMariadb): Promise<Record<string, string>> {
  const connection = await createConnection(mariadb.adminUrl);
  const [rows] = await connection.query(
    'SELECT VERSION() AS version, @@innodb_flush_log_at_trx_commit AS flush, @@innodb_doublewrite AS doublewrite, @@log_bin AS log_bin',
  );
  await connection.end();
  const [row] = rows as Record<string, string>[];
  return {
    node: process.version,
    database: `${row?.version}, innodb_flush_log_at_trx_commit=${row?.flush}, doublewrite=${row?.doublewrite}, log_bin=${row?.log_bin}`,
    rounds: `${ROUNDS}, medians; client, server and database share the machine`,
  };
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const at = args.indexOf('--only');
  const only = at === -1 ? '' : (args[at + 1] ?? '');
  const mariadb = new PrivateMariadb({ arguments: ['--innodb-buffer-pool-size=1G', '--innodb-log-file-size=512M'] });
  await mariadb.start();
  const running: Running[] = [];
  try {
    const server = await startServer(await createDatabase(mariadb, 'bench'));
    running.push(server);
    const rawUrl = await createDatabase(mariadb, 'raw');
    // A server that is stopped at once: it leaves the tables behind.
    await (await startServer(rawUrl)).stop();
    const noop = await startNoop();
    running.push(noop);
    const report = new Report(await settings(mariadb));
    await new Bench({ report, server, noop, rawUrl, only }).run();
    await report.finish('.bench');
    return args.includes('--strict') && report.missed.length > 0 ? 1 : 0;
  } finally {
    for (const each of running) await each.stop();
    await mariadb.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
