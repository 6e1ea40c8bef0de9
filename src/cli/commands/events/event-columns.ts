// How one event reads by itself: each field that it has, one under the other.

import { type Event, Subject } from '../../../../generated/madeleine/v1/event.js';
import { fieldsWith, wireName } from '../../../domain/events/envelope.js';
import { enumText } from '../../text/enum-text.js';
import { payloadText, statusText } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';

/** Texts of the envelope that have no column of their own below. */
const OWN = new Set(['context', 'topic', 'stream', 'issuer']);
const TEXTS = fieldsWith<{ option: readonly [string, string] }>(({ option }) => typeof option === 'object');

const numbered = (value: bigint): string => (value === 0n ? '' : String(value));

const COLUMNS: readonly Column<Event>[] = [
  { title: 'EVENT', text: ({ id }) => String(id) },
  { title: 'POSITION', text: ({ position }) => numbered(position) },
  { title: 'STATUS', text: ({ status }) => statusText(status) },
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ topic }) => topic },
  { title: 'STREAM', text: ({ stream, sequence }) => (stream === '' ? '' : `${stream}#${sequence}`) },
  { title: 'ISSUER', text: ({ issuer }) => issuer },
  ...TEXTS.filter((field) => !OWN.has(field)).map((field) => ({
    title: wireName(field).replaceAll('_', ' ').toUpperCase(),
    text: (event: Event) => event[field],
  })),
  { title: 'SUBJECT', text: ({ subject }) => (subject === 0 ? '' : enumText(Subject, 'SUBJECT_', subject)) },
  { title: 'PROPERTIES', text: ({ properties }) => textOf(properties) },
  { title: 'MESSAGE ID', text: ({ messageId }) => messageId },
  { title: 'CREATED AT', text: ({ createdAt }) => timestampText(createdAt) },
  { title: 'OCCURRED AT', text: ({ occurredAt }) => timestampText(occurredAt) },
  { title: 'EXPIRES AT', text: ({ expiresAt }) => timestampText(expiresAt) },
  { title: 'INVALIDATED AT', text: ({ invalidatedAt }) => timestampText(invalidatedAt) },
  { title: 'ERASED AT', text: ({ erasedAt }) => timestampText(erasedAt) },
  {
    title: 'PAYLOAD SHA256',
    text: (event) => (event.erasedAt === undefined ? '' : event.payloadSha256.toString('hex')),
  },
  { title: 'REASON', text: ({ invalidationReason }) => invalidationReason },
  { title: 'DESCRIPTION', text: ({ description }) => textOf(description ?? {}) },
  { title: 'SATISFIED IDS', text: ({ satisfiedIds }) => satisfiedIds.join(', ') },
  { title: 'ENDED BY', text: ({ endedById }) => numbered(endedById ?? 0n) },
  { title: 'CONTENT TYPE', text: ({ payload }) => payload?.contentType ?? '' },
  { title: 'PAYLOAD', text: ({ payload }) => (payload === undefined ? '' : payloadText(payload)) },
];

/** The columns of what the event has. */
export function eventColumns(event: Event): readonly Column<Event>[] {
  return COLUMNS.filter(({ text }) => text(event) !== '');
}

function textOf(value: Readonly<Record<string, unknown>>): string {
  return Object.keys(value).length === 0 ? '' : JSON.stringify(value);
}
