// The flags that describe an event to push, and the ones that select events to read.

import type { Command } from 'commander';
import {
  type EventStatus,
  type NewEvent,
  PayloadEncoding,
  type Subject,
} from '../../../../generated/madeleine/v1/event.js';
import type { ReadEventsRequest } from '../../../../generated/madeleine/v1/event_service.js';
import { ENVELOPE, fieldsWith, wireName } from '../../../domain/events/envelope.js';
import { collect, defined, description, entryStatuses, property, subject, subjects } from '../../text/values.js';

/** Texts of the envelope that have an option. */
const TEXT_OPTIONS = fieldsWith<{ option: readonly [string, string] }>(({ option }) => typeof option === 'object');
type EnvelopeTexts = { readonly [Field in (typeof TEXT_OPTIONS)[number]]?: string };

/** The envelope as flags give it; absent: not set. */
export interface EnvelopeFlags extends EnvelopeTexts {
  readonly contentType?: string;
  readonly messageId?: string;
  readonly subject?: Subject;
  readonly property?: Readonly<Record<string, string>>;
}

export function addEnvelopeFlags(command: Command): Command {
  for (const field of TEXT_OPTIONS) {
    const [takes, help] = ENVELOPE[field].option;
    command.option(`--${wireName(field).replaceAll('_', '-')} <${takes}>`, help);
  }
  return command
    .option('--content-type <type>', 'media type of the payload (default JSON)')
    .option('--message-id <uuid>', 'id that makes repeating the command safe; one event only')
    .option('--subject <subject>', 'created, updated, deleted, … (see the Subject of the contract)', subject)
    .option('--property <key=value>', 'custom property; repeatable', property);
}

/** The event that the flags describe, with this payload or without one. */
export function newEvent(flags: EnvelopeFlags, data: Uint8Array | undefined): Partial<NewEvent> {
  const { property: properties, contentType = '' } = flags;
  return {
    ...pickEnvelope(flags),
    ...(properties === undefined ? {} : { properties: { ...properties } }),
    ...(data === undefined ? {} : { payload: { contentType, body: { $case: 'data', value: Buffer.from(data) } } }),
  };
}

/** An event that says itself what it is; flags replace what it says, properties one by one. */
export function withFlags(event: Partial<NewEvent>, flags: EnvelopeFlags): Partial<NewEvent> {
  const { property: properties, messageId: _, ...envelope } = flags;
  return { ...event, ...pickEnvelope(envelope), properties: { ...event.properties, ...properties } };
}

function pickEnvelope(flags: EnvelopeFlags): Partial<NewEvent> {
  const texts: EnvelopeTexts = Object.fromEntries(TEXT_OPTIONS.map((field) => [field, flags[field]]));
  return defined({ ...texts, messageId: flags.messageId, subject: flags.subject });
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
    .option(
      '--status <status>',
      'occurred (default), invalidated, expired or transferred entries; repeatable',
      entryStatuses,
    )
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
