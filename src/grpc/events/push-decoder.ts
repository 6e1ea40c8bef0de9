// Decodes the requests of the push calls by hand: the payload goes from the wire to its stored bytes without becoming an object.
// Field numbers are those of event.proto and event_service.proto.

import type { Description } from '../../domain/descriptions/description.js';
import {
  BLANK_ENVELOPE,
  type Envelope,
  EnvelopeMembers,
  type REST_TEXT_FIELDS,
  type Trigger,
} from '../../domain/events/envelope.js';
import type { EventDraft, Payload } from '../../domain/events/event.js';
import { asBuffer } from '../../domain/json/bytes.js';
import { JsonValueError, structToJsonText, valueToJsonText } from '../wire/json-value.js';
import { readPair } from '../wire/pairs.js';
import { WireReader } from '../wire/wire-reader.js';

export interface DecodedPayload {
  contentType: string;
  /** The JSON text of `json`, or `data`; undefined: no body. */
  bytes: Buffer | undefined;
  isJsonArm: boolean;
  /** Why the value is not JSON. */
  problem: string | undefined;
}

export interface DecodedDescription {
  /** JSON; undefined where there is a problem. */
  text: Buffer | undefined;
  /** Why the struct is not JSON. */
  problem: string | undefined;
}

/** An event to push in the making: its members are as they came until they are checked. */
export class DraftInProgress extends EnvelopeMembers implements EventDraft {
  declare messageId: string;
  declare payload: Payload | undefined;
  declare description: Description | undefined;

  constructor(from: Envelope) {
    super(from);
    this.messageId = '';
    this.payload = undefined;
    this.description = undefined;
  }
}

/** A NewEvent as it came: nothing is checked but the wire format. */
export interface DecodedEvent extends Record<(typeof REST_TEXT_FIELDS)[number], string> {
  /** Has what needs no other form; the rest, the payload and the description are yet to come. */
  readonly draft: DraftInProgress;
  description: DecodedDescription | undefined;
  payload: DecodedPayload | undefined;
  readonly properties: [string, string][];
  system: DecodedSystem | undefined;
  trigger: Trigger | undefined;
}

export interface DecodedSystem {
  id: string;
  name: string;
  time: WireTime | undefined;
  timezone: string;
}

export interface DecodedPush {
  event: DecodedEvent | undefined;
  expectedSequence: bigint | undefined;
  waitTimeout: WireTime | undefined;
  since: WireTime | undefined;
}

/** A Timestamp or Duration. */
export interface WireTime {
  seconds: bigint;
  nanos: number;
}

export interface DecodedBatch {
  batchId: bigint;
  pushes: DecodedPush[];
  atomic: boolean;
}

/** Decodes a PushEventRequest. Throws WireError. */
export function decodePush(bytes: Uint8Array): DecodedPush {
  return readPush(new WireReader(asBuffer(bytes)));
}

/** Decodes a PushEventsRequest. Throws WireError. */
export function decodePushes(bytes: Uint8Array): DecodedPush[] {
  const reader = new WireReader(asBuffer(bytes));
  const pushes: DecodedPush[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) pushes.push(readPush(reader.message()));
    else reader.skip(tag);
  }
  return pushes;
}

/** Decodes a PushEventStreamRequest. Throws WireError. */
export function decodeBatch(bytes: Uint8Array): DecodedBatch {
  const reader = new WireReader(asBuffer(bytes));
  const batch: DecodedBatch = { batchId: 0n, pushes: [], atomic: false };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8) batch.batchId = reader.uint64();
    else if (tag === 18) batch.pushes.push(readPush(reader.message()));
    else if (tag === 24) batch.atomic = reader.bool();
    else reader.skip(tag);
  }
  return batch;
}

function readPush(reader: WireReader): DecodedPush {
  const push: DecodedPush = {
    event: undefined,
    expectedSequence: undefined,
    waitTimeout: undefined,
    since: undefined,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) push.event = readEvent(reader.message());
    else if (tag === 16) push.expectedSequence = reader.uint64();
    else if (tag === 26) push.waitTimeout = readTime(reader.message());
    else if (tag === 34) push.since = readTime(reader.message());
    else reader.skip(tag);
  }
  return push;
}

