// From a decoded push to a draft that the engine may trust, or to everything that is wrong with it.

import type { Description } from '../../domain/descriptions/description.js';
import { fieldError, fieldInvalid, MadeleineError } from '../../domain/errors.js';
import {
  ENVELOPE,
  type EnvelopeRest,
  fieldsWith,
  isSet,
  type PushedRest,
  REST_TEXT_FIELDS,
  type SystemInfo,
  TEXT_FIELDS,
  wireName,
} from '../../domain/events/envelope.js';
import { type EventDraft, isJsonContentType } from '../../domain/events/event.js';
import { subjectName } from '../../domain/events/subject.js';
import { jsonValue } from '../../domain/json/bytes.js';
import {
  DEFAULT_CONTEXT,
  labelProblem,
  mediaTypeProblem,
  nameProblem,
  reservedTopicProblem,
} from '../../domain/names.js';
import { MAX_WAIT_MICROS } from '../../domain/waits/wait.js';
import type { PushCommand } from '../../engine/group/pushes.js';
import { isUuid } from '../../lib/uuid-text.js';
import type { Micros } from '../../units.js';
import { laterThan, microsOf, Violations, wireDescription } from '../wire/wire.js';
import {
  type DecodedEvent,
  type DecodedPayload,
  type DecodedPush,
  type DecodedSystem,
  MAX_PROPERTIES,
  type WireTime,
} from './push-decoder.js';

const MAX_PROPERTY_VALUE_BYTES = 4_096;
export const MAX_PROPERTIES_BYTES = 16 * 1024;

export interface PushLimits {
  readonly maxEventBytes: number;
}

const TEXTS = TEXT_FIELDS.map((field) => {
  const { of, problem } = ENVELOPE[field];
  return { name: wireName(field), of, problem, required: problem('') !== undefined };
});
const NEED_PAYLOAD = fieldsWith<{ needsPayload: true }>(({ needsPayload }) => needsPayload === true);

interface WaitingTerms {
  readonly waitMicros: Micros | undefined;
  readonly since: Micros | undefined;
}

/** The command of a push, or the error that the push is answered with. `path` leads to the push, such as `events[3].`. */
export function toPushCommand(push: DecodedPush, path: string, limits: PushLimits): PushCommand | MadeleineError {
  const { event } = push;
  if (event === undefined) return fieldInvalid(`${path}event`, 'is required');
  const found = new Violations();
  event.draft.rest = toRest(event);
  checkMembers(event.draft, `${path}event.`, found);
  const expectedSequence = checkSequence(push, path, found);
  const streamEpoch = checkEpoch(push, path, found);
  checkParts(event, `${path}event.`, found);
  const description = checkDescription(event, `${path}event.description`, found);
  const { payload } = event;
  // What has no payload only waits, for what the server pushes there.
  if (payload !== undefined) found.add(`${path}event.topic`, reservedTopicProblem(event.draft.topic));
  const sizeError = tooLarge(payload, path, limits);
  if (payload !== undefined) checkPayload(payload, `${path}event.payload.`, sizeError, found);
  else if (event.description === undefined) found.add(`${path}event.payload`, 'or a description is required');
  const terms = payload === undefined ? checkTerms(push, event.draft, path, found) : checkNoTerms(push, path, found);
  const error = found.error() ?? sizeError ?? notContained(event, description, path);
  if (error !== undefined) return error;
  return { draft: finished(event, description), expectedSequence, streamEpoch, ...terms };
}

/** The description, parsed; what is wrong with it is among the violations. */
function checkDescription({ description }: DecodedEvent, field: string, found: Violations): Description | undefined {
  if (description === undefined) return undefined;
  found.add(field, description.problem);
  if (description.text === undefined) return undefined;
  try {
    return wireDescription(description.text, field);
  } catch (error) {
    if (!(error instanceof MadeleineError)) throw error;
    for (const violation of error.violations) found.add(violation.field, violation.description);
    return undefined;
  }
}

