// `make soak ARGS="--subscribers 1000"`: so many subscribers, each of a consumer of its own, get everything that is pushed. Every other ten
// seconds two more are there, one that reads nothing and one that acknowledges nothing: the others get as much a second, each delivery
// costs the server as much, and its memory stays as it is. What else goes on here comes and goes; neighbouring windows have it alike.

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
  /** Without garbage, and without the newest events that are kept for readers. */
  readonly memoryMiB: number;
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
    // The newest events fill their part of it within minutes, and no more than that.
    const bytes = heapUsed + external - (await this.#server.metric('madeleine_tail_bytes'));
    return { isBeside, rate, cost: (seconds / deliveries) * 1e6, memoryMiB: bytes / MIB };
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
    // Code is still compiled.
    await subscribers.window(false);
    const windows: Window[] = [];
    for (let left = Math.ceil((minutes * 60_000) / WINDOW_MS / 2); left > 0; left -= 1) {
      windows.push(await told(subscribers.window(false)));
      const leave = joinSilent(server);
      windows.push(await told(subscribers.window(true)));
      leave();
    }
    await subscribers.leave();
    return report(windows);
  } finally {
    await stage.close();
  }
}

async function told(measuring: Promise<Window>): Promise<Window> {
  const window = await measuring;
  process.stderr.write(`${new Date().toISOString()} ${JSON.stringify(window)}\n`);
  return window;
}

function report(windows: readonly Window[]): boolean {
  const alone = windows.filter(({ isBeside }) => !isBeside);
  const beside = windows.filter(({ isBeside }) => isBeside);
  const share = (value: (window: Window) => number) =>
    median(beside.map((window, n) => value(window) / value(alone[n] as Window)));
  const [rate, cost] = [share((window) => window.rate), share((window) => window.cost)];
  const third = Math.max(1, Math.floor(windows.length / 3));
  const memory = [windows.slice(0, third), windows.slice(-third)].map((some) => median(some.map((w) => w.memoryMiB)));
  const [first = 0, last = 0] = memory;
  const isFlat = last <= first * (1 + MEMORY_SHARE);
  const usual = (of: readonly Window[]) =>
    `${median(of.map((w) => w.rate)).toFixed(0)} deliveries a second, ${median(of.map((w) => w.cost)).toFixed(1)} µs of CPU each`;
  const lines = [
    `alone: ${usual(alone)}`,
    `beside the two: ${usual(beside)}; of neighbouring windows ${percent(rate)} of the rate at ${percent(cost)} of the cost`,
    `memory: ${first.toFixed(1)} MiB in the first third, ${last.toFixed(1)} MiB in the last: ${isFlat ? 'flat' : 'GREW'}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return rate >= LEAST_RATE && cost <= MOST_COST && isFlat;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
