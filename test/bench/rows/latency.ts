// From a push to its delivery, on one instance and between two.

import { callLatency, deliveryLatency } from '../latency.js';
import type { Figure, Row, RowContext } from '../row.js';
import { withClient } from '../stage.js';

const SECONDS = 4;
const RATE = 500;
const RATE_BETWEEN = 200;
/** The default of MADELEINE_POLL_MS, with what the poll itself may take. */
const POLL_MS = 50 + 20;

class OneInstanceRow implements Row {
  readonly figures = ['push to delivery at 500/s, p50', 'push to delivery at 500/s, p99'] as const;

  async measure({ stage }: RowContext): Promise<Figure[]> {
    const [server, noop] = [await stage.server(), await stage.noop()];
    const call = await withClient(noop, (client) => callLatency(client, RATE, SECONDS));
    const own = await withClient(server, (client) => {
      return deliveryLatency(client, client, { rate: RATE, seconds: SECONDS });
    });
    const common = { limit: 'one no-op call', unit: 'ms' };
    return [
      {
        ...{ ...common, figure: this.figures[0], value: own.p50, limitValue: call.p50 },
        bounds: { must: 3, aim: 2, atMost: true },
      },
      {
        ...{ ...common, figure: this.figures[1], value: own.p99, limitValue: call.p99 },
        bounds: { must: 5, aim: 3, atMost: true },
        note: 'must also stay below 20 ms, and is aimed below 8 ms',
      },
    ];
  }
}

class TwoInstancesRow implements Row {
  readonly figures = ['push on one instance to delivery on another, p99'] as const;

  async measure({ stage }: RowContext): Promise<Figure[]> {
    // Instances of their own: the second one follows the log, which would cost the rows that share `main`.
    const [first, second] = [await this.#instance(stage, 1), await this.#instance(stage, 2)];
    const { p99 } = await withClient(first, (pusher) =>
      withClient(second, (reader) => deliveryLatency(pusher, reader, { rate: RATE_BETWEEN, seconds: SECONDS })),
    );
    const common = { figure: this.figures[0], value: p99, unit: 'ms' };
    const limit = 'poll interval + 20 ms';
    return [{ ...common, limit, limitValue: POLL_MS, bounds: { must: 1, aim: 0.07, atMost: true } }];
  }

  #instance(stage: RowContext['stage'], number: number) {
    return stage.server(`pair ${number}`, { database: 'pair' });
  }
}

export const LATENCY_ROWS: readonly Row[] = [new OneInstanceRow(), new TwoInstancesRow()];