/** How a push without a payload looks and waits. It awaits an event that others push: it cannot say where that one goes. */
function checkTerms(push: DecodedPush, draft: EventDraft, path: string, found: Violations): WaitingTerms {
  const { expectedSequence, streamEpoch, waitTimeout, since } = push;
  for (const field of NEED_PAYLOAD) {
    if (isSet(ENVELOPE[field].of(draft))) found.add(`${path}event.${wireName(field)}`, 'needs a payload');
  }
  if (expectedSequence !== undefined) found.add(`${path}expected_sequence`, 'needs a payload');
  if (streamEpoch !== undefined) found.add(`${path}stream_epoch`, 'needs a payload');
  const sinceMicros = since === undefined ? undefined : laterThan(since);
  if (typeof sinceMicros === 'string') found.add(`${path}since`, sinceMicros);
  return {
    waitMicros: waitTimeout === undefined ? undefined : waitMicrosOf(waitTimeout, `${path}wait_timeout`, found),
    since: typeof sinceMicros === 'number' ? sinceMicros : undefined,
  };
}

function checkNoTerms({ waitTimeout, since }: DecodedPush, path: string, found: Violations): undefined {
  if (waitTimeout !== undefined) found.add(`${path}wait_timeout`, 'is for pushes without a payload');
  if (since !== undefined) found.add(`${path}since`, 'is for pushes without a payload');
}

function waitMicrosOf(duration: WireTime, field: string, found: Violations): number {
  const micros = durationMicros(duration);
  if (micros === undefined) found.add(field, 'has nanos outside -999999999 to 999999999');
  else if (micros <= 0 || micros > MAX_WAIT_MICROS) found.add(field, 'has to be more than 0 and at most 365 days');
  return micros ?? 0;
}

function durationMicros({ seconds, nanos }: WireTime): number | undefined {
  return Math.abs(nanos) > 999_999_999 ? undefined : Number(seconds) * 1_000_000 + Math.ceil(nanos / 1_000);
}

function notContained(event: DecodedEvent, wanted: Description | undefined, path: string): MadeleineError | undefined {
  const { payload } = event;
  if (wanted === undefined || payload?.bytes === undefined) return undefined;
  const field = `${path}event.description`;
  if (!isJsonContentType(payload.contentType)) {
    return fieldError('DESCRIPTION_NOT_CONTAINED', field, 'is not contained in a payload that is not JSON');
  }
  try {
    wanted.assertContainedIn(payload.bytes, field, `${path}event.payload`);
    return undefined;
  } catch (error) {
    if (!(error instanceof MadeleineError)) throw error;
    const { message, violations } = error;
    const isDescription = violations.some((violation) => violation.field === field);
    return isDescription ? new MadeleineError('DESCRIPTION_NOT_CONTAINED', message, { violations }) : error;
  }
}

function checkMembers(draft: EventDraft, path: string, found: Violations): void {
  for (const { name, of, problem, required } of TEXTS) {
    const text = of(draft) ?? '';
    // Most events leave most texts empty.
    if (text === '' && !required) continue;
    const what = problem(text);
    if (what !== undefined) found.add(path + name, what);
  }
  if (draft.messageId !== '' && !isUuid(draft.messageId)) found.add(`${path}message_id`, 'is not a UUID');
  if (draft.subject !== 0 && subjectName(draft.subject) === undefined) found.add(`${path}subject`, 'is not a subject');
}

function checkSequence({ event, expectedSequence }: DecodedPush, path: string, found: Violations): number | undefined {
  if (expectedSequence === undefined) return undefined;
  if (event?.draft.stream === '') found.add(`${path}expected_sequence`, 'needs a stream');
  return atMostExact(expectedSequence);
}

/** The number, or one that is far above any that exists: a conflict like any other wrong one. */
function atMostExact(number: bigint): number {
  return number > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(number);
}

function checkEpoch({ event, streamEpoch }: DecodedPush, path: string, found: Violations): number | undefined {
  if (streamEpoch === undefined) return undefined;
  if (event?.draft.stream === '') found.add(`${path}stream_epoch`, 'needs a stream');
  if (streamEpoch === 0n) found.add(`${path}stream_epoch`, 'has to be from 1');
  return atMostExact(streamEpoch);
}

/** Checks a payload; one that is too large is not looked at further. */
function checkPayload(
  payload: DecodedPayload,
  path: string,
  sizeError: MadeleineError | undefined,
  found: Violations,
): void {
  const { contentType, bytes, isJsonArm, problem } = payload;
  const isJson = isJsonContentType(contentType);
  found.add(`${path}content_type`, mediaTypeProblem(contentType));
  if (problem !== undefined) found.add(`${path}json`, problem);
  else if (bytes === undefined) found.add(path.slice(0, -1), 'has neither json nor data');
  else if (isJsonArm && !isJson) found.add(`${path}content_type`, 'is not a JSON type, but the payload is json');
  else if (sizeError === undefined && !isJsonArm && isJson) {
    payload.value = jsonValue(bytes);
    if (payload.value === undefined) found.add(`${path}data`, 'is not valid JSON; set content_type for other data');
  }
}

