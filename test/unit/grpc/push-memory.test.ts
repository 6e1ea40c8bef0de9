// What an event keeps of the request that it came in: its own bytes, not the four megabytes beside it.

import { expect, it } from 'vitest';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { PushEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { decodePush, splitPushes } from '../../../src/grpc/events/push-decoder.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';

const FILLER = newEvent({ payload: bytesPayload('x'.repeat(2 * 1024 * 1024), 'text/plain') });

it.each<[string, NewEvent['payload']]>([
  ['bytes', bytesPayload('small', 'text/plain')],
  ['a Value', jsonPayload({ small: true })],
])('an event with %s', (_, payload) => {
  const events = [FILLER, newEvent({ payload })].map((event) => ({ event }));
  const request = Buffer.from(PushEventsRequest.encode(PushEventsRequest.fromPartial({ events })).finish());
  const kept = decodePush(splitPushes(request)[1] as Buffer).event?.payload;
  expect(kept?.bytes?.buffer.byteLength).toBeLessThanOrEqual(16 * 1024);
  expect(kept?.bytes?.byteLength).toBeGreaterThan(0);
});
