// How long events of a topic are kept, as people write it and as it is stored: `24days`, `36h`, `permanent`, `ephemeral`. Equal
// durations have one normal form, so that settings are compared as texts.

import type { Micros } from '../../units.js';
import { fieldInvalid } from '../errors.js';

/** The ttl of what is kept for ever. */
export const PERMANENT = 'permanent';
/** The ttl of what is for those only who listen now. */
export const EPHEMERAL = 'ephemeral';

const MICROS_A_SECOND = 1_000_000;
const SECONDS = { min: 60, h: 3_600, day: 86_400 } as const;
/** Seconds of each unit, by its names in the singular. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ...(['s', 'sec', 'second'] as const).map((name) => [name, 1] as const),
  ...(['m', 'min', 'minute'] as const).map((name) => [name, SECONDS.min] as const),
  ...(['h', 'hour'] as const).map((name) => [name, SECONDS.h] as const),
  ...(['d', 'day'] as const).map((name) => [name, SECONDS.day] as const),
  ...(['w', 'week'] as const).map((name) => [name, 7 * SECONDS.day] as const),
  ...(['y', 'year'] as const).map((name) => [name, 365 * SECONDS.day] as const),
]);
/** Shorter, and other instances might never see an event. */
const MIN_SECONDS = SECONDS.min;
/** What is kept for longer is permanent. */
const MAX_YEARS = 1_000;
const MAX_SECONDS = MAX_YEARS * 365 * SECONDS.day;
/** No duration is longer as a text. */
const MAX_TEXT = 64;

const DURATION = /^([+-]?)(\d+)([.,]\d+)? ?([a-z]+)$/;

/** Returns the ttl in its normal form; the empty text is `permanent`. FIELD_INVALID for what is none, saying what is wrong with it. */
export function parseTtl(text: string, field: string): string {
  const given = text.trim().toLowerCase();
  if (given === '' || given === PERMANENT) return PERMANENT;
  if (given === EPHEMERAL) return EPHEMERAL;
  return tellSeconds(secondsOf(given, field));
}

/** Returns the seconds of a unit; letters have no plural: `ms` is not minutes. */
function unitOf(name: string): number | undefined {
  return UNITS.get(name) ?? (name.length > 2 ? UNITS.get(name.replace(/s$/, '')) : undefined);
}

function secondsOf(given: string, field: string): number {
  const refuse = (description: string) => fieldInvalid(field, description);
  const [, sign, digits = '', fraction, name = ''] = given.length > MAX_TEXT ? [] : (DURATION.exec(given) ?? []);
  const unit = unitOf(name);
  if (digits === '' || unit === undefined) {
    throw refuse('is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral');
  }
  if (sign === '-') throw refuse('is negative');
  if (fraction !== undefined) throw refuse('is no whole number: write it in a smaller unit');
  const seconds = Number(digits) * unit;
  if (seconds > MAX_SECONDS) throw refuse(`is longer than ${MAX_YEARS} years: for ever is permanent`);
  if (seconds < MIN_SECONDS) throw refuse('is shorter than 1min: what nobody has to keep is ephemeral');
  return seconds;
}

/** Returns a duration of whole seconds as a ttl in its normal form. */
export function tellMicros(micros: Micros): string {
  return tellSeconds(micros / MICROS_A_SECOND);
}

function tellSeconds(seconds: number): string {
  if (seconds % SECONDS.day === 0) return counted(seconds / SECONDS.day, 'day');
  if (seconds % SECONDS.h === 0) return `${seconds / SECONDS.h}h`;
  if (seconds % SECONDS.min === 0) return `${seconds / SECONDS.min}min`;
  return `${seconds}s`;
}

function counted(count: number, name: string): string {
  return `${count}${name}${count === 1 ? '' : 's'}`;
}

/** Returns how long a ttl in its normal form keeps an event; undefined: that is not a matter of its age. */
export function ttlMicros(ttl: string): Micros | undefined {
  if (ttl === PERMANENT || ttl === EPHEMERAL) return undefined;
  const [, , digits = '', , name = ''] = DURATION.exec(ttl) ?? [];
  const unit = unitOf(name);
  if (unit === undefined) throw new Error(`invariant broken: ${ttl} is no ttl in its normal form`);
  return Number(digits) * unit * MICROS_A_SECOND;
}
