// How much of what a consumer gets lies behind it: exactly, or not told.

import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ConsumerFilter,
  ConsumerSettings,
  CreateConsumerRequest,
  type StartPosition,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { EventStatus, type NewEvent } from '../../../generated/madeleine/v1/event.js';
import { newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const MANY = 24_000;
let count = 0;

async function push(number: number, eventOf: (n: number) => Partial<NewEvent>): Promise<bigint[]> {
  const positions: bigint[] = [];
  for (let from = 0; from < number; from += 1_000) {
    const some = Array.from({ length: Math.min(1_000, number - from) }, (_, n) => ({
      event: newEvent(eventOf(from + n)),
    }));
    const { results } = await suite.client.events.pushEvents({ events: some });
    positions.push(...results.map(({ event }) => event?.position ?? 0n));
  }
  return positions;
}

const after = (position: bigint): StartPosition => ({ at: { $case: 'afterPosition', value: position } });

/** What is told of a new consumer that begins after a position. */
async function percent(
  filter: Partial<ConsumerFilter> | undefined,
  position: bigint,
  { context = '', ...settings }: Partial<ConsumerSettings> & { readonly context?: string } = {},
): Promise<number | undefined> {
  count += 1;
  const { consumer } = await suite.client.consumers.createConsumer(
    CreateConsumerRequest.fromPartial({
      ...{ context, name: `c${count}`, start: after(position) },
      settings: ConsumerSettings.fromPartial({ ...settings, filter } as ConsumerSettings),
    } as CreateConsumerRequest),
  );
  return consumer?.percentOfMatching;
}

describe('of what a consumer gets', () => {
  let few: bigint[];
  let many: bigint[];
  let head: bigint;
  const at = (positions: readonly bigint[], index: number) => positions[index] ?? 0n;

  beforeAll(async () => {
    few = await push(10, (n) => ({
      topic: n % 2 === 0 ? 'few' : 'others',
      stream: n < 5 ? 'first' : '',
      context: 'few',
    }));
    await push(3, () => ({ topic: 'letters', context: 'few', to: 'somebody' }));
    many = await push(MANY, (n) => ({ topic: n % 4 === 0 ? 'rare' : 'many', stream: n % 2 === 0 ? 'even' : 'odd' }));
    head = at(many, MANY - 1);
    await waitUntil(async () => (await lag()) === 0, { what: 'all is counted', timeoutMs: 30_000 });
  });

  async function lag(): Promise<number> {
    const text = await (await fetch(`http://${suite.server.httpAddress}/metrics`)).text();
    return Number(/^madeleine_statistics_lag (\d+)$/m.exec(text)?.[1]);
  }

  it('by topics, the percentage is of those', async () => {
    const inFew = { context: 'few' };
    expect(await percent({ topics: ['few'] }, 0n, inFew)).toBe(0);
    expect(await percent({ topics: ['few'] }, at(few, 0), inFew)).toBe(20);
    expect(await percent({ topics: ['few'] }, at(few, 1), inFew)).toBe(20);
    expect(await percent({ topics: ['few', 'others'] }, at(few, 2), inFew)).toBe(30);
    expect(await percent({ topics: ['few'] }, at(few, 8), inFew)).toBe(100);
    expect(await percent({ topics: ['few'] }, at(few, 0), { context: 'all' })).toBe(20);
    expect(await percent({ topics: ['never used'] }, 0n, inFew)).toBe(100);
  });

  it('by streams, and by both, it is of those too', async () => {
    const inFew = { context: 'few' };
    expect(await percent({ streams: ['first'] }, at(few, 0), inFew)).toBe(20);
    expect(await percent({ streams: ['first'], topics: ['few'] }, at(few, 1), inFew)).toBeCloseTo(100 / 3, 10);
    expect(await percent({ streams: ['never used'] }, 0n, inFew)).toBe(100);
  });

  it('far behind it is exact by topics, by streams, and for all of a context', async () => {
    for (const index of [99, 5_555, 9_999, 13_321]) {
      const place = at(many, index);
      const passed = index + 1;
      expect(await percent(undefined, place)).toBeCloseTo((100 * passed) / MANY, 10);
      expect(await percent({ topics: ['many'] }, place)).toBeCloseTo(
        (100 * (passed - Math.ceil(passed / 4))) / (MANY - MANY / 4),
        10,
      );
      expect(await percent({ topics: ['rare', 'many'] }, place)).toBeCloseTo((100 * passed) / MANY, 10);
      expect(await percent({ streams: ['even'] }, place)).toBeCloseTo((100 * Math.ceil(passed / 2)) / (MANY / 2), 10);
    }
    expect(await percent({ streams: ['even', 'odd'] }, at(many, 99))).toBeCloseTo((100 * 100) / MANY, 10);
  });

  it('far behind by both it is not told', async () => {
    expect(await percent({ topics: ['rare', 'many'], streams: ['even', 'odd'] }, at(many, 99))).toBeUndefined();
    expect(await percent({ topics: ['rare'], streams: ['even'] }, at(many, 3))).toBeCloseTo(100 / (MANY / 4), 10);
  });

  it('nothing is told where counters cannot', async () => {
    expect(await percent({ topics: ['many'], issuers: ['shop'] }, at(many, 99))).toBeUndefined();
    expect(await percent({ description: { total: 1 } }, at(many, 99))).toBeUndefined();
    expect(await percent({ statuses: [EventStatus.EVENT_STATUS_INVALIDATED] }, at(many, 99))).toBeUndefined();
    expect(await percent({ topics: ['many'] }, at(many, 99), { ignoreOwn: true })).toBeUndefined();
    // Some are addressed to another one.
    expect(await percent({ topics: ['letters'] }, at(few, 9), { context: 'few' })).toBeUndefined();
  });

  it('all is consumed at the head', async () => {
    expect(await percent({ topics: ['many'] }, head)).toBe(100);
  });

  it('what was not counted yet counts too, and a list tells it', async () => {
    const positions = await push(4, () => ({ topic: 'late', context: 'late' }));
    expect(await percent({ topics: ['late'] }, at(positions, 0), { context: 'late' })).toBe(25);
    const { consumers } = await suite.client.consumers.listConsumers({ context: 'late' });
    expect(consumers.map(({ percentOfMatching }) => percentOfMatching)).toEqual([25]);
  });
});
