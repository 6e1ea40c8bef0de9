// Small conversions between the wire's types and the domain's, each with its check. What is refused names its field.

import type { Duration } from '../../../generated/google/protobuf/duration.js';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.js';
import { PayloadEncoding } from '../../../generated/madeleine/v1/event.js';
import { MAX_FILTER_VALUES } from '../../domain/consumers/consumer.js';
import { type Description, parseDescription } from '../../domain/descriptions/description.js';
import { fieldInvalid, MadeleineError, type Violation } from '../../domain/errors.js';
import { EntryKind } from '../../domain/events/event.js';
import { EVENT_STATUS, kindOfStatus } from '../../domain/events/event-status.js';
import { subjectName } from '../../domain/events/subject.js';
import {
  DEFAULT_CONTEXT,
  labelProblem,
  MAX_NAME_BYTES,
  nameProblem,
  ownContextProblem,
  textProblem,
} from '../../domain/names.js';
import { isUuid } from '../../lib/uuid-text.js';
import type { Micros } from '../../units.js';
import type { PayloadForm } from './payload-form.js';
import { UnreadableDescription } from './struct-decoder.js';

const MAX_REQUEST_ID_BYTES = 64;
/** Bytes of UTF-8 that a reason may have. */
export const MAX_REASON_BYTES = 1_024;

/** Violations that a caller is told at once: a bad map may have a hundred thousand. */
const MAX_VIOLATIONS = 20;

/** Gathers what is wrong with a request, so that the caller is told all of it at once, or at least the first 20 things. */
export class Violations {
  readonly #found: Violation[] = [];

  add(field: string, description: string | undefined): void {
    if (description !== undefined && this.#found.length < MAX_VIOLATIONS) this.#found.push({ field, description });
  }

  /** The error, or undefined if nothing was wrong. */
  error(): MadeleineError | undefined {
    const [first] = this.#found;
    if (first === undefined) return undefined;
    return new MadeleineError('FIELD_INVALID', `${first.field}: ${first.description}`, { violations: this.#found });
  }
}

type WireInstant = Pick<Timestamp, 'seconds' | 'nanos'>;

const MAX_MICROS = BigInt(Number.MAX_SAFE_INTEGER);

/** Microseconds of a Timestamp, or what is wrong with it. */
export function microsOf(time: WireInstant): Micros | string {
  const problem = nanosProblem(time);
  if (problem !== undefined) return problem;
  const micros = wholeMicros(time);
  return micros > MAX_MICROS || micros < -MAX_MICROS ? 'is outside the years 1685 to 2255' : Number(micros);
}

/** Microseconds of an optional Timestamp field. */
export function timeField(field: string, time: Timestamp | undefined): Micros | undefined {
  return time && orInvalid(field, microsOf(time));
}

/**
 * The time that events have to be later than, or what is wrong with it. One that is earlier or later than any event can be is no more
 * of a bound than the earliest or latest that can be told.
 */
export function laterThan(time: WireInstant): Micros | string {
  return nanosProblem(time) ?? boundOf(wholeMicros(time));
}

/** The time that events have to be earlier than, or what is wrong with it: rounded up, so that its nanoseconds count. */
export function earlierThan(time: WireInstant): Micros | string {
  const isWithin = time.nanos % 1_000 > 0;
  return nanosProblem(time) ?? boundOf(wholeMicros(time) + (isWithin ? 1n : 0n));
}

/** An optional Timestamp field that events have to be later than. */
export function laterThanField(field: string, time: Timestamp | undefined): Micros | undefined {
  return time && orInvalid(field, laterThan(time));
}

/** An optional Timestamp field that events have to be earlier than. */
export function earlierThanField(field: string, time: Timestamp | undefined): Micros | undefined {
  return time && orInvalid(field, earlierThan(time));
}

function orInvalid(field: string, micros: Micros | string): Micros {
  if (typeof micros === 'string') throw fieldInvalid(field, micros);
  return micros;
}

function nanosProblem({ nanos }: WireInstant): string | undefined {
  return nanos < 0 || nanos > 999_999_999 ? 'has nanos outside 0 to 999999999' : undefined;
}

function wholeMicros({ seconds, nanos }: WireInstant): bigint {
  return seconds * 1_000_000n + BigInt(Math.trunc(nanos / 1_000));
}

function boundOf(micros: bigint): Micros {
  if (micros > MAX_MICROS) return Number(MAX_MICROS);
  return micros < 0n ? 0 : Number(micros);
}

export function toTimestamp(micros: Micros): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds: BigInt(seconds), nanos: (micros - seconds * 1_000_000) * 1000 };
}

/** Who calls, as far as callers take turns: the address, whatever its connections. */
export function callerOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':'));
}

