// An entry as a line of an archive: an Event in canonical protobuf JSON, as the command line prints it with --json.
//
// The payload comes last, and its bytes are exact: JSON stands there byte for byte as it is stored, between `"json":` and the two braces
// that end the line; what would not stay on the line, or is no JSON, is `data` in base64.

import { createHash } from 'node:crypto';
import type { Micros } from '../../units.js';
import type { EnvelopeRest, SystemInfo, Trigger } from '../events/envelope.js';
import { EntryKind, isJsonContentType, type LogEntry, type Payload } from '../events/event.js';
import { EVENT_STATUS } from '../events/event-status.js';
import { subjectName } from '../events/subject.js';
import { microsText } from '../instant-text.js';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const LINE_END = Buffer.from('}}\n');

/** The line, with its end. `hash`: what payloadHash says of the entry. */
export function archiveLine(entry: LogEntry, hash = payloadHash(entry)): Buffer {
  const { payload } = entry;
  const head = JSON.stringify(envelopeOf(entry, hash)).slice(0, -1);
  const description = entry.rest?.description;
  // Its stored text, in which numbers are exact.
  const described = description ? `${head},"description":${description.replace(/[\r\n]+/g, ' ')}` : head;
  if (payload === undefined) return Buffer.from(`${described}}\n`);
  const { contentType, bytes } = payload;
  const type = contentType === '' ? '' : `"contentType":${JSON.stringify(contentType)},`;
  const start = `${described},"payload":{${type}`;
  if (!staysOnLine(payload)) return Buffer.from(`${start}"data":"${Buffer.from(bytes).toString('base64')}"}}\n`);
  return Buffer.concat([Buffer.from(`${start}"json":`), bytes, LINE_END]);
}

function staysOnLine({ contentType, bytes }: Payload): boolean {
  if (bytes.length === 0 || !isJsonContentType(contentType)) return false;
  return !bytes.includes(NEWLINE) && !bytes.includes(RETURN);
}

/** What protobuf JSON says of the entry but for payload and description: what is unset is left out. */
function envelopeOf(entry: LogEntry, hash: Buffer | undefined): Record<string, unknown> {
  const { rest = {} } = entry;
  return without({
    id: whole(entry.eventId),
    position: whole(entry.position),
    context: entry.context,
    topic: entry.topic,
    version: entry.version,
    stream: entry.stream,
    sequence: whole(entry.sequence),
    status: `EVENT_STATUS_${EVENT_STATUS[entry.kind].name}`,
    issuer: entry.issuer,
    messageId: entry.messageId,
    sessionId: entry.sessionId,
    correlationId: entry.correlationId,
    to: entry.to,
    replyTo: entry.replyTo,
    subject: entry.subject === 0 ? '' : `SUBJECT_${subjectName(entry.subject)}`,
    tag: entry.tag,
    entityType: entry.entityType,
    organization: entry.organization,
    unit: entry.unit,
    properties: notEmpty(rest.properties),
    system: rest.system && systemOf(rest.system),
    trigger: rest.trigger && triggerOf(rest.trigger),
    ...timesOf(entry, rest),
    satisfiedIds: rest.satisfiedIds?.length ? rest.satisfiedIds.map(String) : undefined,
    endedById: rest.endedById === undefined ? undefined : String(rest.endedById),
    createdBy: rest.createdBy,
    traceparent: rest.traceparent,
    tracestate: rest.tracestate,
    awaitedBy: rest.awaitedBy,
    awaitedAt: time(rest.awaitedAt),
    causedBy: rest.causedBy,
    dataSubject: rest.dataSubject,
    payloadSha256: hash?.toString('base64'),
    erasedAt: time(rest.erasedAt),
  });
}

function timesOf({ kind, createdAt }: LogEntry, rest: EnvelopeRest): Record<string, string | undefined> {
  const isInvalidation = kind === EntryKind.INVALIDATED;
  return {
    createdAt: time(createdAt),
    occurredAt: time(isInvalidation ? rest.occurredAt : kind === EntryKind.OCCURRED ? createdAt : undefined),
    invalidatedAt: time(isInvalidation ? (rest.invalidatedAt ?? createdAt) : undefined),
    invalidationReason: isInvalidation ? rest.reason : undefined,
    expiresAt: time(rest.expiresAt),
  };
}

function systemOf({ id, name, time: at, timezone }: SystemInfo): object {
  return without({ id, name, time: time(at), timezone });
}

function triggerOf({ type, name }: Trigger): object {
  return without({ type, name });
}

/** The SHA-256 of the payload as it is or, where it is erased, was stored; undefined: there is, and was, none. */
export function payloadHash({ payload, rest }: Pick<LogEntry, 'payload' | 'rest'>): Buffer | undefined {
  if (payload !== undefined) return createHash('sha256').update(payload.bytes).digest();
  return rest?.payloadSha256 === undefined ? undefined : Buffer.from(rest.payloadSha256, 'hex');
}

function whole(value: number): string {
  return value === 0 ? '' : String(value);
}

/** RFC 3339 in UTC with microseconds. */
function time(micros: Micros | undefined): string | undefined {
  return micros === undefined ? undefined : microsText(micros);
}

function notEmpty(map: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : map;
}

function without(members: Record<string, unknown>): Record<string, unknown> {
  const set = Object.entries(members).filter(([, value]) => value !== undefined && value !== '' && value !== 0);
  return Object.fromEntries(set);
}
