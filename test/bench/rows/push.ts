// Pushes: single ones against a call that does nothing, streams of batches against plain inserts into the same tables.

import { type Arm, batchRequest, pushRequest } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { loneInserts, rawInserts } from '../raw-inserts.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';

export const PUSH = '/madeleine.v1.EventService/PushEvent';
export const PUSH_STREAM = '/madeleine.v1.EventService/PushEventStream';
const CALLS = 10_000;
const IN_FLIGHT = 64;
const LONE_CALLS = 1_500;
const BATCHES = 1_000;
const BATCH_EVENTS = 100;

class UnaryRow implements Row {
  readonly figures: readonly [string];
  readonly #arm: Arm;

  constructor(figure: string, arm: Arm) {
    this.figures = [figure];
    this.#arm = arm;
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const request = pushRequest(this.#arm);
    const pushTo = async (server: Promise<BenchProcess>) =>
      withClient(await server, (client) => client.saturate(PUSH, request, { inFlight: IN_FLIGHT, count: CALLS }));
    const measured = await inTurns(
      rounds,
      () => pushTo(stage.server()),
      () => pushTo(stage.noop()),
    );
    const limit = 'no-op call, same middlewares';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'calls/s', bounds: { must: 0.75, aim: 0.9 } }];
  }
}

/** One push after the other: what a client gets that waits for each answer. */
class LoneRow implements Row {
  readonly figures = ['PushEvent, one at a time, bytes'] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server();
    const tables = await stage.tables('lone');
    const request = pushRequest('bytes');
    const measured = await inTurns(
      rounds,
      () => withClient(server, (client) => client.saturate(PUSH, request, { inFlight: 1, count: LONE_CALLS })),
      () => loneInserts(tables, LONE_CALLS),
    );
    return [{ figure: this.figures[0], ...measured, limit: 'one durable insert of the same row', unit: 'calls/s' }];
  }
}

class StreamRow implements Row {
  readonly figures: readonly [string];
  readonly #arm: Arm;
  readonly #bounds: NonNullable<Figure['bounds']>;

  constructor(figure: string, arm: Arm, bounds: NonNullable<Figure['bounds']>) {
    this.figures = [figure];
    this.#arm = arm;
    this.#bounds = bounds;
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server();
    const tables = await stage.tables('raw');
    const request = batchRequest(this.#arm, BATCH_EVENTS);
    let groupSize = BATCH_EVENTS;
    const measured = await inTurns(
      rounds,
      async () => {
        const before = await groupsOf(server);
        const rate = await withClient(server, (client) =>
          client.saturateStream(PUSH_STREAM, request, { inFlight: 8, count: BATCHES }),
        );
        const after = await groupsOf(server);
        groupSize = Math.max(1, Math.round((after.events - before.events) / (after.groups - before.groups)));
        return rate * BATCH_EVENTS;
      },
      () => rawInserts(tables, { rows: BATCHES * BATCH_EVENTS, groupSize, lanes: 2 }),
    );
    const limit = `prepared inserts in groups of ${groupSize}, 2 connections`;
    return [{ figure: this.figures[0], ...measured, limit, unit: 'events/s', bounds: this.#bounds }];
  }
}

/** Groups committed so far, and their events. */
async function groupsOf(server: BenchProcess): Promise<{ groups: number; events: number }> {
  const events = await server.metric('madeleine_group_events_sum');
  return { groups: await server.metric('madeleine_group_events_count'), events };
}

export const PUSH_ROWS: readonly Row[] = [
  new UnaryRow('PushEvent, 64 in flight, bytes', 'bytes'),
  new UnaryRow('PushEvent, 64 in flight, Value', 'value'),
  new LoneRow(),
  new StreamRow('PushEventStream, 100 x 8, bytes', 'bytes', { must: 0.6, aim: 0.8 }),
  new StreamRow('PushEventStream, 100 x 8, Value', 'value', { must: 0.45, aim: 0.7 }),
];
