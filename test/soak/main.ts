// `make soak`: what is left behind when everything comes and goes for a long time. What a restart breaks off (a consumer whose
// deletion was refused, say) is cleared away before each look, through the instance that runs all the time.

import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchProcess, startServer } from '../bench/processes.js';
import { Stage } from '../bench/stage.js';
import { freePort } from '../support/database/private-database.js';
import { openCalls } from '../support/server/metrics.js';
import { TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';
import { type Look, look } from './gauges.js';
import { HELP, readOptions, type SoakOptions, UsageError } from './options.js';
import { runSubscribers } from './subscribers.js';
import { verdicts, verdictTable } from './verdict.js';
import { Workers } from './workers.js';

const DATABASE = 'soak';
const LOOKS = 45;
/** Looks that are not judged: code is still compiled, caches fill. */
const WARM_UP_LOOKS = 9;

/** Two instances, the second of which is restarted, and who calls them. */
class Soak {
  readonly #stage: Stage;
  readonly #steady: BenchProcess;
  readonly #client: TestClient;
  readonly #workers: Workers;
  #second: { readonly server: BenchProcess; readonly client: TestClient } | undefined;
  #restartedAtMs = performance.now();
  restarts = 0;

  private constructor(stage: Stage, steady: BenchProcess, places: { receiver: string; nobody: string }) {
    this.#stage = stage;
    this.#steady = steady;
    this.#client = new TestClient(steady.address);
    let turn = 0;
    this.#workers = new Workers(() => {
      turn += 1;
      const client = (turn % 2 === 0 ? this.#second?.client : undefined) ?? this.#client;
      return { client, ...places };
    });
  }

  static async open(stage: Stage): Promise<Soak> {
    const steady = await stage.server('main', { database: DATABASE });
    const receiver = `http://${(await stage.receiver()).httpAddress}/`;
    return new Soak(stage, steady, { receiver, nobody: `http://127.0.0.1:${await freePort()}/` });
  }

  get workers(): Workers {
    return this.#workers;
  }

  async restart(): Promise<void> {
    const former = this.#second;
    this.#second = undefined;
    await former?.server.stop();
    former?.client.close();
    const server = await startServer(await this.#stage.database(DATABASE));
    this.#second = { server, client: new TestClient(server.address) };
    this.#restartedAtMs = performance.now();
    this.restarts += 1;
  }

  /** Churns for so long, then looks at rest. */
  async churn(ms: number, restartMs: number): Promise<Look> {
    this.#workers.work();
    const end = performance.now() + ms;
    for (let left = ms; left > 0; left = end - performance.now()) {
      const next = Math.max(this.#restartedAtMs + restartMs - performance.now(), 0);
      if (next === 0) await this.restart();
      else await sleep(Math.min(left, next));
    }
    await this.#workers.rest();
    await this.#settle();
    return look(this.#steady, this.#stage, DATABASE);
  }

  async stop(): Promise<void> {
    await this.#workers.rest();
    await this.#second?.server.stop();
    this.#second?.client.close();
    this.#client.close();
  }

  /** Until nothing is open and what is due is done: awaited events of a broken round end after a minute. */
  async #settle(): Promise<void> {
    const { consumers, cawins } = this.#client;
    for (const { name } of (await consumers.listConsumers({ pageSize: 1000 })).consumers) {
      // The lease of an owner that went away may last for a while.
      const deleted = () => consumers.deleteConsumer({ name }).then(Boolean, () => false);
      await waitUntil(deleted, { what: `the consumer ${name} is deleted`, timeoutMs: 60_000 });
    }
    for (const { id } of (await cawins.listCawins({ pageSize: 1000 })).cawins) await cawins.deleteCawin({ id });
    const calls = async () => (await openCalls(this.#steady.httpAddress)) === 0;
    await waitUntil(calls, { what: 'no call is open', timeoutMs: 60_000 });
    const open = async () =>
      (await this.#stage.query(`SELECT 1 FROM ${DATABASE}.wait WHERE state = 0 LIMIT 1`)).length === 0;
    await waitUntil(open, { what: 'no wait is open', timeoutMs: 120_000, intervalMs: 200 });
  }
}

async function run({ minutes, restartSeconds }: SoakOptions): Promise<boolean> {
  const stage = await Stage.open({ bufferPoolMiB: 1024 });
  try {
    const soak = await Soak.open(stage);
    await soak.restart();
    const looks: Look[] = [];
    for (let n = 0; n < LOOKS; n += 1) {
      const found = await soak.churn((minutes * 60_000) / LOOKS, restartSeconds * 1000);
      process.stderr.write(`${new Date().toISOString()} ${JSON.stringify(found)}\n`);
      if (n >= WARM_UP_LOOKS) looks.push(found);
    }
    await soak.stop();
    return report(soak, looks);
  } finally {
    await stage.close();
  }
}

function report(soak: Soak, looks: readonly Look[]): boolean {
  const all = verdicts(looks);
  const { rounds, broken, failures } = soak.workers;
  const done = Object.entries(rounds).map(([name, count]) => `${count} ${name}`);
  process.stdout.write(
    `${verdictTable(all)}\n\nrounds: ${done.join(', ')}; ${soak.restarts} restarts broke off ${broken}\n`,
  );
  for (const [text, count] of failures) process.stdout.write(`failed ${count} times: ${text}\n`);
  return failures.size === 0 && all.every(({ flat }) => flat);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(HELP);
  else if (!(await (options.subscribers > 0 ? runSubscribers(options) : run(options)))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