function readEvent(reader: WireReader): DecodedEvent {
  const event = emptyEvent();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) readEventField(event, tag, reader);
  return event;
}

/** A NewEvent of which nothing is said. */
export function emptyEvent(): DecodedEvent {
  return {
    draft: new DraftInProgress(BLANK_ENVELOPE),
    description: undefined,
    payload: undefined,
    properties: [],
    system: undefined,
    trigger: undefined,
    traceparent: '',
    tracestate: '',
  };
}

const STRING = 2;

function readEventField(event: DecodedEvent, tag: number, reader: WireReader): void {
  if ((tag & 7) === STRING) readStringField(event, tag, reader);
  else readNumberField(event.draft, tag, reader);
}

function readStringField(event: DecodedEvent, tag: number, reader: WireReader): void {
  const { draft } = event;
  switch (tag >>> 3) {
    case 3:
      draft.context = reader.string();
      return;
    case 4:
      draft.topic = reader.string();
      return;
    case 6:
      draft.stream = reader.string();
      return;
    case 9:
      event.description = readDescription(reader.message());
      return;
    case 10:
      event.payload = readPayload(reader.message());
      return;
    case 11:
      draft.issuer = reader.string();
      return;
    case 12:
      draft.messageId = reader.string();
      return;
    case 13:
      draft.sessionId = reader.string();
      return;
    case 14:
      draft.correlationId = reader.string();
      return;
    case 15:
      draft.to = reader.string();
      return;
    case 16:
      draft.replyTo = reader.string();
      return;
    case 18:
      draft.tag = reader.string();
      return;
    case 19:
      draft.entityType = reader.string();
      return;
    case 20:
      draft.organization = reader.string();
      return;
    case 21:
      draft.unit = reader.string();
      return;
    case 22:
      event.properties.push(readPair(reader.message()));
      return;
    case 23:
      event.system = readSystem(reader.message());
      return;
    case 24:
      event.trigger = readTrigger(reader.message());
      return;
    case 33:
      event.traceparent = reader.string();
      return;
    case 34:
      event.tracestate = reader.string();
      return;
    default:
      reader.skip(tag);
  }
}

function readNumberField(draft: DraftInProgress, tag: number, reader: WireReader): void {
  if (tag === 40) draft.version = reader.uint32();
  else if (tag === 136) draft.subject = reader.uint32();
  else reader.skip(tag);
}

/** The description in a Struct. */
export function readDescription(struct: WireReader): DecodedDescription {
  try {
    return { text: Buffer.from(structToJsonText(struct)), problem: undefined };
  } catch (error) {
    if (!(error instanceof JsonValueError)) throw error;
    return { text: undefined, problem: error.message };
  }
}

function readPayload(reader: WireReader): DecodedPayload {
  const payload: DecodedPayload = {
    contentType: '',
    bytes: undefined,
    isJsonArm: false,
    problem: undefined,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) payload.contentType = reader.string();
    else if (tag === 18) readJson(payload, reader.message());
    else if (tag === 26) {
      payload.bytes = reader.bytes();
      payload.isJsonArm = false;
    } else reader.skip(tag);
  }
  return payload;
}

function readJson(payload: DecodedPayload, value: WireReader): void {
  payload.isJsonArm = true;
  try {
    payload.bytes = Buffer.from(valueToJsonText(value));
  } catch (error) {
    if (!(error instanceof JsonValueError)) throw error;
    payload.problem = error.message;
  }
}

function readSystem(reader: WireReader): DecodedSystem {
  const system: DecodedSystem = { id: '', name: '', time: undefined, timezone: '' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) system.id = reader.string();
    else if (tag === 18) system.name = reader.string();
    else if (tag === 26) system.time = readTime(reader.message());
    else if (tag === 34) system.timezone = reader.string();
    else reader.skip(tag);
  }
  return system;
}

function readTime(reader: WireReader): WireTime {
  const time = { seconds: 0n, nanos: 0 };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8) time.seconds = reader.int64();
    else if (tag === 16) time.nanos = Number(reader.int64());
    else reader.skip(tag);
  }
  return time;
}

function readTrigger(reader: WireReader): Trigger {
  const [type, name] = readPair(reader);
  return { type, name };
}
