// A database that is a millisecond away, against the same through the same proxy without delay.

import { createConnection } from 'mysql2/promise';
import { percentiles } from '../latency.js';
import { pushRequest } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, medianOf, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';
import { PUSH } from './push.js';

const MS = 3_000;
const IN_FLIGHT = 64;
const PINGS = 200;

class FarDatabaseRow implements Row {
  readonly figures = ['PushEvent, 64 in flight, database 1 ms away'] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    // Databases of their own: instances on the same one would follow each other's log.
    const far = await stage.server('far', { database: 'far', delayMs: 1 });
    const near = await stage.server('near', { database: 'near', delayMs: 0 });
    const direct = await stage.server('direct', { database: 'direct' });
    const measured = await inTurns(
      rounds,
      () => pushRate(far),
      () => pushRate(near),
    );
    const withoutProxy = await medianOf(rounds, () => pushRate(direct));
    const pings = [
      await roundTrip(await stage.through('far', 1)),
      await roundTrip(await stage.through('near', 0)),
      await roundTrip(await stage.database('direct')),
    ];
    await stage.clear();
    const note =
      `round trips to the database of ${pings.map((ms) => ms.toFixed(2)).join(', ')} ms with delay, without, without proxy; ` +
      `${Math.round(withoutProxy).toLocaleString('en-US')} calls/s without proxy`;
    const limit = 'same proxy, no delay';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'calls/s', note, bounds: { must: 0.3, aim: 0.5 } }];
  }
}

function pushRate(server: BenchProcess): Promise<number> {
  const options = { inFlight: IN_FLIGHT, ms: MS };
  return withClient(server, (client) => client.saturateFor(PUSH, pushRequest('bytes'), options));
}

/** Milliseconds of a statement that does nothing, the median. */
async function roundTrip(url: string): Promise<number> {
  const connection = await createConnection(url);
  const samples: number[] = [];
  for (let n = 0; n < PINGS; n += 1) {
    const startedAt = performance.now();
    await connection.query('DO 0');
    samples.push(performance.now() - startedAt);
  }
  await connection.end();
  return percentiles(samples).p50;
}

export const FAR_DATABASE_ROWS: readonly Row[] = [new FarDatabaseRow()];
