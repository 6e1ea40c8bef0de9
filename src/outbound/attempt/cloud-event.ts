// The body of webhooks and AMQP messages: a CloudEvent 1.0 in the structured JSON form. The payload's text is put in as it is
// stored, so that numbers keep every digit. The body is the same for every attempt.

import {
  ENVELOPE,
  type Envelope,
  type EnvelopeField,
  type SystemInfo,
  TEXT_FIELDS,
  type Trigger,
} from '../../domain/events/envelope.js';
import { EntryKind, isJsonContentType, type LogEntry, type Payload } from '../../domain/events/event.js';
import { EVENT_STATUS } from '../../domain/events/event-status.js';
import { subjectName } from '../../domain/events/subject.js';
import { microsText } from '../../domain/instant-text.js';
import { asBuffer, isJsonText } from '../../domain/json/bytes.js';
import { mediaTypeProblem } from '../../domain/names.js';
import type { CallbackEvent } from '../../engine/cawins/callback-sender.js';
import type { Micros } from '../../units.js';

export const CLOUD_EVENT_CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8';

/**
 * The bytes of the CloudEvent. Its `id` is the delivery's, which with `source` is unique for what it tells; `type` is the topic and
 * the outcome, such as `payment.occurred`. Our members that CloudEvents does not know are extension attributes in lower case; those
 * that are not set are left out, and numbers of 64 bits are texts, as its integers have 32.
 */
export function encodeCloudEvent(deliveryId: string, event: CallbackEvent): Buffer {
  const { entry, cawinId, awaitedId } = event;
  const own = `{"specversion":"1.0","id":${JSON.stringify(deliveryId)},"cawinid":"${cawinId}","awaitedid":"${awaitedId}"`;
  return Buffer.concat([Buffer.from(own), encodedEntry(entry)]);
}

/** An event that many wait for is told to each of them: all but the first members are the same. */
const encodedEntries = new WeakMap<LogEntry, Buffer>();

function encodedEntry(entry: LogEntry): Buffer {
  let encoded = encodedEntries.get(entry);
  if (encoded === undefined) {
    const attributes = ATTRIBUTES.map((of) => of(entry)).join('');
    encoded = Buffer.concat([Buffer.from(attributes), ...dataMembers(entry.payload), Buffer.from('}')]);
    encodedEntries.set(entry, encoded);
  }
  return encoded;
}

/** A member with a comma before it, or nothing if it is not set. */
function member(name: string, value: string | undefined): string {
  return value === undefined || value === '' ? '' : `,"${name}":${JSON.stringify(value)}`;
}

function timeMember(name: string, at: Micros | undefined): string {
  return member(name, at === undefined ? undefined : microsText(at));
}

function contextAttributes(entry: LogEntry): string {
  return (
    member('source', `/madeleine/contexts/${encodeURIComponent(entry.context)}`) +
    member('type', `${entry.topic}.${EVENT_STATUS[entry.kind].name.toLowerCase()}`) +
    timeMember('time', entry.createdAt)
  );
}

function ownAttributes(entry: LogEntry): string {
  return (
    member('outcome', EVENT_STATUS[entry.kind].name) +
    member('eventid', String(entry.eventId)) +
    member('position', String(entry.position)) +
    // Not `sequence`: that extension wants texts that sort like their numbers.
    member('streamsequence', entry.sequence === 0 ? '' : String(entry.sequence)) +
    member('messageid', entry.messageId) +
    member('createdby', entry.rest?.createdBy) +
    timeMember('erasedat', entry.rest?.erasedAt) +
    member('payloadsha256', entry.rest?.payloadSha256)
  );
}

/** What was awaited, and how that ended: all that is known of an event that has no payload. */
function waitAttributes({ kind, createdAt, rest }: LogEntry): string {
  const hasOccurred = kind === EntryKind.OCCURRED;
  return (
    // A JSON text, as an object has no form among attributes.
    member('description', rest?.description) +
    member('awaitedby', rest?.awaitedBy) +
    timeMember('awaitedat', rest?.awaitedAt) +
    timeMember('deadline', rest?.expiresAt) +
    member('reason', rest?.reason) +
    timeMember('occurredat', hasOccurred ? createdAt : rest?.occurredAt) +
    timeMember('invalidatedat', kind === EntryKind.INVALIDATED ? createdAt : undefined) +
    member('satisfiedids', rest?.satisfiedIds?.join(','))
  );
}

function envelopeAttributes(entry: LogEntry): string {
  const texts = TEXT_FIELDS.map((field) => member(ENVELOPE[field].cloudEvent, ENVELOPE[field].of(entry)));
  const others = Object.values(OTHER_FIELDS).map((attributes) => attributes(entry));
  return [...texts, ...others].join('');
}

/** The attributes, in the order in which they are written. */
const ATTRIBUTES = [contextAttributes, ownAttributes, waitAttributes, envelopeAttributes];

/** The attributes of what is no text. */
const OTHER_FIELDS = {
  version: ({ version }) => member(ENVELOPE.version.cloudEvent, version === 0 ? '' : String(version)),
  subject: ({ subject }) => member(ENVELOPE.subject.cloudEvent, subjectName(subject)),
  // A map has no form among attributes, but its JSON text has one.
  properties: ({ rest }) => member(ENVELOPE.properties.cloudEvent, rest?.properties && JSON.stringify(rest.properties)),
  system: ({ rest }) => (rest?.system === undefined ? '' : systemAttributes(ENVELOPE.system.cloudEvent, rest.system)),
  trigger: ({ rest }) =>
    rest?.trigger === undefined ? '' : triggerAttributes(ENVELOPE.trigger.cloudEvent, rest.trigger),
} satisfies Record<Exclude<EnvelopeField, (typeof TEXT_FIELDS)[number]>, (envelope: Envelope) => string>;

function systemAttributes(prefix: string, { id, name, time, timezone }: SystemInfo): string {
  return (
    member(`${prefix}id`, id) +
    member(`${prefix}name`, name) +
    timeMember(`${prefix}time`, time) +
    member(`${prefix}timezone`, timezone)
  );
}

function triggerAttributes(prefix: string, { type, name }: Trigger): string {
  return member(`${prefix}type`, type) + member(`${prefix}name`, name);
}

function dataMembers(payload: Payload | undefined): Buffer[] {
  if (payload === undefined) return [];
  const bytes = asBuffer(payload.bytes);
  const type = member('datacontenttype', dataContentType(payload.contentType));
  // Should another program have written the row, its bytes must not break out of the body.
  if (isJsonContentType(payload.contentType) && isJsonText(bytes)) return [Buffer.from(`${type},"data":`), bytes];
  return [Buffer.from(`${type},"data_base64":"${bytes.toString('base64')}"`)];
}

/** The media type of the data; what was stored before types were checked, and is none, says no more than that these are bytes. */
function dataContentType(contentType: string): string {
  if (contentType === '') return 'application/json';
  return mediaTypeProblem(contentType) === undefined ? contentType : 'application/octet-stream';
}
