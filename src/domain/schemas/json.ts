// JSON values as a schema, and what is held against it, have them: read by the platform, so that numbers are doubles and of members
// with one name the last counts.

import { canonicalNumber } from '../json/json-number.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [name: string]: Json;
}

export const JSON_KINDS = ['null', 'boolean', 'number', 'string', 'array', 'object'] as const;

export type JsonKind = (typeof JSON_KINDS)[number];

export function kindOf(value: Json): JsonKind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonKind;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names that every object of the platform has: a look at the object finds them there though the JSON has them not. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

export function isInherited(name: string): boolean {
  return INHERITED.has(name);
}

/** The member of the object itself; undefined: it has none of the name. */
export function memberOf(object: JsonObject, name: string): Json | undefined {
  return INHERITED.has(name) && !Object.hasOwn(object, name) ? undefined : object[name];
}

/** The object with one member more, or another one: also one that is called `__proto__`. */
export function withMember(object: JsonObject, name: string, value: Json): JsonObject {
  return { ...object, [name]: value };
}

/** Whether two values are the same; it looks no further than the smaller one goes. */
export function isEqual(one: Json, other: Json): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((item, at) => isEqual(item, other[at]));
  }
  if (Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every(
    (name) =>
      Object.hasOwn(other, name) &&
      isEqual(memberOf(one as JsonObject, name) as Json, memberOf(other as JsonObject, name) as Json),
  );
}

/** The one text of a value: without spaces, names sorted. `onValue` is told of each value in it. */
export function canonicalText(value: Json, onValue: () => void = () => {}): string {
  onValue();
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, onValue)).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalText(memberOf(value, name) as Json, onValue)}`);
  return `{${members.join(',')}}`;
}

const textsOfValues = new WeakMap<readonly Json[], ReadonlySet<string>>();

/** The one texts of values: the way to look for one among many. They are kept as long as the list is. */
export function textsOf(values: readonly Json[]): ReadonlySet<string> {
  const texts = textsOfValues.get(values) ?? new Set(values.map((value) => canonicalText(value)));
  textsOfValues.set(values, texts);
  return texts;
}

/** Whether the value nests more than so many levels of arrays and objects. */
export function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  const members: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  return members.some((member) => isDeeper(member, levels - 1));
}

/** Whether a number in the value was too large to be read as it is. */
export function hasInfinite(value: Json): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInfinite);
}

/** Whether the value is a whole multiple of the step, both by the decimals that their doubles print. */
export function isMultiple(value: number, step: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(step)) return value % step === 0;
  const [one, other] = [decimalOf(value), decimalOf(step)];
  const exponent = Math.min(one.exponent, other.exponent);
  return scaled(one, exponent) % scaled(other, exponent) === 0n;
}

/** digits * 10^exponent. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

function decimalOf(value: number): Decimal {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(canonicalNumber(String(value))) ?? [];
  return { digits: BigInt(`${sign}${whole}${fraction}`), exponent: Number(power) - fraction.length };
}

function scaled({ digits, exponent }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to);
}
