// The flags that describe an event to push, and the ones that select events to read.

import type { Command } from 'commander';
import {
  type EventStatus,
  type NewEvent,
  PayloadEncoding,
  type Subject,
} from '../../../../generated/madeleine/v1/event.js';
import type { ReadEventsRequest } from '../../../../generated/madeleine/v1/event_service.js';
import { collect, defined, description, endStatuses, property, subject, subjects } from '../../text/values.js';

/** The envelope as flags give it; absent: not set. */
export interface EnvelopeFlags {
  readonly topic?: string;
  readonly stream?: string;
  readonly issuer?: string;
  readonly context?: string;
  readonly contentType?: string;
  readonly messageId?: string;
  readonly sessionId?: string;
  readonly correlationId?: string;
  readonly to?: string;
  readonly replyTo?: string;
  readonly subject?: Subject;
  readonly tag?: string;
  readonly entityType?: string;
  readonly organization?: string;
  readonly unit?: string;
  readonly property?: Readonly<Record<string, string>>;
  readonly traceparent?: string;
}

export function addEnvelopeFlags(command: Command): Command {
  return command
    .option('--topic <name>', 'topic, required without --events')
    .option('--issuer <name>', 'who pushes, required without --events')
    .option('--stream <name>', 'stream that the event goes into')
    .option('--context <name>', 'context (default "default")')
    .option('--content-type <type>', 'media type of the payload (default JSON)')
    .option('--message-id <uuid>', 'id that makes repeating the command safe; one event only')
    .option('--subject <subject>', 'created, updated, deleted, … (see the Subject of the contract)', subject)
    .option('--tag <text>', 'label of the content')
    .option('--entity-type <text>', 'class of the entity that it speaks about')
    .option('--property <key=value>', 'custom property; repeatable', property)
    .option('--to <name>', 'the only consumer that it is meant for')
    .option('--reply-to <name>', 'consumer that awaits the answer')
    .option('--correlation-id <text>', 'message id of the event that this one answers')
    .option('--session-id <text>', 'conversation that it belongs to')
    .option('--organization <text>', 'organization')
    .option('--unit <text>', 'unit of the organization')
    .option('--traceparent <text>', 'W3C trace context');
}

/** The event that the flags describe, with this payload or without one. */
export function newEvent(flags: EnvelopeFlags, data: Uint8Array | undefined): Partial<NewEvent> {
  const { property: properties, contentType = '', ...envelope } = flags;
  return {
    ...pickEnvelope(envelope),
    ...(properties === undefined ? {} : { properties: { ...properties } }),
    ...(data === undefined ? {} : { payload: { contentType, body: { $case: 'data', value: Buffer.from(data) } } }),
  };
}

/** An event that says itself what it is; flags replace what it says, properties one by one. */
export function withFlags(event: Partial<NewEvent>, flags: EnvelopeFlags): Partial<NewEvent> {
  const { property: properties, contentType: _, messageId: __, ...envelope } = flags;
  return { ...event, ...pickEnvelope(envelope), properties: { ...event.properties, ...properties } };
}

function pickEnvelope(flags: Omit<EnvelopeFlags, 'property' | 'contentType'>): Partial<NewEvent> {
  const { topic, stream, issuer, context, messageId, sessionId, correlationId, to, replyTo } = flags;
  const { subject: about, tag, entityType, organization, unit, traceparent } = flags;
  return defined({
    ...{ topic, stream, issuer, context, messageId, sessionId, correlationId, to, replyTo },
    ...{ subject: about, tag, entityType, organization, unit, traceparent },
  });
}

/** What selects events, as flags give it. */
export interface FilterFlags {
  readonly context?: string;
  readonly topic?: readonly string[];
  readonly stream?: string;
  readonly issuer?: string;
  readonly subject?: readonly Subject[];
  readonly tag?: readonly string[];
  readonly entityType?: readonly string[];
  readonly status?: readonly EventStatus[];
  readonly description?: Readonly<Record<string, unknown>>;
}

export function addFilterFlags(command: Command): Command {
  return command
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--topic <name>', 'only this topic; repeatable', collect)
    .option('--stream <name>', 'only this stream')
    .option('--issuer <name>', 'only this issuer')
    .option('--subject <subject>', 'only this subject; repeatable', subjects)
    .option('--tag <text>', 'only this tag; repeatable', collect)
    .option('--entity-type <text>', 'only this class of entities; repeatable', collect)
    .option('--status <status>', 'occurred (default), invalidated or expired entries; repeatable', endStatuses)
    .option('--description <json>', 'only what has this in its payload', description);
}

/** The request to read what the flags select; payloads as stored, so that nothing is lost. */
export function readRequest(flags: FilterFlags): Partial<ReadEventsRequest> {
  const { context, stream, issuer, description: part } = flags;
  const { topic = [], subject: about = [], tag = [], entityType = [], status = [] } = flags;
  return {
    ...defined({ context, stream, issuer, description: part }),
    topics: [...topic],
    subjects: [...about],
    tags: [...tag],
    entityTypes: [...entityType],
    statuses: [...status],
    payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
  };
}