function tooLarge(
  payload: DecodedPayload | undefined,
  path: string,
  { maxEventBytes }: PushLimits,
): MadeleineError | undefined {
  if (payload === undefined || (!payload.isTooLong && (payload.bytes?.byteLength ?? 0) <= maxEventBytes))
    return undefined;
  return fieldError('PAYLOAD_TOO_LARGE', `${path}event.payload`, `has more than ${maxEventBytes} bytes`);
}

/** Checks the members that have members of their own: after the others, as there may be more wrong with them than is told. */
function checkParts({ properties, system, trigger }: DecodedEvent, path: string, found: Violations): void {
  checkProperties(properties, `${path}properties`, found);
  if (system !== undefined) checkSystem(system, `${path}system.`, found);
  if (trigger === undefined) return;
  found.add(`${path}trigger.type`, labelProblem(trigger.type));
  found.add(`${path}trigger.name`, labelProblem(trigger.name));
}

function checkProperties(pairs: readonly [string, string][], path: string, found: Violations): void {
  if (pairs.length > MAX_PROPERTIES) found.add(path, `has more than ${MAX_PROPERTIES} members`);
  let bytes = 0;
  for (const [key, value] of pairs) {
    found.add(path, nameProblem(key)?.replace(/^/, 'a key '));
    const size = Buffer.byteLength(value);
    if (size > MAX_PROPERTY_VALUE_BYTES) found.add(path, `a value has more than ${MAX_PROPERTY_VALUE_BYTES} bytes`);
    bytes += size + Buffer.byteLength(key);
  }
  if (bytes > MAX_PROPERTIES_BYTES) found.add(path, `has more than ${MAX_PROPERTIES_BYTES} bytes`);
}

function checkSystem({ id, name, time, timezone }: DecodedSystem, path: string, found: Violations): void {
  found.add(`${path}id`, labelProblem(id));
  found.add(`${path}name`, labelProblem(name));
  if (!isTimeZone(timezone)) found.add(`${path}timezone`, 'is not an IANA time zone');
  const micros = time === undefined ? undefined : microsOf(time);
  if (typeof micros === 'string') found.add(`${path}time`, micros);
}

/** Zones come in any case: the memory of them is bounded. */
const MAX_KNOWN_ZONES = 2_000;
const knownZones = new Set<string>(['', 'UTC']);

function isTimeZone(zone: string): boolean {
  if (knownZones.has(zone)) return true;
  if (zone.length > 64 || !/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    if (knownZones.size < MAX_KNOWN_ZONES) knownZones.add(zone);
    return true;
  } catch {
    // RangeError is how Intl says that it does not know a zone.
    return false;
  }
}

function toRest(event: DecodedEvent): EnvelopeRest | undefined {
  const rest: { -readonly [K in keyof PushedRest]: PushedRest[K] } = {};
  // fromEntries defines own members whatever their name; a later pair of the same key wins, as in any protobuf map.
  if (event.properties.length > 0) rest.properties = Object.fromEntries(event.properties);
  if (event.system !== undefined) rest.system = toSystem(event.system);
  if (event.trigger !== undefined) rest.trigger = event.trigger;
  for (const field of REST_TEXT_FIELDS) if (event[field] !== '') rest[field] = event[field];
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function toSystem({ id, name, time, timezone }: DecodedSystem): SystemInfo {
  const micros = time === undefined ? undefined : microsOf(time);
  return { id, name, timezone, time: typeof micros === 'number' ? micros : undefined };
}

function finished({ draft, payload }: DecodedEvent, description: Description | undefined): EventDraft {
  if (draft.context === '') draft.context = DEFAULT_CONTEXT;
  draft.messageId = draft.messageId.toLowerCase();
  draft.payload = payload && { contentType: payload.contentType, bytes: payload.bytes ?? NO_BYTES };
  draft.description = description;
  return draft;
}

const NO_BYTES = Buffer.alloc(0);
