// Entries of the log as encoded `Event` messages: once an entry and encoding, straight from its members. The field numbers are
// those of proto/madeleine/v1/event.proto; a test decodes the result with the generated code.

import type { EnvelopeRest, SystemInfo, Trigger } from '../../domain/events/envelope.js';
import { EntryKind, isJsonContentType, type LogEntry, type Payload } from '../../domain/events/event.js';
import { EVENT_STATUS } from '../../domain/events/event-status.js';
import { asBuffer } from '../../domain/json/bytes.js';
import { NO_ERASURES, type Shown } from '../../engine/erasure/erasures.js';
import type { Micros } from '../../units.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { writeStruct, writeValue } from '../wire/value-writer.js';
import { WireWriter } from '../wire/wire-writer.js';

export class WireEventEncoder {
  readonly #writer = new WireWriter();
  readonly #erasures: Shown;

  constructor(erasures: Shown = NO_ERASURES) {
    this.#erasures = erasures;
  }

  /** Whether nothing of the entry is erased that it still has. */
  isWhole(entry: LogEntry): boolean {
    return this.#erasures.shown(entry) === entry;
  }

  /** The encoded `Event` message; remembered in the entry, so that the second reader of an entry pays nothing. */
  encode(given: LogEntry, form: PayloadForm): Uint8Array {
    const entry = this.#erasures.shown(given);
    const known = form === 'bytes' ? entry.encodedBytes : entry.encodedJson;
    if (known !== undefined) return known;
    const made = this.#encode(entry, form === 'json');
    if (form === 'bytes') entry.encodedBytes = made;
    else entry.encodedJson = made;
    entry.keeper?.grew(made.byteLength);
    return made;
  }

  /** Writes the encoded `Event`. What nobody else is going to read is not kept: writing it in place saves a copy. */
  write(w: WireWriter, given: LogEntry, form: PayloadForm): void {
    const entry = this.#erasures.shown(given);
    const known = form === 'bytes' ? entry.encodedBytes : entry.encodedJson;
    if (known !== undefined) w.raw(known);
    else if (entry.keeper !== undefined) w.raw(this.encode(entry, form));
    else writeEvent(w, entry, form === 'json');
    if (entry.keeper === undefined) forget(entry, form);
  }

  #encode(entry: LogEntry, asJson: boolean): Uint8Array {
    this.#writer.reset();
    writeEvent(this.#writer, entry, asJson);
    return this.#writer.finish();
  }
}

/** Drops the encoding of an entry that was measured for its one frame, and is in that now. */
function forget(entry: LogEntry, form: PayloadForm): void {
  if (form === 'bytes') entry.encodedBytes = undefined;
  else entry.encodedJson = undefined;
}

function writeEvent(w: WireWriter, entry: LogEntry, asJson: boolean): void {
  const { rest } = entry;
  if (rest !== undefined) restFields(w, rest);
  if (entry.kind === EntryKind.INVALIDATED) invalidationFields(w, entry);
  else if (entry.kind === EntryKind.OCCURRED) timeField(w, 26, entry.createdAt);
  timeField(w, 25, entry.createdAt);
  if (rest?.trigger !== undefined) triggerField(w, rest.trigger);
  if (rest?.system !== undefined) systemField(w, rest.system);
  if (rest?.properties !== undefined) propertiesField(w, rest.properties);
  w.stringField(21, entry.unit);
  w.stringField(20, entry.organization);
  w.stringField(19, entry.entityType);
  w.stringField(18, entry.tag);
  w.numberField(17, entry.subject);
  w.stringField(16, entry.replyTo);
  w.stringField(15, entry.to);
  w.stringField(14, entry.correlationId);
  w.stringField(13, entry.sessionId);
  if (entry.messageIdBytes?.length === 16) w.uuidField(12, entry.messageIdBytes);
  else w.stringField(12, entry.messageId);
  w.stringField(11, entry.issuer);
  if (entry.payload !== undefined) payloadField(w, entry.payload, asJson);
  if (rest?.description !== undefined) descriptionField(w, rest.description);
  w.numberField(8, EVENT_STATUS[entry.kind].wire);
  w.numberField(7, entry.sequence);
  w.stringField(6, entry.stream);
  w.numberField(5, entry.version);
  w.stringField(4, entry.topic);
  w.stringField(3, entry.context);
  w.numberField(2, entry.position);
  w.numberField(1, entry.eventId);
}

