// Reads the values of flags. Each throws commander's InvalidArgumentError with what is wrong, which ends in exit code 2.

import { InvalidArgumentError } from 'commander';
import { Ordering, type StartPosition } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventStatus, Subject } from '../../../generated/madeleine/v1/event.js';
import { parseDescription } from '../../domain/descriptions/description.js';
import { MadeleineError } from '../../domain/errors.js';
import { parseExactJson } from './exact-json.js';
import { parseDuration, parseTime, type Seconds } from './time-text.js';

const MAX_UINT64 = 2n ** 64n - 1n;

/** Collects a flag that may be repeated. */
export function collect(value: string, former: readonly string[] | undefined): readonly string[] {
  return [...(former ?? []), value];
}

/** A position, sequence or lease: a whole number of 64 bits. */
export function uint64(text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : MAX_UINT64 + 1n;
  if (value > MAX_UINT64) throw new InvalidArgumentError('It has to be a whole number, 0 or greater.');
  return value;
}

/** A position of an entry: the first is 1. */
export function positiveUint64(text: string): bigint {
  const value = uint64(text);
  if (value === 0n || value === MAX_UINT64) throw new InvalidArgumentError('The first one is 1.');
  return value;
}

/** Ids, of which there may be several: the first is 1. */
export function positiveUint64s(text: string, former: readonly bigint[] | undefined): readonly bigint[] {
  return [...(former ?? []), positiveUint64(text)];
}

/** A count from 1 up. */
export function count(text: string): number {
  return wholeFrom(1, text);
}

/** A count from 0 up. */
export function countOrZero(text: string): number {
  return wholeFrom(0, text);
}

function wholeFrom(least: number, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > 2 ** 31 - 1)
    throw new InvalidArgumentError(`It has to be ${least} or greater.`);
  return value;
}

/** A share: 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) throw new InvalidArgumentError('It has to be from 0 to 1.');
  return value;
}

export function duration(text: string): Seconds {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError('It has to be a duration such as 250ms, 60s, 5m or 2h.');
  return value;
}

export function time(text: string): Seconds {
  const value = parseTime(text, Date.now());
  if (value === undefined) {
    throw new InvalidArgumentError(
      'It has to be a time such as 2026-11-21T10:45:03Z, a day such as 2026-11-21, or 15m for 15 minutes ago.',
    );
  }
  return value;
}

/** Reads a subject: `created`, `CREATED` or `SUBJECT_CREATED`. */
export function subject(text: string): Subject {
  const name = text.toUpperCase().replace(/^SUBJECT_/, '');
  const value = Subject[`SUBJECT_${name}` as keyof typeof Subject];
  if (value === undefined || value <= 0) {
    const names = Object.keys(Subject).filter((key) => /^SUBJECT_(?!UNSPECIFIED)/.test(key));
    throw new InvalidArgumentError(`It has to be one of ${names.map((key) => key.slice(8).toLowerCase()).join(', ')}.`);
  }
  return value;
}

export function subjects(text: string, former: readonly Subject[] | undefined): readonly Subject[] {
  return [...(former ?? []), subject(text)];
}

/** How a wait may have ended; adds to those of before. */
export function endStatuses(text: string, former: readonly EventStatus[] | undefined): readonly EventStatus[] {
  const name = text.toUpperCase();
  if (name !== 'OCCURRED' && name !== 'INVALIDATED' && name !== 'EXPIRED') {
    throw new InvalidArgumentError('It has to be occurred, invalidated or expired.');
  }
  return [...(former ?? []), EventStatus[`EVENT_STATUS_${name}`]];
}

/** What an entry of the log may say; adds to those of before. */
export function entryStatuses(text: string, former: readonly EventStatus[] | undefined): readonly EventStatus[] {
  const name = text.toUpperCase();
  if (name === 'AWAITED') {
    throw new InvalidArgumentError('What is awaited has no entry in the log: madeleine awaited lists it.');
  }
  if (name !== 'OCCURRED' && name !== 'INVALIDATED' && name !== 'EXPIRED' && name !== 'TRANSFERRED') {
    throw new InvalidArgumentError('It has to be occurred, invalidated, expired or transferred.');
  }
  return [...(former ?? []), EventStatus[`EVENT_STATUS_${name}`]];
}

/** A description as JSON. What would be sent as something else is refused here, such as numbers that a double cannot hold. */
export function description(given: string): Readonly<Record<string, unknown>> {
  const text = given.replace(/^\ufeff/, '');
  try {
    parseDescription(Buffer.from(text), 'it');
  } catch (error) {
    if (error instanceof MadeleineError)
      throw new InvalidArgumentError(`It has to be a JSON object: ${error.message}.`);
    throw error;
  }
  return exact(text);
}

function exact(text: string): Readonly<Record<string, unknown>> {
  try {
    return parseExactJson(text) as Record<string, unknown>;
  } catch (error) {
    throw new InvalidArgumentError(`It ${(error as Error).message}: descriptions cannot have those.`);
  }
}

export function ordering(text: string): Ordering {
  if (text === 'by-stream') return Ordering.ORDERING_BY_STREAM;
  if (text === 'none') return Ordering.ORDERING_NONE;
  throw new InvalidArgumentError('It has to be by-stream or none.');
}

/** Reads `key=value`, added to those of before. */
export function property(text: string, former: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It has to be key=value.');
  return { ...former, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Reads `earliest`, `latest`, `position:N` (or just N) or `time:T`. */
export function startPosition(text: string): StartPosition {
  const [, kind = '', rest = ''] = /^(position|time):(.*)$/s.exec(text) ?? [];
  if (text === 'earliest') return { at: { $case: 'earliest', value: {} } };
  if (text === 'latest') return { at: { $case: 'latest', value: {} } };
  if (kind === 'time') return { at: { $case: 'afterTime', value: time(rest) } };
  if (kind === 'position' || /^\d+$/.test(text)) {
    return { at: { $case: 'afterPosition', value: uint64(kind === 'position' ? rest : text) } };
  }
  throw new InvalidArgumentError('It has to be earliest, latest, position:N or time:T.');
}

/** Reads `POSITION` or `POSITION:LEASE`, as printed by subscribe; without a lease whatever is current. */
export function acknowledgement(text: string): { readonly position: bigint; readonly lease: bigint } {
  const [position = '', lease = '0', ...more] = text.split(':');
  if (more.length > 0) throw new InvalidArgumentError('It has to be POSITION or POSITION:LEASE.');
  return { position: uint64(position), lease: uint64(lease) };
}

/** Keeps the members that are set: absent and undefined are two things for the messages. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
