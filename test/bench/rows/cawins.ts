// Very many cawins on one event: how fast their firings are recorded once it occurs, and what other pushes have of it. A receiver
// that takes every call is called meanwhile.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Calls } from '../callback-receiver.js';
import { AwaitedOrder } from '../cawins.js';
import { callLatency, type Percentiles } from '../latency.js';
import { pushRequest, RawClient } from '../load.js';
import { FIRST_ORDER } from '../orders.js';
import { progressBar } from '../progress.js';
import { type Figure, median, type Row, type RowContext } from '../row.js';
import type { Stage } from '../stage.js';
import { PUSH } from './push.js';

const DATABASE = 'cawins';
const IN_FLIGHT = 64;
const RATE = 500;
const SECONDS = 2;
const WARM_UP_ROUNDS = 3;
/** Rows of a transaction of the limit. */
const CHUNK = 500;
const LIMIT_ROWS = 100_000;

interface Pushes {
  readonly rate: number;
  readonly latency: Percentiles;
}

export class CawinsRow implements Row {
  readonly figures: readonly [string, string, string, string];
  readonly #cawins: number;

  constructor(cawins: number) {
    this.#cawins = cawins;
    const name = `${cawins.toLocaleString('en-US')} cawins fired by one event`;
    this.figures = [
      `${name}: firings recorded while events are pushed`,
      `${name}: PushEvent meanwhile, 64 in flight`,
      `${name}: PushEvent meanwhile at ${RATE}/s, p50`,
      `${name}: PushEvent meanwhile at ${RATE}/s, p99`,
    ];
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    const server = await stage.server('cawins', { database: DATABASE });
    const receiver = await stage.receiver();
    const client = new RawClient(server.address);
    const order = await AwaitedOrder.open(client, FIRST_ORDER);
    const first = await this.#prepare(order, `http://${receiver.httpAddress}/`, stage);
    const limit = await plainInserts(stage);
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await pushes(client);
    const before = middle(await repeated(rounds, () => pushes(client)));
    await receiver.ask('begin');
    const fired = await this.#fire(order, { stage, client, first });
    const { count } = await receiver.ask<Calls>('tell');
    client.close();
    await stage.clear();
    return this.#figures(before, fired, { limit, calls: Math.round((count / fired.ms) * 1000) });
  }

  async #prepare(order: AwaitedOrder, url: string, stage: Stage): Promise<number> {
    const bar = progressBar(this.#cawins, 'cawins');
    const onCopied = (rows: number) => bar.increment(rows);
    const first = await order.copyCawins(this.#cawins, { url, secret: '' }, { stage, database: DATABASE, onCopied });
    bar.stop();
    return first;
  }

  /** Until all are recorded. */
  async #fire(order: AwaitedOrder, { stage, client, first }: { stage: Stage; client: RawClient; first: number }) {
    const bar = progressBar(this.#cawins, 'firings');
    const startedAt = performance.now();
    await order.occur();
    const state = { recorded: 0, ms: 0 };
    const counting = (async () => {
      while (state.recorded < this.#cawins) {
        await sleep(200);
        state.recorded = await recordedFrom(stage, first);
        state.ms = performance.now() - startedAt;
        bar.update(state.recorded);
      }
    })();
    const meanwhile: Pushes[] = [];
    do meanwhile.push(await pushes(client));
    while (state.recorded < this.#cawins);
    await counting;
    bar.stop();
    // The last one may have seen little of it.
    const whole = meanwhile.length > 1 ? meanwhile.slice(0, -1) : meanwhile;
    return { ...middle(whole), rounds: whole.length, ms: state.ms };
  }

  #figures(
    before: Pushes,
    fired: Pushes & { readonly ms: number; readonly rounds: number },
    { limit, calls }: { readonly limit: number; readonly calls: number },
  ): Figure[] {
    const pushed = { limit: 'the same before', note: `${fired.rounds} rounds of ${SECONDS} s` };
    return [
      {
        figure: this.figures[0],
        value: (this.#cawins / fired.ms) * 1000,
        limit: `plain inserts of ${CHUNK} a transaction`,
        limitValue: limit,
        unit: 'firings/s',
        note: `${calls.toLocaleString('en-US')} callbacks/s meanwhile`,
      },
      { ...pushed, figure: this.figures[1], value: fired.rate, limitValue: before.rate, unit: 'calls/s' },
      { ...pushed, figure: this.figures[2], value: fired.latency.p50, limitValue: before.latency.p50, unit: 'ms' },
      { ...pushed, figure: this.figures[3], value: fired.latency.p99, limitValue: before.latency.p99, unit: 'ms' },
    ];
  }
}

/** As many as the server bears, then at a rate. */
async function pushes(client: RawClient): Promise<Pushes> {
  const options = { inFlight: IN_FLIGHT, ms: SECONDS * 1000 };
  const rate = await client.saturateFor(PUSH, pushRequest('bytes'), options);
  return { rate, latency: await callLatency(client, RATE, SECONDS) };
}

async function repeated<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let n = 0; n < times; n += 1) results.push(await work());
  return results;
}

function middle(all: readonly Pushes[]): Pushes {
  const of = (value: (one: Pushes) => number) => median(all.map(value));
  return {
    rate: of(({ rate }) => rate),
    latency: { p50: of((one) => one.latency.p50), p99: of((one) => one.latency.p99) },
  };
}

/** Firings are recorded in the order of their cawins: the last one tells, and asking costs nothing. */
async function recordedFrom(stage: Stage, first: number): Promise<number> {
  const [row] = await stage.query(`SELECT MAX(cawin_id) AS newest FROM ${DATABASE}.firing`);
  return Math.max(0, Number(row?.['newest'] ?? 0) - first + 1);
}

/** Rows a second into a table like that of the firings, in transactions of the same size. */
async function plainInserts(stage: Stage): Promise<number> {
  await stage.query(`CREATE TABLE ${DATABASE}.plain_firing LIKE ${DATABASE}.firing`);
  const startedAt = performance.now();
  await stage.onConnection(async (run) => {
    for (let from = 1; from <= LIMIT_ROWS; from += CHUNK) {
      const rows = Array.from(
        { length: CHUNK },
        (_, n) => `(${from + n}, 1, 1, 1, 0, 1763000000000000, 1763000000000000, 0, 0, 0)`,
      );
      await run(
        `INSERT INTO ${DATABASE}.plain_firing (cawin_id, kind, position, endpoint_id, state, due_at, created_at, token, attempts,
           round_start) VALUES ${rows.join()}`,
      );
    }
  });
  const rate = (LIMIT_ROWS / (performance.now() - startedAt)) * 1000;
  await stage.query(`DROP TABLE ${DATABASE}.plain_firing`);
  return rate;
}