/** Writes the members of the rest whose fields come after those of the envelope. */
function restFields(w: WireWriter, rest: EnvelopeRest): void {
  if (rest.erasedAt !== undefined) timeField(w, 40, rest.erasedAt);
  if (rest.payloadSha256 !== undefined) w.messageField(39, Buffer.from(rest.payloadSha256, 'hex'));
  w.stringField(38, rest.dataSubject ?? '');
  w.stringField(37, rest.causedBy ?? '');
  if (rest.awaitedAt !== undefined) timeField(w, 36, rest.awaitedAt);
  w.stringField(35, rest.awaitedBy ?? '');
  w.stringField(34, rest.tracestate ?? '');
  w.stringField(33, rest.traceparent ?? '');
  w.stringField(32, rest.createdBy ?? '');
  waitFields(w, rest);
}

function waitFields(w: WireWriter, rest: EnvelopeRest): void {
  w.numberField(31, rest.endedById ?? 0);
  if (rest.satisfiedIds !== undefined && rest.satisfiedIds.length > 0) {
    const mark = w.mark;
    for (const id of rest.satisfiedIds.toReversed()) w.varint(id);
    w.close(30, mark);
  }
  if (rest.expiresAt !== undefined) timeField(w, 29, rest.expiresAt);
}

/** Writes why the event was invalidated, in the entry that says so and in a view of the event that had occurred. */
function invalidationFields(w: WireWriter, { rest, createdAt }: LogEntry): void {
  w.stringField(28, rest?.reason ?? '');
  timeField(w, 27, rest?.invalidatedAt ?? createdAt);
  if (rest?.occurredAt !== undefined) timeField(w, 26, rest.occurredAt);
}

function descriptionField(w: WireWriter, text: string): void {
  const { mark } = w;
  // Of a wait whose content is erased.
  if (text === '') return;
  if (writeStruct(w, Buffer.from(text))) w.close(9, mark);
}

/** A Timestamp field. Times before 1970 have negative seconds and positive nanos, as its definition wants. */
export function timeField(w: WireWriter, field: number, micros: Micros): void {
  const mark = w.mark;
  const seconds = Math.floor(micros / 1_000_000);
  w.numberField(2, (micros - seconds * 1_000_000) * 1000);
  if (seconds < 0) {
    w.raw(negativeVarint(seconds));
    w.tag(1, 0);
  } else {
    w.numberField(1, seconds);
  }
  w.close(field, mark);
}

function negativeVarint(value: number): Uint8Array {
  const bytes = new Uint8Array(10);
  let rest = BigInt.asUintN(64, BigInt(value));
  for (let index = 0; index < 9; index += 1, rest >>= 7n) bytes[index] = Number(rest & 0x7fn) | 0x80;
  bytes[9] = Number(rest);
  return bytes;
}

/** Writes a payload: as a value where that is asked for and can hold it, else its bytes. */
function payloadField(w: WireWriter, { contentType, bytes }: Payload, asJson: boolean): void {
  const { mark } = w;
  if (asJson && isJsonContentType(contentType) && writeValue(w, asBuffer(bytes))) {
    w.close(2, mark);
  } else {
    w.raw(bytes);
    w.close(3, mark);
  }
  w.stringField(1, contentType);
  w.close(10, mark);
}

function systemField(w: WireWriter, system: SystemInfo): void {
  const mark = w.mark;
  w.stringField(4, system.timezone);
  if (system.time !== undefined) timeField(w, 3, system.time);
  w.stringField(2, system.name);
  w.stringField(1, system.id);
  w.close(23, mark);
}

function triggerField(w: WireWriter, trigger: Trigger): void {
  const mark = w.mark;
  w.stringField(2, trigger.name);
  w.stringField(1, trigger.type);
  w.close(24, mark);
}

function propertiesField(w: WireWriter, properties: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(properties).reverse()) {
    const mark = w.mark;
    w.stringField(2, value);
    w.stringField(1, key);
    w.close(22, mark);
  }
}
