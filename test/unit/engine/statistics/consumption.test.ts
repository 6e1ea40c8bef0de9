// What it costs to tell what part of its events a consumer has passed.

import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import { EXACT, ROUGH } from '../../../../src/engine/consumers/state/event-count.js';
import type { LogSource } from '../../../../src/engine/log/log-source.js';
import { Consumption } from '../../../../src/engine/statistics/consumption.js';
import { ManualClock } from '../../../support/manual-clock.js';

/** A log of one topic with so many events, counted to its end. */
function scene(head: number) {
  const asked = { limits: [] as number[], upTo: 0 };
  const source = {
    clock: new ManualClock(),
    visible: head,
    readPositions: (_: unknown, { after, limit }: { readonly after: number; readonly limit: number }) => {
      asked.limits.push(limit);
      const positions = Array.from({ length: Math.min(limit, head - after) }, (__, n) => after + n + 1);
      return { positions, scannedTo: positions.length === limit ? (positions.at(-1) ?? 0) : head };
    },
  } as Partial<LogSource> as LogSource;
  const store = {
    total: async () => ({ asOf: head, events: head, addressed: 0 }),
    occurredUpTo: async (_: unknown, position: number) => {
      asked.upTo += 1;
      return position;
    },
  };
  const place = { context: 'default', name: 'mailer', settings: DEFAULT_SETTINGS, head };
  return { asked, place, consumption: new Consumption({ store, source }) };
}

it.each([
  [EXACT, { limits: [10_001], upTo: 0 }],
  [ROUGH, { limits: [1_001], upTo: 1 }],
])('of a consumer that is 6,000 events behind it is read with %j: %j', async (effort, expected) => {
  const { asked, place, consumption } = scene(8_000);
  expect(await consumption.percentOf({ ...place, offset: 2_000 }, effort)).toBe(25);
  expect(asked).toEqual(expected);
});
