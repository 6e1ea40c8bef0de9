// Decodes the requests of the push calls by hand: the payload goes from the wire to its stored bytes without becoming an object.
// Field numbers are those of event.proto and event_service.proto.

import type { Description } from '../../domain/descriptions/description.js';
import { fieldInvalid } from '../../domain/errors.js';
import {
  BLANK_ENVELOPE,
  type Envelope,
  EnvelopeMembers,
  type REST_TEXT_FIELDS,
  type Trigger,
} from '../../domain/events/envelope.js';
import type { EventDraft, Payload } from '../../domain/events/event.js';
import { asBuffer } from '../../domain/json/bytes.js';
import { JsonTooLongError, JsonValueError, valueToJsonText } from '../wire/json-value.js';
import { readPair } from '../wire/pairs.js';
import { descriptionText } from '../wire/struct-decoder.js';
import { WireReader } from '../wire/wire-reader.js';

/** How many events one call, or one batch of a stream, may have. */
export const MAX_BATCH_EVENTS = 1_000;
/** Properties that an event may have. */
export const MAX_PROPERTIES = 64;
/**
 * Messages that a push may have nested in it, its payload's and description's content aside, with a payload of bytes as one: one
 * with all properties has 74.
 */
export const MAX_PARTS = 80;

export interface DecodedPayload {
  contentType: string;
  /** The JSON text of `json`, or `data`; undefined: no body. */
  bytes: Buffer | undefined;
  isJsonArm: boolean;
  /** What `data` that is JSON says, once it was checked; whoever needs it takes it at once. */
  value: unknown;
  /** The value's text has more characters than an event may have bytes: the rest of it was not looked at. */
  isTooLong: boolean;
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
  streamEpoch: bigint | undefined;
  waitTimeout: WireTime | undefined;
  since: WireTime | undefined;
}

/** A Timestamp or Duration. */
export interface WireTime {
  seconds: bigint;
  nanos: number;
}

/** A batch of a stream, its pushes not decoded yet. */
export interface EncodedBatch {
  batchId: bigint;
  readonly pushes: Buffer[];
  atomic: boolean;
}

/**
 * Decodes a PushEventRequest. Throws WireError. As soon as there is more of something than may be, what follows is made into
 * nothing: a JSON payload of more than `maxEventBytes` is not read to its end.
 */
export function decodePush(bytes: Uint8Array, maxEventBytes = Number.POSITIVE_INFINITY): DecodedPush {
  return readPush(new WireReader(asBuffer(bytes), { left: MAX_PARTS }), maxEventBytes);
}

/**
 * Takes a PushEventsRequest apart: its pushes as they are encoded, for `decodePush`. Throws WireError, and FIELD_INVALID for too many
 * of them.
 */
export function splitPushes(bytes: Uint8Array): Buffer[] {
  const reader = new WireReader(asBuffer(bytes));
  const pushes: Buffer[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) addPush(pushes, reader);
    else reader.skip(tag);
  }
  return pushes;
}

/** Takes a PushEventStreamRequest apart; see `splitPushes`. */
export function splitBatch(bytes: Uint8Array): EncodedBatch {
  const reader = new WireReader(asBuffer(bytes));
  const batch: EncodedBatch = { batchId: 0n, pushes: [], atomic: false };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8) batch.batchId = reader.uint64();
    else if (tag === 18) addPush(batch.pushes, reader);
    else if (tag === 24) batch.atomic = reader.bool();
    else reader.skip(tag);
  }
  return batch;
}

function addPush(pushes: Buffer[], reader: WireReader): void {
  if (pushes.length === MAX_BATCH_EVENTS) throw fieldInvalid('events', `has more than ${MAX_BATCH_EVENTS} members`);
  pushes.push(reader.bytes());
}

function readPush(reader: WireReader, maxEventBytes: number): DecodedPush {
  const push: DecodedPush = {
    event: undefined,
    expectedSequence: undefined,
    streamEpoch: undefined,
    waitTimeout: undefined,
    since: undefined,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) push.event = readEvent(reader.message(), maxEventBytes);
    else if (tag === 16) push.expectedSequence = reader.uint64();
    else if (tag === 26) push.waitTimeout = readTime(reader.message());
    else if (tag === 34) push.since = readTime(reader.message());
    else if (tag === 40) push.streamEpoch = reader.uint64();
    else reader.skip(tag);
  }
  return push;
}

/** Reads a NewEvent. */
export function readEvent(reader: WireReader, maxEventBytes: number): DecodedEvent {
  const event = emptyEvent();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === PAYLOAD) event.payload = readPayload(reader.message(), maxEventBytes);
    else readEventField(event, tag, reader);
  }
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
    causedBy: '',
    dataSubject: '',
  };
}

const STRING = 2;
/** The field `payload`, as a tag. */
const PAYLOAD = (10 << 3) | STRING;
/** Node shares buffers of 8 KiB between small ones. */
const SMALL_BUFFER = 16 * 1024;

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
      event.description = readDescription(reader.uncounted());
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
      // One more than there may be is enough to refuse them: the others are passed over.
      if (event.properties.length > MAX_PROPERTIES) reader.skip(tag);
      else event.properties.push(readPair(reader.message()));
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
    case 37:
      event.causedBy = reader.string();
      return;
    case 38:
      event.dataSubject = reader.string();
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
  const text = descriptionText(struct);
  return typeof text === 'string'
    ? { text: Buffer.from(text), problem: undefined }
    : { text: undefined, problem: text.problem };
}

function readPayload(reader: WireReader, maxEventBytes: number): DecodedPayload {
  const payload: DecodedPayload = {
    contentType: '',
    bytes: undefined,
    isJsonArm: false,
    value: undefined,
    isTooLong: false,
    problem: undefined,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) payload.contentType = reader.string();
    else if (tag === 18) readJson(payload, reader.uncounted(), maxEventBytes);
    else if (tag === 26) takeBody(payload, owned(reader.counted()), { isJsonArm: false });
    else reader.skip(tag);
  }
  return payload;
}

/** Returns the bytes apart from a request that is much larger: whoever keeps an event would keep all of that with it. */
function owned(bytes: Buffer): Buffer {
  const request = bytes.buffer.byteLength;
  return request > SMALL_BUFFER && request > 2 * bytes.byteLength ? Buffer.from(bytes) : bytes;
}

/** Takes a body in the place of the one before: of the members of a oneof the last one counts. */
function takeBody(payload: DecodedPayload, bytes: Buffer, { isJsonArm }: { readonly isJsonArm: boolean }): void {
  payload.bytes = bytes;
  payload.isJsonArm = isJsonArm;
  payload.isTooLong = false;
  payload.problem = undefined;
}

function readJson(payload: DecodedPayload, value: WireReader, maxBytes: number): void {
  takeBody(payload, NO_BYTES, { isJsonArm: true });
  try {
    payload.bytes = Buffer.from(valueToJsonText(value, maxBytes));
  } catch (error) {
    if (!(error instanceof JsonValueError)) throw error;
    if (error instanceof JsonTooLongError) payload.isTooLong = true;
    else payload.problem = error.problem;
  }
}

const NO_BYTES = Buffer.alloc(0);

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
