// What a schema of thirty properties costs the pushes of its topic: the same pushes to a topic without one, on the same server.

import { PushEventRequest, PushEventStreamRequest } from '../../../generated/madeleine/v1/event_service.js';
import { RegisterTopicRequest, RegisterTopicResponse } from '../../../generated/madeleine/v1/topic_service.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';
import { PUSH, PUSH_STREAM } from './push.js';

const REGISTER = '/madeleine.v1.TopicService/RegisterTopic';
const CALLS = 10_000;
const IN_FLIGHT = 64;
const BATCHES = 500;
const BATCH_EVENTS = 100;
const [CHECKED, FREE] = ['checked', 'free'];
/** Properties of each of these kinds. */
const EACH = 6;
const KINDS = [
  { schema: { type: 'string', minLength: 1, maxLength: 40 }, value: 'as it was ordered' },
  { schema: { type: 'string', pattern: '^[A-Z]{2}-[0-9]+$' }, value: 'AB-4711' },
  { schema: { type: 'number', minimum: 0, maximum: 1_000_000 }, value: 12.5 },
  { schema: { enum: ['open', 'paid', 'sent', 'closed'] }, value: 'sent' },
  { schema: { type: ['integer', 'null'] }, value: 7 },
] as const;
const PARTS = KINDS.flatMap((kind, at) =>
  Array.from({ length: EACH }, (_, n) => ({ name: `property_${at}_${n}`, ...kind })),
);
const SCHEMA = JSON.stringify({
  type: 'object',
  properties: Object.fromEntries(PARTS.map(({ name, schema }) => [name, schema])),
  required: PARTS.filter((_, n) => n % 2 === 0).map(({ name }) => name),
  additionalProperties: false,
});
const PAYLOAD = Buffer.from(JSON.stringify(Object.fromEntries(PARTS.map(({ name, value }) => [name, value]))));

function event(topic: string) {
  return { topic, issuer: 'shop', payload: { contentType: '', body: { $case: 'data', value: PAYLOAD } as const } };
}

abstract class SchemaRow implements Row {
  readonly figures: readonly [string];

  constructor(way: string) {
    this.figures = [`${way} to a topic with a schema of 30 properties`];
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server('schemas', { database: 'schemas' });
    const request = RegisterTopicRequest.fromPartial({ name: CHECKED, settings: { schema: SCHEMA } });
    const encoded = Buffer.from(RegisterTopicRequest.encode(request).finish());
    const answer = await withClient(server, (client) => client.unary(REGISTER, encoded));
    if (RegisterTopicResponse.decode(answer).topic?.settings?.schema === '') throw new Error('the topic has no schema');
    const measured = await inTurns(
      rounds,
      () => this.push(server, CHECKED),
      () => this.push(server, FREE),
    );
    const bounds = { must: 0.9, aim: 0.95 };
    return [{ figure: this.figures[0], ...measured, limit: 'a topic without', unit: 'events/s', bounds }];
  }

  /** Events a second. */
  protected abstract push(server: BenchProcess, topic: string): Promise<number>;
}

class UnarySchemaRow extends SchemaRow {
  protected push(server: BenchProcess, topic: string): Promise<number> {
    const request = Buffer.from(
      PushEventRequest.encode(PushEventRequest.fromPartial({ event: event(topic) })).finish(),
    );
    return withClient(server, (client) => client.saturate(PUSH, request, { inFlight: IN_FLIGHT, count: CALLS }));
  }
}

class StreamSchemaRow extends SchemaRow {
  protected async push(server: BenchProcess, topic: string): Promise<number> {
    const events = Array.from({ length: BATCH_EVENTS }, () => ({ event: event(topic) }));
    const batch = Buffer.from(
      PushEventStreamRequest.encode(PushEventStreamRequest.fromPartial({ batchId: 1n, events })).finish(),
    );
    const options = { inFlight: 8, count: BATCHES };
    return (
      (await withClient(server, (client) => client.saturateStream(PUSH_STREAM, () => batch, options))) * BATCH_EVENTS
    );
  }
}

export const SCHEMA_ROWS: readonly Row[] = [
  new UnarySchemaRow('PushEvent, 64 in flight,'),
  new StreamSchemaRow('PushEventStream, 100 x 8,'),
];