/** Milliseconds of a Duration field within bounds (in milliseconds, both included). */
export function durationMs(field: string, duration: Duration, bounds: { min: number; max: number }): number {
  const { seconds, nanos } = duration;
  if (Math.abs(nanos) > 999_999_999) throw fieldInvalid(field, 'has nanos outside -999999999 to 999999999');
  const ms = Number(seconds) * 1000 + nanos / 1_000_000;
  if (ms < bounds.min || ms > bounds.max) {
    throw fieldInvalid(field, `has to be from ${bounds.min / 1000} s to ${bounds.max / 1000} s`);
  }
  return ms;
}

export function toDuration(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1_000_000) };
}

/** Returns the text, or throws FIELD_INVALID with what is wrong with it. */
function checked(field: string, text: string, problem: string | undefined): string {
  if (problem !== undefined) throw fieldInvalid(field, problem);
  return text;
}

/** The context of a read: empty means the default, `all` is allowed. */
export function readContext(field: string, context: string): string {
  return context === '' ? DEFAULT_CONTEXT : requiredName(field, context);
}

/** The context of a write: empty means the default, `all` is refused. */
export function ownContext(field: string, context: string): string {
  return context === '' ? DEFAULT_CONTEXT : checked(field, context, ownContextProblem(context));
}

/** An id of an event, a cawin or a shape: required, and beyond the exact numbers there is none. */
export function idField(field: string, id: bigint): number {
  if (id === 0n) throw fieldInvalid(field, 'is required');
  return Number(id);
}

/** A message id, in lower case as it is stored. */
export function messageIdField(field: string, id: string): string {
  return checked(field, id, isUuid(id) ? undefined : 'is not a UUID').toLowerCase();
}

/** A required name. */
export function requiredName(field: string, name: string): string {
  return checked(field, name, nameProblem(name));
}

/** A name, or nothing. */
export function labelField(field: string, text: string): string {
  return checked(field, text, labelProblem(text));
}

/** What names begin with; a space at its end counts. */
export function prefixField(field: string, prefix: string): string {
  const isLonger = Buffer.byteLength(prefix) > MAX_NAME_BYTES;
  return checked(field, prefix, isLonger ? `has more than ${MAX_NAME_BYTES} bytes` : undefined);
}

/** A text of at most so many bytes, or nothing. */
export function textField(field: string, text: string, maxBytes: number): string {
  return checked(field, text, textProblem(text, maxBytes));
}

/** Why somebody does something, perhaps what an exception says, with its lines; or nothing. */
export function reasonField(reason: string): string {
  if (Buffer.byteLength(reason) <= MAX_REASON_BYTES) return reason;
  throw fieldInvalid('reason', `has more than ${MAX_REASON_BYTES} bytes`);
}

/** What makes it safe to repeat a request, or nothing. */
export function requestIdField(id: string): string {
  return textField('request_id', id, MAX_REQUEST_ID_BYTES);
}

/** What is looked up by its context and name. */
export function nameKey(
  { context, name }: { readonly context: string; readonly name: string },
  nameField = 'name',
): { readonly context: string; readonly name: string } {
  return { context: readContext('context', context), name: requiredName(nameField, name) };
}

/** The values of a filter, or FIELD_INVALID for more than MAX_FILTER_VALUES of them. */
export function filterValues<T>(field: string, values: readonly T[]): readonly T[] {
  if (values.length > MAX_FILTER_VALUES) throw fieldInvalid(field, `has more than ${MAX_FILTER_VALUES} members`);
  return values;
}

