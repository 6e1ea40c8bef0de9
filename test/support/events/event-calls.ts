// Short ways to call a suite's server about events: to push, to await, to withdraw, to read.

import { randomUUID } from 'node:crypto';
import type { Event, NewEvent } from '../../../generated/madeleine/v1/event.js';
import type { PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import type { TestClient } from '../server/server.js';
import type { Suite } from '../server/suite.js';
import { jsonPayload, newEvent } from './builders.js';

type Json = Record<string, unknown>;

export const newTopic = () => `topic ${randomUUID()}`;

/** Id and status of each event. */
export const shown = (events: readonly (Event | undefined)[]) => events.map((event) => [event?.id, event?.status]);

export function eventCalls(suite: Pick<Suite, 'client'>) {
  const push = async (event: Partial<NewEvent>, terms: Partial<PushEventRequest> = {}) =>
    (await suite.client.events.pushEvent({ event: newEvent(event), ...terms })).event as Event;
  return {
    push,
    occur: (topic: string, payload: Json, rest: Partial<NewEvent> = {}) =>
      push({ topic, payload: jsonPayload(payload), ...rest }),
    await_: (topic: string, description: Json, rest: Partial<NewEvent> = {}, terms: Partial<PushEventRequest> = {}) =>
      push({ topic, payload: undefined, description, ...rest }, terms),
    invalidate: (id: bigint) => suite.client.events.invalidateEvent({ id, reason: 'a mistake' }),
    async read(request: object, client: TestClient = suite.client): Promise<Event[]> {
      const events: Event[] = [];
      for await (const frame of client.events.readEvents(request)) events.push(...frame.events);
      return events;
    },
    list: async (filter: object, more: object = {}) =>
      (await suite.client.events.listEvents({ filter, ...more })).events,
  };
}
