// `make soak ARGS="--subscribers 1000"`: so many subscribers, each of a consumer of its own, get everything that is pushed. For the middle
// half of the time two more are there, one that reads nothing and one that acknowledges nothing: the others get as much a second, each
// delivery costs the server as much, and its memory stays as it is.

import { setTimeout as sleep } from 'node:timers/promises';
import { SubscribeRequest } from '../../generated/madeleine/v1/consumer_service.js';
import { Crowd } from '../bench/fan-out.js';
import { batchRequest, RawClient } from '../bench/load.js';
import { type BenchProcess, settledMemory } from '../bench/processes.js';
import { Stage } from '../bench/stage.js';
import { StillCalls } from '../support/server/still-calls.js';

const SUBSCRIBE = '/madeleine.v1.ConsumerService/Subscribe';
const PUSH_STREAM = '/madeleine.v1.EventService/PushEventStream';
const CONNECTIONS = 10;
/** Events of a push; the next one comes when everybody has got them. */
const BATCH = 20;
const JOINED_AT_ONCE = 50;
/** Each of a thousand: more acknowledgements would be as much work as what is looked at. The credit is what they have unless told. */
const SUBSCRIBER = { ackEveryMs: 1_000, maxInFlight: 100 };
const WINDOW_MS = 10_000;
/** The part of the rate that has to be left, and how much more a delivery may cost, beside the two. */
const LEAST_RATE = 0.9;
const MOST_COST = 1.1;
/** How much may be added to the memory of the first windows. */
const MEMORY_SHARE = 0.1;
const MIB = 2 ** 20;

interface Window {
  readonly isBeside: boolean;
  /** Deliveries a second. */
  readonly rate: number;
  /** Microseconds of the server's CPU a delivery. */
  readonly cost: number;
  readonly heapMiB: number;
}

export interface SubscribersOptions {
  readonly minutes: number;
  readonly subscribers: number;
}

class Subscribers {
  readonly #server: BenchProcess;
  readonly #clients: readonly RawClient[];
  readonly #crowds: readonly Crowd[];
  readonly #count: number;
  readonly #pushes: ReturnType<RawClient['bidi']>;
  #pushed = 0;

  constructor(server: BenchProcess, count: number) {
    this.#server = server;
    this.#count = count;
    this.#clients = Array.from({ length: CONNECTIONS }, () => new RawClient(server.address));
    this.#crowds = this.#clients.map((client) => new Crowd(client, SUBSCRIBER));
    this.#pushes = (this.#clients[0] as RawClient).bidi(PUSH_STREAM);
    this.#pushes.on('data', () => {});
    this.#pushes.on('error', () => {});
  }

  async join(): Promise<void> {
    const names = Array.from({ length: this.#count }, (_, n) => `subscriber ${n}`);
    for (let n = 0; n < names.length; n += JOINED_AT_ONCE) {
      const some = names.slice(n, n + JOINED_AT_ONCE);
      await Promise.all(this.#crowds.map((crowd, c) => crowd.join(some.filter((_, at) => at % CONNECTIONS === c))));
    }
  }

  /** Pushes for a while, then looks at rest. */
  async window(isBeside: boolean): Promise<Window> {
    const before = this.#delivered;
    const startedAt = performance.now();
    const seconds = await this.#server.cpuDuring(async () => {
      while (performance.now() - startedAt < WINDOW_MS) await this.#batch();
    });
    const deliveries = this.#delivered - before;
    const rate = (deliveries / (performance.now() - startedAt)) * 1_000;
    const { heapUsed, external } = await settledMemory(this.#server);
    return { isBeside, rate, cost: (seconds / deliveries) * 1e6, heapMiB: (heapUsed + external) / MIB };
  }

  async leave(): Promise<void> {
    this.#pushes.end();
    await Promise.all(this.#crowds.map((crowd) => crowd.leave()));
    for (const client of this.#clients) client.close();
  }

  get #delivered(): number {
    return this.#crowds.reduce((sum, { deliveries }) => sum + deliveries, 0);
  }

  async #batch(): Promise<void> {
    this.#pushes.write(batchRequest('bytes', BATCH));
    this.#pushed += BATCH;
    while (this.#delivered < this.#pushed * this.#count) await sleep(1);
  }
}

/** The two that hurt themselves alone; returns what sends them away. */
function joinSilent(server: BenchProcess): () => void {
  const request = (consumer: string) =>
    SubscribeRequest.encode(
      SubscribeRequest.fromPartial({ consumer, maxInFlight: 65_536, maxInFlightBytes: BigInt(64 * MIB) }),
    ).finish();
  const still = new StillCalls(server.address);
  still.open(SUBSCRIBE, request('reads nothing'));
  const client = new RawClient(server.address);
  const deaf = client.serverStream(SUBSCRIBE, Buffer.from(request('acknowledges nothing')));
  deaf.on('data', () => {}).on('error', () => {});
  return () => {
    deaf.cancel();
    client.close();
    still.close();
  };
}

export async function runSubscribers({ minutes, subscribers: count }: SubscribersOptions): Promise<boolean> {
  const stage = await Stage.open({ bufferPoolMiB: 1024 });
  try {
    const server = await stage.server('main', { database: 'soak' });
    const subscribers = new Subscribers(server, count);
    await subscribers.join();
    const quarter = Math.max(1, Math.round((minutes * 60_000) / WINDOW_MS / 4));
    // Code is still compiled.
    await subscribers.window(false);
    const windows = await windowsOf(subscribers, false, quarter);
    const leave = joinSilent(server);
    windows.push(...(await windowsOf(subscribers, true, 2 * quarter)));
    leave();
    windows.push(...(await windowsOf(subscribers, false, quarter)));
    await subscribers.leave();
    return report(windows);
  } finally {
    await stage.close();
  }
}

async function windowsOf(subscribers: Subscribers, isBeside: boolean, count: number): Promise<Window[]> {
  const windows: Window[] = [];
  for (let n = 0; n < count; n += 1) {
    const window = await subscribers.window(isBeside);
    process.stderr.write(`${new Date().toISOString()} ${JSON.stringify(window)}\n`);
    windows.push(window);
  }
  return windows;
}

function report(windows: readonly Window[]): boolean {
  const of = (isBeside: boolean, value: (window: Window) => number) =>
    median(windows.filter((window) => window.isBeside === isBeside).map(value));
  const rate = [of(false, (w) => w.rate), of(true, (w) => w.rate)] as const;
  const cost = [of(false, (w) => w.cost), of(true, (w) => w.cost)] as const;
  const third = Math.max(1, Math.floor(windows.length / 3));
  const heap = [windows.slice(0, third), windows.slice(-third)].map((some) => median(some.map((w) => w.heapMiB)));
  const [first = 0, last = 0] = heap;
  const isFlat = last <= first * (1 + MEMORY_SHARE);
  const lines = [
    `deliveries a second: ${rate[0].toFixed(0)}, and beside the two ${rate[1].toFixed(0)} (${percent(rate[1] / rate[0])})`,
    `CPU a delivery: ${cost[0].toFixed(2)} µs, and beside the two ${cost[1].toFixed(2)} µs (${percent(cost[1] / cost[0])})`,
    `memory: ${first.toFixed(1)} MiB in the first third, ${last.toFixed(1)} MiB in the last: ${isFlat ? 'flat' : 'GREW'}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return rate[1] >= LEAST_RATE * rate[0] && cost[1] <= MOST_COST * cost[0] && isFlat;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