/** The one name of a filter as a list; empty: none. */
export function oneName(field: string, name: string): readonly string[] {
  return name === '' ? [] : [requiredName(field, name)];
}

/** A list of names of a filter, at most MAX_FILTER_VALUES. */
export function nameList(field: string, names: readonly string[]): readonly string[] {
  filterValues(field, names);
  for (const [index, name] of names.entries()) requiredName(`${field}[${index}]`, name);
  return names;
}

/** A page or batch size: 0 is the default, and more than the maximum is the maximum. */
export function sizeField(field: string, size: number, limits: { default: number; max: number }): number {
  if (size < 0) throw fieldInvalid(field, `has to be from 0 (${limits.default}) to ${limits.max}`);
  return size === 0 ? limits.default : Math.min(size, limits.max);
}

export function payloadForm(field: string, encoding: PayloadEncoding): PayloadForm {
  switch (encoding) {
    case PayloadEncoding.PAYLOAD_ENCODING_UNSPECIFIED:
    case PayloadEncoding.PAYLOAD_ENCODING_JSON:
      return 'json';
    case PayloadEncoding.PAYLOAD_ENCODING_BYTES:
      return 'bytes';
    default:
      throw fieldInvalid(field, 'is not a payload encoding');
  }
}

/** Subjects of a filter. */
export function subjectList(field: string, subjects: readonly number[]): readonly number[] {
  filterValues(field, subjects).forEach((subject, index) => {
    assertSubject(`${field}[${index}]`, subject);
  });
  return [...new Set(subjects)];
}

/** The one subject of a filter as a list; 0: none. */
export function oneSubject(field: string, subject: number): readonly number[] {
  if (subject === 0) return [];
  assertSubject(field, subject);
  return [subject];
}

function assertSubject(field: string, subject: number): void {
  if (subjectName(subject) === undefined) throw fieldInvalid(field, 'is not a subject');
}

/** Kinds of entries by the statuses of a filter; empty: OCCURRED. AWAITED events have no entry and are refused. */
export function entryKinds(field: string, statuses: readonly number[]): readonly EntryKind[] {
  const kinds = eventKinds(field, statuses);
  const awaited = statuses.indexOf(EVENT_STATUS[EntryKind.AWAITED].wire);
  if (awaited !== -1)
    throw fieldInvalid(`${field}[${awaited}]`, 'has no entry in the log; ListEvents shows what is awaited');
  return kinds;
}

/** Kinds of entries, and AWAITED, by the statuses of a filter. OCCURRED alone is the same as none: both select and compare alike. */
export function eventKinds(field: string, statuses: readonly number[]): readonly EntryKind[] {
  const found = filterValues(field, statuses).map((status, index) => {
    const kind = kindOfStatus(status);
    if (kind === undefined) throw fieldInvalid(`${field}[${index}]`, 'is not a status');
    return kind;
  });
  const kinds = [...new Set(found)].sort((a, b) => a - b);
  return kinds.length === 1 && kinds[0] === EntryKind.OCCURRED ? [] : kinds;
}

/** The text of a description that events are selected by; undefined if there is none. FIELD_INVALID as for any description. */
export function descriptionFilter(field: string, value: object | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value instanceof UnreadableDescription) throw fieldInvalid(field, value.problem);
  return wireDescription(Buffer.from(JSON.stringify(value)), field).text;
}

/**
 * The description in the JSON text of a Struct. FIELD_INVALID as parseDescription, and for an integer beyond 2^53: the client may have
 * meant one beside it, which a double does not hold.
 */
export function wireDescription(text: Buffer, field: string): Description {
  const description = parseDescription(text, field);
  const number = inexactInteger(JSON.parse(description.text));
  if (number === undefined) return description;
  throw fieldInvalid(field, `has the number ${number}: integers from 2^53 are not exact as doubles`);
}

/** A number of the JSON value that stands for several integers; undefined if there is none. */
function inexactInteger(value: unknown): number | undefined {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const member of Object.values(value)) {
    const found = inexactInteger(member);
    if (found !== undefined) return found;
  }
  return undefined;
}
