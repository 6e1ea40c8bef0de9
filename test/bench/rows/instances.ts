// Three instances on one database against one, loaded alike: by three client processes with as many calls in flight together.

import type { Pushing } from '../client-process.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import type { Stage } from '../stage.js';

const MS = 3_000;
/** Of each client process: 64 together. */
const IN_FLIGHT = [22, 21, 21];

class ThreeInstancesRow implements Row {
  readonly figures = ['three instances, PushEvent, 64 in flight together'] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    // Databases of their own: instances that follow each other's log would cost the one alone.
    const alone = await stage.server('alone', { database: 'alone' });
    const together: BenchProcess[] = [];
    for (const number of [1, 2, 3]) together.push(await stage.server(`of three ${number}`, { database: 'three' }));
    const measured = await inTurns(
      rounds,
      () => pushRate(stage, together),
      () => pushRate(stage, [alone]),
    );
    await stage.clear();
    const limit = 'one instance, same three clients';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'calls/s', bounds: { must: 0.8, aim: 1 } }];
  }
}

/** Calls a second of all clients together, each of which has one of the servers, in turn. */
async function pushRate(stage: Stage, servers: readonly BenchProcess[]): Promise<number> {
  const clients = await Promise.all(IN_FLIGHT.map((_, number) => stage.client(number)));
  const rates = await Promise.all(
    clients.map((client, number) => {
      const { address } = servers[number % servers.length] as BenchProcess;
      return client.ask<number>({ address, inFlight: IN_FLIGHT[number] as number, ms: MS } satisfies Pushing);
    }),
  );
  return rates.reduce((sum, rate) => sum + rate, 0);
}

export const INSTANCE_ROWS: readonly Row[] = [new ThreeInstancesRow()];
