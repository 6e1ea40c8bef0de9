// What descriptions cost the pushes of their topic that match none: every payload is hashed for every shape that the topic
// watches, looked up, and indexed. Held against the same pushes to a topic that watches nothing, on the same server.

import { PushEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { FIRST_ORDER, orderBatch, orderRequest, watchRequest } from '../orders.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';
import { PUSH, PUSH_STREAM } from './push.js';

const PUSH_EVENTS = '/madeleine.v1.EventService/PushEvents';
const CALLS = 10_000;
const IN_FLIGHT = 64;
/** With one shape, and with many, which take several times as long. */
const BATCHES = { few: 1_000, many: 200 };
const BATCH_EVENTS = 100;
/** Descriptions that no order of the benchmark has, each of another shape. */
const DESCRIPTIONS = [
  { order: 1 },
  ...['customer', 'currency', 'note', 'total'].map((name) => ({ order: 1, [name]: 'none' })),
  ...['city', 'zip', 'land'].map((name) => ({ order: 1, address: { [name]: 'none' } })),
  ...['customer', 'currency', 'total'].map((name) => ({ [name]: 'none', address: { city: 'none', zip: 'none' } })),
  ...['customer', 'currency', 'total'].map((name) => ({ [name]: 'none', address: { land: 'none' } })),
  { customer: 'none' },
  { lines: [] },
];
const BARE = 'orders';

abstract class MatchingRow implements Row {
  readonly figures: readonly [string];
  protected readonly shapes: number;
  readonly #bounds: Figure['bounds'];

  constructor(way: string, shapes: number, bounds?: Figure['bounds']) {
    this.figures = [`${way} to a topic with ${shapes} watched shape${shapes === 1 ? '' : 's'}`];
    this.shapes = shapes;
    this.#bounds = bounds;
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server('matching', { database: 'matching' });
    const topic = `watched-${this.shapes}`;
    await watch(server, topic, DESCRIPTIONS.slice(0, this.shapes));
    const measured = await inTurns(
      rounds,
      () => this.push(server, topic),
      () => this.push(server, BARE),
    );
    const common = { figure: this.figures[0], ...measured, limit: 'a topic without', unit: 'events/s' };
    return [this.#bounds === undefined ? common : { ...common, bounds: this.#bounds }];
  }

  /** Events a second. */
  protected abstract push(server: BenchProcess, topic: string): Promise<number>;
}

class UnaryMatchingRow extends MatchingRow {
  protected push(server: BenchProcess, topic: string): Promise<number> {
    const requests = Array.from({ length: CALLS }, (_, n) => orderRequest(topic, FIRST_ORDER + n));
    return withClient(server, (client) => client.saturateWith(PUSH, requests, IN_FLIGHT));
  }
}

class StreamMatchingRow extends MatchingRow {
  protected async push(server: BenchProcess, topic: string): Promise<number> {
    const count = this.shapes === 1 ? BATCHES.few : BATCHES.many;
    const batches = Array.from({ length: count }, (_, n) => {
      return orderBatch(topic, FIRST_ORDER + n * BATCH_EVENTS, BATCH_EVENTS);
    });
    const batchAt = (n: number) => batches[n] as Buffer;
    const options = { inFlight: 8, count };
    const rate = await withClient(server, (client) => client.saturateStream(PUSH_STREAM, batchAt, options));
    return rate * BATCH_EVENTS;
  }
}

async function watch(
  server: BenchProcess,
  topic: string,
  descriptions: readonly Record<string, unknown>[],
): Promise<void> {
  const answer = await withClient(server, (client) => client.unary(PUSH_EVENTS, watchRequest(topic, descriptions)));
  const { results } = PushEventsResponse.decode(answer);
  if (results.length !== descriptions.length) throw new Error(`${topic} does not watch what it should`);
}

const BOUNDS = { must: 0.6, aim: 0.8 };

export const MATCHING_ROWS: readonly Row[] = [
  new UnaryMatchingRow('PushEvent, 64 in flight,', 1, BOUNDS),
  new StreamMatchingRow('PushEventStream, 100 x 8,', 1, BOUNDS),
  new StreamMatchingRow('PushEventStream, 100 x 8,', 16),
];
