// A listing that is bounded by a position above the head, against a log under a clock of the test's.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ListEventsRequest, ListEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { BLANK_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';
import { EventFrames } from '../../../src/grpc/events/event-frames.js';
import { EventListing, type EventListingOptions } from '../../../src/grpc/events/event-listing.js';
import { systemClock } from '../../../src/lib/clock.js';

const HEAD = 3;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

const source: EventListingOptions['source'] = {
  clock: systemClock,
  visible: HEAD,
  epoch: 1,
  waitBeyond: (position, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(position))),
  storedHead: async () => HEAD,
  positionAt: async () => HEAD,
};

const queries: EventListingOptions['queries'] = {
  list: async (_criteria, { after, upTo, limit }) => {
    const last = Math.max(after, upTo - limit);
    const positions = Array.from({ length: upTo - last }, (_, index) => upTo - index);
    return { entries: positions.map(entryAt), scannedTo: last };
  },
  awaited: async () => ({ entries: [], next: undefined }),
};

function entryAt(position: number): LogEntry {
  const made = { position, kind: EntryKind.OCCURRED, eventId: position, sequence: 0, messageId: '', createdAt: 1 };
  return { ...BLANK_ENVELOPE, ...made, payload: undefined };
}

const passed = { of: async () => new Map() };
const listing = new EventListing({ source, queries, passed, frames: new EventFrames(new WireEventEncoder()) });

async function page(pageToken: string): Promise<ListEventsResponse> {
  const filter = { context: 'all', beforePosition: 1_000n };
  const request = ListEventsRequest.fromPartial({ filter, newestFirst: true, pageSize: 1, pageToken });
  return ListEventsResponse.decode(await listing.list(request, new AbortController().signal));
}

it('waits for the position once, before the newest, as all other pages lie below that one', async () => {
  const first = page('');
  await vi.advanceTimersByTimeAsync(500);
  const pages = [await first];
  for (let last = pages[0]; last !== undefined && last.nextPageToken !== ''; last = pages.at(-1)) {
    pages.push(await page(last.nextPageToken));
  }
  expect(pages.flatMap(({ events }) => events.map(({ position }) => position))).toEqual([3n, 2n, 1n]);
});
