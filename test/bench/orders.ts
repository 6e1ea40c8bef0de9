// Events that all differ, and the descriptions that await them: orders by their number, otherwise of the payload that all
// benchmarks push.

import {
  PushEventRequest,
  PushEventStreamRequest,
  PushEventsRequest,
} from '../../generated/madeleine/v1/event_service.js';
import { PAYLOAD } from './load.js';

/** Numbers have eight digits, so that all payloads have one size. */
export const FIRST_ORDER = 10_000_000;

const [HEAD, TAIL] = PAYLOAD.toString().split('4711') as [string, string];

/** What a push holds: an order with its payload, or only what describes it. */
export type OrderForm = 'payload' | 'description';

function eventOf(topic: string, order: number, form: OrderForm) {
  const common = { topic, issuer: 'shop' };
  if (form === 'description') return { ...common, description: { order } };
  const body = { $case: 'data', value: Buffer.from(`${HEAD}${order}${TAIL}`) } as const;
  return { ...common, payload: { contentType: '', body } };
}

/** One order as a PushEventRequest. */
export function orderRequest(topic: string, order: number, form: OrderForm = 'payload'): Buffer {
  return Buffer.from(
    PushEventRequest.encode(PushEventRequest.fromPartial({ event: eventOf(topic, order, form) })).finish(),
  );
}

/** A batch of a PushEventStream of so many orders from the number on. */
export function orderBatch(topic: string, from: number, count: number, form: OrderForm = 'payload'): Buffer {
  const events = Array.from({ length: count }, (_, n) => ({ event: eventOf(topic, from + n, form) }));
  const batch = PushEventStreamRequest.fromPartial({ batchId: 1n, events });
  return Buffer.from(PushEventStreamRequest.encode(batch).finish());
}

/** One unit of pushes with these descriptions and no payload: afterwards the topic watches their paths. */
export function watchRequest(topic: string, descriptions: readonly Record<string, unknown>[]): Buffer {
  const events = descriptions.map((description) => ({ event: { topic, issuer: 'shop', description } }));
  return Buffer.from(PushEventsRequest.encode(PushEventsRequest.fromPartial({ events })).finish());
}
