// How an entry of the log becomes a row and comes back: the one place that knows the columns of `log`.

import {
  BLANK_ENVELOPE,
  ENVELOPE,
  EnvelopeMembers,
  type EnvelopeRest,
  SPARSE_FIELDS,
} from '../../../domain/events/envelope.js';
import type { EntryKeeper, EntryKind, LogEntry, Payload } from '../../../domain/events/event.js';
import type { PlannedEntry } from '../../../domain/group/group-plan-types.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import { uuidText } from '../../../lib/uuid-text.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { NameCache } from '../names/name-cache.js';
import type { EntryIds } from '../names/name-ids.js';
import type { SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

/** What every row has; the first 13 are what a reader needs. */
const CORE_COLUMNS = [
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
  'content_type',
  'payload',
  'context_id',
  'digest',
  'payload_bytes',
];
/** What most events leave unset. */
const ENVELOPE_COLUMNS = [...SPARSE_FIELDS.map((field) => ENVELOPE[field].kept.sparse), 'envelope'];
const SPARSE_VALUES = SPARSE_FIELDS.map((field) => ENVELOPE[field].of);
const READ_CORE = 13;
/** The columns of reads with rows as arrays: entryFromRow knows this order. */
export const COLUMNS_READ = [...CORE_COLUMNS.slice(0, READ_CORE), ...ENVELOPE_COLUMNS].join(', ');
/** The columns read, without payloads that have more bytes than its parameter, and the bytes of each payload behind them. */
export const COLUMNS_WITHOUT_LARGE = `${COLUMNS_READ.replace(
  / payload,/,
  ' IF(payload_bytes > ?, NULL, payload),',
)}, payload_bytes`;

/** What a row has in bytes: its payload, and the part of its envelope that may be long. */
export const ROW_BYTES = 'payload_bytes + COALESCE(OCTET_LENGTH(envelope), 0) AS payload_bytes';

export interface RowSize {
  readonly position: Position;
  /** Bytes of payload and envelope. */
  readonly payload_bytes: number;
}

/**
 * An insert of entries. When no entry of it sets a member of the envelope, their columns are left out: a third of the values
 * then need not be sent and bound.
 */
export class EntryInsert {
  readonly sql: string;
  readonly values: SqlValue[] = [];

  constructor(entries: readonly PlannedEntry[], idsOf: (entry: LogEntry) => EntryIds) {
    const bare = entries.every(({ entry }) => isBare(entry));
    for (const planned of entries) {
      pushCore(this.values, planned, idsOf(planned.entry));
      if (!bare) pushEnvelope(this.values, planned.entry);
    }
    this.sql = insertSql(entries.length, bare);
  }
}

const WHOLE_COLUMNS = [...CORE_COLUMNS, ...ENVELOPE_COLUMNS];
/** Texts by number of rows, with and without the envelope: committers use few sizes. */
const insertTexts = { bare: new Map<number, string>(), whole: new Map<number, string>() };

function insertSql(rows: number, bare: boolean): string {
  const texts = bare ? insertTexts.bare : insertTexts.whole;
  const known = texts.get(rows);
  if (known !== undefined) return known;
  const columns = bare ? CORE_COLUMNS : WHOLE_COLUMNS;
  const text = `INSERT INTO log (${columns.join(', ')}) VALUES ${placeholders(rows, `(${placeholders(columns.length)})`)}`;
  texts.set(rows, text);
  return text;
}

function isBare(entry: LogEntry): boolean {
  if (entry.rest !== undefined) return false;
  for (const of of SPARSE_VALUES) if (of(entry) !== '') return false;
  return true;
}

const orNull = (text: string) => (text === '' ? null : text);

function pushCore(values: SqlValue[], { entry, digest }: PlannedEntry, ids: EntryIds): void {
  const { payload } = entry;
  values.push(
    entry.position,
    entry.kind,
    entry.eventId,
    ids.topicId,
    ids.streamId,
    ids.streamId === null || entry.sequence === 0 ? null : entry.sequence,
    entry.messageId === '' ? null : uuidToBytes(entry.messageId),
    entry.createdAt,
    entry.version,
    entry.subject,
    entry.issuer,
    payload === undefined ? null : orNull(payload.contentType),
    payload === undefined ? null : asBuffer(payload.bytes),
    ids.contextId,
    digest === undefined ? null : asBuffer(digest),
    payload?.bytes.byteLength ?? 0,
  );
}

function pushEnvelope(values: SqlValue[], entry: LogEntry): void {
  for (const of of SPARSE_VALUES) values.push(orNull(of(entry)));
  values.push(entry.rest === undefined ? null : JSON.stringify(entry.rest));
}

/** The position and the bytes of a row that was read with COLUMNS_WITHOUT_LARGE. */
export function rowSize(row: readonly unknown[]): RowSize {
  const envelope = row[READ_CORE + SPARSE_FIELDS.length] as string | null;
  return { position: row[0] as number, payload_bytes: payloadBytes(row) + (envelope?.length ?? 0) };
}

/** The payload's bytes in a row that was read with COLUMNS_WITHOUT_LARGE. */
export function payloadBytes(row: readonly unknown[]): number {
  return row.at(-1) as number;
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
  return new StoredEntry(row, topic, stream);
}

/** What a row holds. The text of the message id is made when it is asked for: most readers take its bytes. */
class StoredEntry extends EnvelopeMembers implements LogEntry {
  declare readonly position: Position;
  declare readonly kind: EntryKind;
  declare readonly eventId: EventId;
  declare readonly sequence: number;
  declare readonly messageIdBytes: Uint8Array;
  declare readonly createdAt: Micros;
  declare readonly payload: Payload | undefined;
  declare keeper: EntryKeeper | undefined;

  constructor(row: readonly unknown[], topic: { readonly context: string; readonly name: string }, stream: string) {
    super(BLANK_ENVELOPE);
    const payload = row[12] as Buffer | null;
    this.position = row[0] as number;
    this.kind = row[1] as EntryKind;
    this.eventId = row[2] as number;
    this.context = topic.context;
    this.topic = topic.name;
    this.version = row[8] as number;
    this.stream = stream;
    this.sequence = (row[5] as number | null) ?? 0;
    this.issuer = text(row[10]);
    this.messageIdBytes = (row[6] as Buffer | null) ?? NO_BYTES;
    this.createdAt = row[7] as number;
    this.subject = row[9] as number;
    let at = READ_CORE;
    for (const field of SPARSE_FIELDS) {
      const value = row[at] as Buffer | null;
      if (value !== null) this[field] = value.toString();
      at += 1;
    }
    const rest = row[at] as string | null;
    if (rest !== null) this.rest = JSON.parse(rest) as EnvelopeRest;
    this.payload = payload === null ? undefined : { contentType: text(row[11]), bytes: payload };
    this.keeper = undefined;
  }

  get messageId(): string {
    return this.messageIdBytes.length === 0 ? '' : uuidText(this.messageIdBytes);
  }
}

const NO_BYTES = new Uint8Array();

function text(value: unknown): string {
  return value === null ? '' : (value as Buffer).toString();
}

export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
