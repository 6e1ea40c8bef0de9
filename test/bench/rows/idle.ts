// Subscribers to whom nothing is delivered: what they cost in database queries and in memory.

import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteConsumerRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { Crowd } from '../fan-out.js';
import { RawClient } from '../load.js';
import { type BenchProcess, settledMemory } from '../processes.js';
import type { Figure, Row, RowContext } from '../row.js';
import type { Stage } from '../stage.js';

const DELETE = '/madeleine.v1.ConsumerService/DeleteConsumer';
const SUBSCRIBERS = 1_000;
const WARM_UP = 400;
const CONNECTIONS = 10;
/** Until what joining brings about is written: offsets follow within five seconds. */
const SETTLE_MS = 6_000;
/** Two renewals of leases. */
const COUNTED_MS = 10_000;

interface Idle {
  readonly queries: number;
  readonly memory: NodeJS.MemoryUsage;
}

class IdleRow implements Row {
  readonly figures = ['database queries of 1,000 idle subscribers', 'memory per idle subscriber'] as const;

  async measure({ stage }: RowContext): Promise<Figure[]> {
    await stage.clear();
    const server = await stage.server('idle', { database: 'idle' });
    const clients = Array.from({ length: CONNECTIONS }, () => new RawClient(server.address));
    const crowds = clients.map((client) => new Crowd(client));
    const names = Array.from({ length: SUBSCRIBERS }, (_, n) => `idle-${n}`);
    const subscribe = (from: number, to: number) => joinAll(crowds, names.slice(from, to));
    await warmUp(clients);
    await subscribe(0, 1);
    const one = await observe(stage, server);
    await subscribe(1, SUBSCRIBERS);
    const all = await observe(stage, server);
    await Promise.all(crowds.map((crowd) => crowd.leave()));
    for (const client of clients) client.close();
    await stage.clear();
    return this.#figures(one, all);
  }

  #figures(one: Idle, all: Idle): Figure[] {
    const more = (bytes: (memory: NodeJS.MemoryUsage) => number) => {
      return (bytes(all.memory) - bytes(one.memory)) / (SUBSCRIBERS - 1) / 1024;
    };
    return [
      {
        figure: this.figures[0],
        value: all.queries,
        limit: 'with 1',
        limitValue: one.queries,
        unit: '/s',
        bounds: { must: 1.05, aim: 1.02, atMost: true },
      },
      {
        figure: this.figures[1],
        value: more(({ heapUsed, external }) => heapUsed + external),
        limit: '1 KiB',
        limitValue: 1,
        unit: 'KiB',
        bounds: { must: 64, aim: 24, atMost: true },
        note:
          `heap ${more(({ heapUsed }) => heapUsed).toFixed(1)} KiB and external ${more(({ external }) => external).toFixed(1)} KiB ` +
          `after collection; resident ${more(({ rss }) => rss).toFixed(1)} KiB`,
      },
    ];
  }
}

/** Subscribers that come, leave and are deleted: what the runtime compiles for the first ones is no cost of the others. */
async function warmUp(clients: readonly RawClient[]): Promise<void> {
  const crowds = clients.map((client) => new Crowd(client));
  const names = Array.from({ length: WARM_UP }, (_, n) => `warm-${n}`);
  await joinAll(crowds, names);
  await Promise.all(crowds.map((crowd) => crowd.leave()));
  const [client] = clients;
  await Promise.all(names.map((name) => client?.unary(DELETE, deleteRequest(name))));
}

function deleteRequest(name: string): Buffer {
  return Buffer.from(DeleteConsumerRequest.encode(DeleteConsumerRequest.fromPartial({ name })).finish());
}

/** Queries a second and memory of a server at rest, background polls included. */
async function observe(stage: Stage, server: BenchProcess): Promise<Idle> {
  await sleep(SETTLE_MS);
  const startedAt = performance.now();
  const before = await stage.questions();
  await sleep(COUNTED_MS);
  // Asking is a question too.
  const questions = (await stage.questions()) - before - 1;
  const queries = (questions / (performance.now() - startedAt)) * 1000;
  return { queries, memory: await settledMemory(server) };
}

/** Subscribes over all connections in turn, some at a time. */
async function joinAll(crowds: readonly Crowd[], names: readonly string[]): Promise<void> {
  for (let n = 0; n < names.length; n += 50) {
    await Promise.all(
      crowds.map((crowd, index) => {
        return crowd.join(names.slice(n, n + 50).filter((_, at) => at % crowds.length === index));
      }),
    );
  }
}

export const IDLE_ROWS: readonly Row[] = [new IdleRow()];
