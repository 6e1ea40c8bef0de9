// Consumers: one that is far behind, and many at the head.

import { type CatchUp, catchUp, noopStream } from '../catch-up.js';
import { Crowd, pushPaced } from '../fan-out.js';
import { batchRequest } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';
import { PUSH_STREAM } from './push.js';

const CATCH_UP_EVENTS = 200_000;
const REJECTING_EVENTS = 100_000;
/** Events of an old topic, and how many of them a consumer gets. */
const OLD_EVENTS = 1_200_000;
const PART_EVENTS = 100_000;
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
        return withClient(server, (client) =>
          catchUp(client, { consumer: `late-${consumers}`, events: CATCH_UP_EVENTS }),
        );
      },
      () => withClient(noop, (client) => noopStream(client, CATCH_UP_EVENTS)),
    );
    const limit = 'no-op stream of the same frames';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'events/s', bounds: { must: 0.45, aim: 0.7 } }];
  }
}

/** A consumer that gives one event in a hundred back, once: what it costs, and that nothing waits for these. */
class RejectingRow implements Row {
  readonly figures = ['catching up, one event in a hundred rejected'] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server();
    await fill(server, REJECTING_EVENTS);
    let consumers = 0;
    const measure = (rejecting: Pick<CatchUp, 'rejectOneIn'>) => {
      consumers += 1;
      const consumer = `rejecting-${consumers}`;
      return withClient(server, (client) => catchUp(client, { consumer, events: REJECTING_EVENTS, ...rejecting }));
    };
    const measured = await inTurns(
      rounds,
      () => measure({ rejectOneIn: 100 }),
      () => measure({}),
    );
    const limit = 'the same without rejections';
    return [{ figure: this.figures[0], ...measured, limit, unit: 'events/s', bounds: { must: 0.5, aim: 0.8 } }];
  }
}

/** Consumers of one topic that has been there for long: what they cost does not depend on where in it they are. */
class OldTopicRow implements Row {
  readonly figures = [
    `consumer of a topic, at the beginning of ${count(OLD_EVENTS)} events`,
    `consumer of a topic, at the end of ${count(OLD_EVENTS)} events`,
  ] as const;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    const server = await stage.server('old topic', { database: 'old_topic' });
    await fill(server, OLD_EVENTS);
    let consumers = 0;
    const measure = (subscription: Omit<CatchUp, 'consumer' | 'events'>) => {
      consumers += 1;
      const consumer = `old-${consumers}`;
      return withClient(server, (client) => catchUp(client, { consumer, events: PART_EVENTS, ...subscription }));
    };
    const topics = ['orders'];
    const atBeginning = () => measure({ topics });
    const beginning = await inTurns(rounds, atBeginning, () => measure({}));
    const end = await inTurns(rounds, () => measure({ topics, after: OLD_EVENTS - PART_EVENTS }), atBeginning);
    await stage.clear();
    const unit = 'events/s';
    return [
      { figure: this.figures[0], ...beginning, limit: 'the same without a filter', unit },
      { figure: this.figures[1], ...end, limit: 'the same at its beginning', unit, bounds: { must: 0.8, aim: 0.95 } },
    ];
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

function count(events: number): string {
  return events.toLocaleString('en-US');
}

async function fill(server: BenchProcess, events: number): Promise<void> {
  const options = { inFlight: 4, count: Math.ceil(events / 500) };
  await withClient(server, (client) => client.saturateStream(PUSH_STREAM, batchRequest('bytes', 500), options));
}

export const CONSUMER_ROWS: readonly Row[] = [
  new CatchUpRow(),
  new RejectingRow(),
  new OldTopicRow(),
  new FanOutRow(1),
  new FanOutRow(10),
  new FanOutRow(100, { must: 4, aim: 1.5, atMost: true }),
];
