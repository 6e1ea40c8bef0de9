// Statistics: what bulk pushes lose while these are asked for again and again. The counting itself goes on in every figure.

import { setTimeout as sleep } from 'node:timers/promises';
import { GetStatsRequest } from '../../../generated/madeleine/v1/admin_service.js';
import { batchRequest, type RawClient } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';
import { PUSH_STREAM } from './push.js';

const GET_STATS = '/madeleine.v1.AdminService/GetStats';
const BATCH_EVENTS = 100;
const BATCHES = 1_000;
/** Between two questions. */
const PAUSE_MS = 50;
const QUESTION = Buffer.from(GetStatsRequest.encode(GetStatsRequest.fromPartial({ context: 'all' })).finish());

class StatisticsRow implements Row {
  readonly figures = ['PushEventStream, bytes, beside GetStats every 50 ms'] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server();
    const measured = await inTurns(
      rounds,
      () => beside(server, () => push(server)),
      () => push(server),
    );
    const limit = 'the same without it';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'events/s', bounds: { must: 0.8, aim: 0.95 } }];
  }
}

async function push(server: BenchProcess): Promise<number> {
  const options = { inFlight: 8, count: BATCHES };
  const request = batchRequest('bytes', BATCH_EVENTS);
  return withClient(
    server,
    async (client) => (await client.saturateStream(PUSH_STREAM, request, options)) * BATCH_EVENTS,
  );
}

/** Asks for statistics for as long as the work takes. */
async function beside(server: BenchProcess, work: () => Promise<number>): Promise<number> {
  return withClient(server, async (client) => {
    const done = new AbortController();
    const asking = askUntil(client, done.signal);
    try {
      return await work();
    } finally {
      done.abort();
      await asking;
    }
  });
}

async function askUntil(client: RawClient, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    await client.unary(GET_STATS, QUESTION);
    await sleep(PAUSE_MS);
  }
}

export const STATISTICS_ROWS: readonly Row[] = [new StatisticsRow()];
