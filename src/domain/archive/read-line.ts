// A line of an archive, read back: see archive-line.ts for what it says.

import { createHash } from 'node:crypto';
import type { EventId, Position } from '../../units.js';
import type { Payload } from '../events/event.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const KEY = Buffer.from('"payload"');

/** A line that cannot be read, and why. */
export class LineProblem extends Error {
  override readonly name = 'LineProblem';
}

/** What a line says. */
export interface ReadLine {
  readonly position: Position;
  readonly eventId: EventId;
  readonly context: string;
  readonly topic: string;
  readonly createdAt: string;
  /** All of it but the payload, as protobuf JSON. */
  readonly envelope: Readonly<Record<string, unknown>>;
  /** The bytes that were stored. */
  readonly payload: Payload | undefined;
  /** The SHA-256 that it says the payload has, or had. */
  readonly payloadSha256: Buffer | undefined;
}

/** Reads a line without its end. Throws LineProblem. */
export function readArchiveLine(line: Buffer): ReadLine {
  const start = payloadStart(line);
  const envelope = parsed(start === undefined ? line : Buffer.concat([line.subarray(0, start), Buffer.from('}')]));
  const { id, position, context, topic, createdAt, payloadSha256: hash } = envelope;
  if (![id, position, context, topic, createdAt].every((value) => typeof value === 'string' && value !== '')) {
    throw new LineProblem('is no event');
  }
  const payload = start === undefined ? undefined : readPayload(line.subarray(start));
  const payloadSha256 = typeof hash === 'string' ? Buffer.from(hash, 'base64') : undefined;
  if (payload !== undefined && !isHashOf(payload, payloadSha256)) {
    throw new LineProblem('has another payload than its SHA-256 says');
  }
  return {
    ...{ position: Number(position), eventId: Number(id), context: String(context), topic: String(topic) },
    createdAt: String(createdAt),
    envelope,
    payload,
    payloadSha256,
  };
}

function isHashOf({ bytes }: Payload, hash: Buffer | undefined): boolean {
  return hash !== undefined && createHash('sha256').update(bytes).digest().equals(hash);
}

function parsed(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new LineProblem('is no JSON object');
}

/** Where `,"payload":` begins among the members of the line itself; undefined: it has none. */
function payloadStart(line: Buffer): number | undefined {
  let depth = 0;
  for (let at = 0; at < line.length; at += 1) {
    const byte = line[at] as number;
    if (OPEN.has(byte)) depth += 1;
    else if (CLOSE.has(byte)) depth -= 1;
    else if (byte === QUOTE) {
      const end = stringEnd(line, at);
      const isKey = depth === 1 && line[end] === COLON;
      if (isKey && line.subarray(at, end).equals(KEY)) return at - 1;
      at = end - 1;
    }
  }
  return undefined;
}

/** The place after the string that begins there. */
function stringEnd(line: Buffer, start: number): number {
  for (let at = start + 1; at < line.length; at += 1) {
    const byte = line[at];
    if (byte === BACKSLASH) at += 1;
    else if (byte === QUOTE) return at + 1;
  }
  throw new LineProblem('ends within a text');
}

const PAYLOAD = ',"payload":{';
const TYPE = '"contentType":';
const JSON_ARM = '"json":';
const DATA_ARM = '"data":"';

/** Reads `,"payload":{…}}`. */
function readPayload(member: Buffer): Payload {
  let at = PAYLOAD.length;
  let contentType = '';
  const isNext = (text: string) => member.toString('latin1', at, at + text.length) === text;
  if (member.toString('latin1', 0, at) !== PAYLOAD || member.toString('latin1', member.length - 2) !== '}}') {
    throw new LineProblem('has a payload that is none');
  }
  if (isNext(TYPE)) {
    const end = stringEnd(member, at + TYPE.length);
    contentType = String(JSON.parse(member.toString('utf8', at + TYPE.length, end)));
    at = end + 1;
  }
  if (isNext(DATA_ARM)) {
    return {
      contentType,
      bytes: Buffer.from(member.toString('latin1', at + DATA_ARM.length, member.length - 3), 'base64'),
    };
  }
  if (!isNext(JSON_ARM)) throw new LineProblem('has a payload that is none');
  return { contentType, bytes: member.subarray(at + JSON_ARM.length, -2) };
}
