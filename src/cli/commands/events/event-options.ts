// The flags that describe an event to push.

import type { Command } from 'commander';
import type { NewEvent, Subject } from '../../../../generated/madeleine/v1/event.js';
import { ENVELOPE, fieldsWith, wireName } from '../../../domain/events/envelope.js';
import { defined, property, subject } from '../../text/values.js';

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
