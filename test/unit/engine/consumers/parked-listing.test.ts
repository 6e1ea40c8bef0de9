// Pages of parked events, over what is stored of them and of the events.

import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import type { LogEntry } from '../../../../src/domain/events/event.js';
import { ParkedListing } from '../../../../src/engine/consumers/parked/parked-listing.js';
import type { LogSource } from '../../../../src/engine/log/log-source.js';
import type { ConsumerRecord } from '../../../../src/storage/ports/consumer-storage.js';
import { EVERY_PARKED, type ParkedPage } from '../../../../src/storage/ports/parked-storage.js';
import { logEntry } from '../../../support/cawins/callback-attempt.js';

const KEY = { context: 'default', name: 'mailer' };
const RECORD = { ...KEY, id: 7, settings: DEFAULT_SETTINGS } as ConsumerRecord;
const NUMBERS = { attempts: 3, losses: 0, code: '', reason: '', parkedAt: undefined, replaying: false };

/** A listing over events of so many bytes each, of those positions. */
function listing(page: ParkedPage, stored: readonly number[], bytes = 1) {
  const reads: number[] = [];
  const source: Pick<LogSource, 'visible' | 'readAt'> = {
    visible: 1_000,
    readAt: async (positions) => {
      reads.push(positions.length);
      return positions.filter((position) => stored.includes(position)).map((position) => entry(position, bytes));
    },
  };
  const options = {
    store: { find: async () => RECORD },
    parked: { list: async () => page },
    source: source as LogSource,
  };
  return { reads, page: () => new ParkedListing(options).page(KEY, EVERY_PARKED, { after: 0, limit: 1_000 }) };
}

function entry(position: number, bytes: number): LogEntry {
  return logEntry({ position, payload: { contentType: '', bytes: Buffer.alloc(bytes) } });
}

const records = (count: number) => Array.from({ length: count }, (_, n) => ({ ...NUMBERS, position: n + 1 }));

it('has no event where that is not stored any more', async () => {
  const { page } = listing({ records: records(3), next: 3 }, [1, 3]);
  const { items, next } = await page();
  expect(items.map(({ position, entry: event }) => [position, event?.position])).toEqual([
    [1, 1],
    [2, undefined],
    [3, 3],
  ]);
  expect(next).toBe(3);
});

it('reads few events at a time, and ends where their bytes are a page', async () => {
  const all = records(200);
  const { page, reads } = listing(
    { records: all, next: undefined },
    all.map(({ position }) => position),
    64 * 1024,
  );
  const { items, next } = await page();
  expect(items.length).toBeGreaterThan(40);
  expect(items.length).toBeLessThan(50);
  expect(next).toBe(items.length);
  expect(reads).toEqual([32, 32]);
});

it('has an event that is larger than a page', async () => {
  const { page } = listing({ records: records(2), next: undefined }, [1, 2], 5 * 1024 * 1024);
  const { items, next } = await page();
  expect(items.map(({ position }) => position)).toEqual([1]);
  expect(next).toBe(1);
});
