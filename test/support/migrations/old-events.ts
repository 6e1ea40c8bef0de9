// The events that an old server is made to store: every field, awkward names, every form of a payload. Their message ids are
// fixed, so that a retry can be made years later.

import type { DeepPartial, NewEvent } from '../../../generated/madeleine/v1/event.js';
import { bytesPayload, jsonPayload } from '../events/builders.js';

export type Draft = DeepPartial<NewEvent>;

/** Names that a collation would take for one another, or that SQL might stumble over. */
export const AWKWARD_CONTEXTS = ['a', 'A', 'ä', 'a b', "Größe 'zwei' %_\\", '日本 🎉'] as const;
export const CONTEXTS = ['default', ...AWKWARD_CONTEXTS] as const;

/** A message id that is the same in every dump. */
export function messageId(number: number): string {
  return `0193f0a4-5b5c-7d1e-8f3a-${String(number).padStart(12, '0')}`;
}

const FULL: Draft = {
  topic: 'orders',
  version: 3,
  stream: 'order-7',
  issuer: 'shop',
  sessionId: 'session-1',
  correlationId: 'correlation-1',
  to: 'mailer',
  replyTo: 'shop-replies',
  subject: 4,
  tag: 'größer 🎉',
  entityType: 'order',
  organization: 'madeleine',
  unit: 'sales',
  properties: { empty: '', 'key with spaces': 'ü "quoted" \\ \n', 日本: '🎉' },
  system: {
    id: 'erp-1',
    name: 'ERP',
    time: { seconds: 1_700_000_000n, nanos: 123_456_000 },
    timezone: 'Europe/Berlin',
  },
  trigger: { type: 'user', name: 'Zoë' },
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'vendor=1',
  payload: jsonPayload({ total: 12.5, lines: [{ sku: 'ä', n: 1 }, null, true], note: 'a\u0000b 🎉' }),
};

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, n) => n));

const PAYLOADS: readonly Draft['payload'][] = [
  bytesPayload('null', 'application/json'),
  jsonPayload('text'),
  jsonPayload([]),
  jsonPayload({ nested: { deep: [[[{}]]] }, tiny: 1e-300, negative: -0.5 }),
  { contentType: 'application/octet-stream', body: { $case: 'data', value: ALL_BYTES } },
  { contentType: 'application/octet-stream', body: { $case: 'data', value: Buffer.alloc(0) } },
  bytesPayload('{"exact": 9007199254740993, "zeros": 1.500, "same": 1e0}', 'application/json'),
  bytesPayload('{"twice": 1, "twice": 2}', 'application/cloudevents+json'),
  bytesPayload('Zoë;größer;🎉', 'text/csv; charset=utf-8'),
  bytesPayload('0123456789abcdef'.repeat(1_500), 'text/plain'),
  jsonPayload({ large: Array.from({ length: 500 }, (_, n) => ({ n, text: `line ${n}` })) }),
];

/** In three streams, one of them with a name that is nearly that of another, and without a stream. */
const STREAMS: readonly Draft[] = [
  { stream: 'order-8' },
  { stream: 'Order-8', issuer: 'billing' },
  { stream: 'order-8' },
  { stream: '訂單 8 🎉', issuer: 'Zoë & co' },
  {},
  { stream: 'Order-8', issuer: 'billing' },
  { stream: 'n'.repeat(255), topic: 't'.repeat(255), issuer: 'i'.repeat(255) },
];

const AWKWARD: readonly Draft[] = AWKWARD_CONTEXTS.flatMap((context) => [
  { context, topic: context, stream: context, issuer: context },
  { context, topic: 'orders', payload: jsonPayload({ in: context }) },
]);

/** In the order in which they are pushed. */
export const EVENTS: readonly Draft[] = [
  FULL,
  ...PAYLOADS.map((payload) => ({ topic: 'payloads', payload })),
  ...STREAMS,
  ...AWKWARD,
].map((draft, index) => ({
  topic: 'orders',
  issuer: 'shop',
  payload: jsonPayload({ n: index }),
  ...draft,
  messageId: messageId(index + 1),
}));
