// `make bench`: each figure as a ratio to its limit, measured in the same run by the same client against its own processes.
// Figures and limits take turns, several rounds, and the medians count: a noisy neighbour then hits both.

import { createConnection } from 'mysql2/promise';
import { PrivateMariadb } from '../support/private-mariadb.js';
import { catchUp, noopStream } from './catch-up.js';
import { Crowd, pushPaced } from './fan-out.js';
import { callLatency, deliveryLatency } from './latency.js';
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

interface BenchOptions {
  readonly report: Report;
  readonly server: Running;
  /** Another instance on the same database. */
  readonly second: Running;
  readonly noop: Running;
  readonly rawUrl: string;
  readonly only: string;
}

class Bench {
  readonly #report: Report;
  readonly #server: Running;
  readonly #second: Running;
  readonly #noop: Running;
  readonly #rawUrl: string;
  readonly #only: string;

  constructor(options: BenchOptions) {
    this.#report = options.report;
    this.#server = options.server;
    this.#second = options.second;
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
    await this.#if('100 consumers at the head, server CPU a delivery', (figure) => this.#fanOut(figure, 100));
    await this.#if('push to delivery at 500/s', (figure) => this.#latency(figure));
    await this.#if('push on one instance to delivery on another', (figure) => this.#twoInstances(figure));
    await this.#if('memory per idle subscriber', (figure) => this.#idle(figure, 1_000));
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

  async #fanOut(figure: string, consumers: number): Promise<void> {
    const seconds = 4;
    const rate = 2_000;
    await withClient(this.#server, async (client) => {
      const base = await cpuDuring(this.#server, () => pushPaced(client, rate, seconds));
      const crowd = new Crowd(client);
      await crowd.join(Array.from({ length: consumers }, (_, n) => `crowd-${process.pid}-${n}`));
      const before = crowd.deliveries;
      const busy = await cpuDuring(this.#server, () => pushPaced(client, rate, seconds));
      const deliveries = crowd.deliveries - before;
      await crowd.leave();
      const value = ((busy - base) * 1e6) / deliveries;
      const note = `${Math.round(deliveries / seconds).toLocaleString('en-US')} deliveries/s`;
      this.#report.add({
        figure,
        value,
        limit: '1 µs',
        limitValue: 1,
        unit: 'µs',
        mustReach: 4,
        aimAt: 1.5,
        atMost: true,
        note,
      });
    });
  }

  async #latency(figure: string): Promise<void> {
    const seconds = 4;
    const noop = await withClient(this.#noop, (client) => callLatency(client, 500, seconds));
    const own = await withClient(this.#server, (client) => deliveryLatency(client, client, { rate: 500, seconds }));
    const row = { limit: 'one no-op call', unit: 'ms', atMost: true } as const;
    this.#report.add({
      ...row,
      figure: `${figure}, p50`,
      value: own.p50,
      limitValue: noop.p50,
      mustReach: 3,
      aimAt: 2,
    });
    this.#report.add({
      ...row,
      figure: `${figure}, p99`,
      value: own.p99,
      limitValue: noop.p99,
      mustReach: 5,
      aimAt: 3,
    });
  }

  async #twoInstances(figure: string): Promise<void> {
    const { p99 } = await withClient(this.#server, (pusher) =>
      withClient(this.#second, (reader) => deliveryLatency(pusher, reader, { rate: 200, seconds: 4 })),
    );
    const limit = 'poll interval + 20 ms';
    this.#report.add({
      figure: `${figure}, p99`,
      value: p99,
      limit,
      limitValue: 70,
      unit: 'ms',
      mustReach: 1,
      aimAt: 0.07,
      atMost: true,
    });
  }

  async #idle(figure: string, subscribers: number): Promise<void> {
    const clients = Array.from({ length: 10 }, () => new RawClient(this.#second.address));
    const before = await metric(this.#second, 'process_resident_memory_bytes');
    const crowds = clients.map((client) => new Crowd(client));
    const names = Array.from({ length: subscribers }, (_, n) => `idle-${process.pid}-${n}`);
    for (let n = 0; n < names.length; n += 50) {
      await (crowds[(n / 50) % 10] as Crowd).join(names.slice(n, n + 50));
    }
    const value = ((await metric(this.#second, 'process_resident_memory_bytes')) - before) / subscribers / 1024;
    await Promise.all(crowds.map((crowd) => crowd.leave()));
    for (const client of clients) client.close();
    this.#report.add({
      figure,
      value,
      limit: '1 KiB',
      limitValue: 1,
      unit: 'KiB',
      mustReach: 64,
      aimAt: 24,
      atMost: true,
    });
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
  const events = await metric(server, 'madeleine_group_events_sum');
  return { groups: await metric(server, 'madeleine_group_events_count'), events };
}

/** A metric without labels. */
async function metric(server: Running, name: string): Promise<number> {
  const text = await (await fetch(`http://${server.httpAddress}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}

/** Seconds of CPU that the server spends while the work goes on. */
async function cpuDuring(server: Running, work: () => Promise<unknown>): Promise<number> {
  const before = await metric(server, 'process_cpu_seconds_total');
  await work();
  return (await metric(server, 'process_cpu_seconds_total')) - before;
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
    const url = await createDatabase(mariadb, 'bench');
    const server = await startServer(url);
    running.push(server);
    const second = await startServer(url);
    running.push(second);
    const rawUrl = await createDatabase(mariadb, 'raw');
    // A server that is stopped at once: it leaves the tables behind.
    await (await startServer(rawUrl)).stop();
    const noop = await startNoop();
    running.push(noop);
    const report = new Report(await settings(mariadb));
    await new Bench({ report, server, second, noop, rawUrl, only }).run();
    await report.finish('.bench');
    return args.includes('--strict') && report.missed.length > 0 ? 1 : 0;
  } finally {
    for (const each of running) await each.stop();
    await mariadb.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
