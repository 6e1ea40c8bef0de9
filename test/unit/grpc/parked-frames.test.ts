// Parked events as they are encoded by hand, read with the generated code.

import { expect, it } from 'vitest';
import { ListParkedEventsResponse, ParkedEvent } from '../../../generated/madeleine/v1/consumer_service.js';
import { Event } from '../../../generated/madeleine/v1/event.js';
import { ParkedFrames } from '../../../src/grpc/consumers/parked-frames.js';
import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';
import { logEntry } from '../../support/cawins/callback-attempt.js';

const frames = new ParkedFrames(new WireEventEncoder());
const PARKED = {
  ...{ position: 2 ** 40, attempts: 3, losses: 1, code: 'BAD', reason: 'not\nso', parkedAt: 1_763_000_000_123_456 },
  replaying: true,
};

it('a parked event is read member by member', () => {
  const entry = logEntry({ position: 2 ** 40, payload: { contentType: '', bytes: Buffer.from('{"a":1}') } });
  expect(ParkedEvent.decode(frames.parked({ ...PARKED, entry }, 'json'))).toEqual({
    event: Event.decode(new WireEventEncoder().encode(entry, 'json')),
    ...{ attempts: 3, losses: 1, code: 'BAD', reason: 'not\nso', replaying: true },
    parkedAt: { seconds: 1_763_000_000n, nanos: 123_456_000 },
  });
});

it('a parked event that is not stored any more has its position', () => {
  const unknown = { ...PARKED, code: '', reason: '', parkedAt: undefined, replaying: false, entry: undefined };
  expect(ParkedEvent.decode(frames.parked(unknown, 'bytes'))).toEqual({
    event: { ...Event.fromPartial({}), position: 2n ** 40n },
    ...{ attempts: 3, losses: 1, code: '', reason: '', replaying: false, parkedAt: undefined },
  });
});

it('a page has its events in their order, and its token', () => {
  const items = [1, 2].map((position) => frames.parked({ ...PARKED, position, entry: undefined }, 'json'));
  const page = ListParkedEventsResponse.decode(frames.page(items, 'next'));
  expect(page.events.map(({ event }) => event?.position)).toEqual([1n, 2n]);
  expect(page.nextPageToken).toBe('next');
  expect(ListParkedEventsResponse.decode(frames.page([], ''))).toEqual({ events: [], nextPageToken: '' });
});
