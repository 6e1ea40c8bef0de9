// How an entry of the log becomes a row and comes back: the one place that knows the columns of `log`.

import type { EntryKind, EnvelopeRest, LogEntry } from '../../domain/event.js';
import type { PlannedEntry } from '../../domain/group-plan.js';
import type { SqlValue } from './database.js';
import type { NameCache } from './name-cache.js';

/** Written in this order; the first 22 are what a reader needs. */
const COLUMNS = [
  'position',
  'kind',
  'event_id',
  'topic_id',
  'stream_id',
  'sequence',
  'message_id',
  'created_at',
  'version',
  'subject',
  'issuer',
  'session_id',
  'correlation_id',
  'recipient',
  'reply_to',
  'tag',
  'entity_type',
  'organization',
  'unit',
  'envelope',
  'content_type',
  'payload',
  'context_id',
  'digest',
  'payload_bytes',
] as const;

export const COLUMNS_WRITTEN = COLUMNS.join(', ');
export const COLUMN_COUNT = COLUMNS.length;
/** For reads with rows as arrays: entryFromRow knows this order. */
export const COLUMNS_READ = COLUMNS.slice(0, 22).join(', ');

/** Numbers of the names of one entry. */
export interface EntryIds {
  readonly contextId: number;
  readonly topicId: number;
  readonly streamId: number | null;
}

const orNull = (text: string) => (text === '' ? null : text);

/** Appends the row's values, in the order of COLUMNS_WRITTEN. */
export function pushRowValues(values: SqlValue[], { entry, digest }: PlannedEntry, ids: EntryIds): void {
  const { payload } = entry;
  values.push(
    entry.position,
    entry.kind,
    entry.eventId,
    ids.topicId,
    ids.streamId,
    ids.streamId === null ? null : entry.sequence,
    uuidToBytes(entry.messageId),
    entry.createdAt,
    entry.version,
    entry.subject,
    entry.issuer,
    orNull(entry.sessionId),
    orNull(entry.correlationId),
    orNull(entry.to),
    orNull(entry.replyTo),
    orNull(entry.tag),
    orNull(entry.entityType),
    orNull(entry.organization),
    orNull(entry.unit),
    entry.rest === undefined ? null : JSON.stringify(entry.rest),
    payload === undefined ? null : orNull(payload.contentType),
    payload === undefined ? null : asBuffer(payload.bytes),
    ids.contextId,
    digest === undefined ? null : asBuffer(digest),
    payload?.bytes.byteLength ?? 0,
  );
}

/** The numbers of topic and stream in a row that was read. */
export function rowNameIds(row: readonly unknown[]): { topicId: number; streamId: number | null } {
  return { topicId: row[3] as number, streamId: row[4] as number | null };
}

/** The entry of a row read with COLUMNS_READ as an array; its names have to be in the cache. */
export function entryFromRow(row: readonly unknown[], names: NameCache): LogEntry | undefined {
  const { topicId, streamId } = rowNameIds(row);
  const topic = names.topicScope(topicId);
  const stream = streamId === null ? '' : names.streamName(streamId);
  if (topic === undefined || stream === undefined) return undefined;
  const payload = row[21] as Buffer | null;
  const envelope = row[19] as string | null;
  return {
    position: row[0] as number,
    kind: row[1] as EntryKind,
    eventId: row[2] as number,
    context: topic.context,
    topic: topic.name,
    version: row[8] as number,
    stream,
    sequence: (row[5] as number | null) ?? 0,
    issuer: text(row[10]),
    messageId: row[6] === null ? '' : uuidFromBytes(row[6] as Buffer),
    createdAt: row[7] as number,
    sessionId: text(row[11]),
    correlationId: text(row[12]),
    to: text(row[13]),
    replyTo: text(row[14]),
    subject: row[9] as number,
    tag: text(row[15]),
    entityType: text(row[16]),
    organization: text(row[17]),
    unit: text(row[18]),
    rest: envelope === null ? undefined : (JSON.parse(envelope) as EnvelopeRest),
    payload: payload === null ? undefined : { contentType: text(row[20]), bytes: payload },
  };
}

function text(value: unknown): string {
  return value === null ? '' : (value as Buffer).toString();
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

function uuidFromBytes(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
