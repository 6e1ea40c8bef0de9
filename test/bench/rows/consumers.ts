// Consumers: one that is far behind, and many at the head.

import { catchUp, noopStream } from '../catch-up.js';
import { Crowd, pushPaced } from '../fan-out.js';
import { batchRequest } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';
import { PUSH_STREAM } from './push.js';

const CATCH_UP_EVENTS = 200_000;
const FAN_OUT_RATE = 2_000;
const FAN_OUT_SECONDS = 4;

class CatchUpRow implements Row {
  readonly figures = ['Subscribe + Acknowledge, catching up'] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server();
    const noop = await stage.noop();
    await fill(server, CATCH_UP_EVENTS);
    let consumers = 0;
    const measured = await inTurns(
      rounds,
      () => {
        consumers += 1;
        return withClient(server, (client) => catchUp(client, `late-${consumers}`, CATCH_UP_EVENTS));
      },
      () => withClient(noop, (client) => noopStream(client, CATCH_UP_EVENTS)),
    );
    const limit = 'no-op stream of the same frames';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'events/s', bounds: { must: 0.45, aim: 0.7 } }];
  }
}

class FanOutRow implements Row {
  readonly figures: readonly [string];
  readonly #consumers: number;
  readonly #bounds: Figure['bounds'];

  constructor(consumers: number, bounds?: Figure['bounds']) {
    this.figures = [`${consumers} consumer${consumers === 1 ? '' : 's'} at the head, server CPU a delivery`];
    this.#consumers = consumers;
    this.#bounds = bounds;
  }

  async measure({ stage }: RowContext): Promise<Figure[]> {
    const server = await stage.server();
    const { value, deliveries } = await withClient(server, async (client) => {
      const push = () => pushPaced(client, FAN_OUT_RATE, FAN_OUT_SECONDS);
      const base = await server.cpuDuring(push);
      const crowd = new Crowd(client);
      await crowd.join(Array.from({ length: this.#consumers }, (_, n) => `crowd-${this.#consumers}-${n}`));
      // One round that does not count, as everywhere.
      await push();
      const before = crowd.deliveries;
      const busy = await server.cpuDuring(push);
      const delivered = crowd.deliveries - before;
      await crowd.leave();
      return { value: ((busy - base) * 1e6) / delivered, deliveries: delivered };
    });
    const note = `${Math.round(deliveries / FAN_OUT_SECONDS).toLocaleString('en-US')} deliveries/s`;
    const bounds = this.#bounds === undefined ? {} : { bounds: this.#bounds };
    return [{ figure: this.figures[0], value, limit: '1 µs', limitValue: 1, unit: 'µs', note, ...bounds }];
  }
}

async function fill(server: BenchProcess, events: number): Promise<void> {
  const options = { inFlight: 4, count: Math.ceil(events / 500) };
  await withClient(server, (client) => client.saturateStream(PUSH_STREAM, batchRequest('bytes', 500), options));
}

export const CONSUMER_ROWS: readonly Row[] = [
  new CatchUpRow(),
  new FanOutRow(1),
  new FanOutRow(10),
  new FanOutRow(100, { must: 4, aim: 1.5, atMost: true }),
];
