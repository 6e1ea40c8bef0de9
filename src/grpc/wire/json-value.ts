// google.protobuf.Value on the wire <-> JSON text, without objects in between on the way in: keys cannot collide with an
// object's own (`__proto__`), and it takes a third of the time.

import { MAX_JSON_DEPTH } from '../../domain/json/json-text.js';
import type { WireReader } from './wire-reader.js';
import type { WireWriter } from './wire-writer.js';

/** A value that JSON does not have, or too deep a one. */
export class JsonValueError extends Error {
  override readonly name = 'JsonValueError';
}

/**
 * The text of an encoded Value. Keys are sorted: a Struct is a map and has no order, so the same value has the same text however
 * a client's library wrote it. Throws JsonValueError for NaN, infinities and more than 64 levels, WireError for bad bytes.
 */
export function valueToJsonText(value: WireReader, depth = 0): string {
  // A Value without a kind is not JSON; readers take it as null.
  let text = 'null';
  for (let tag = value.tag(); tag !== 0; tag = value.tag()) {
    switch (tag) {
      case 8:
        value.uint32();
        text = 'null';
        break;
      case 17:
        text = numberText(value.double());
        break;
      case 26:
        text = JSON.stringify(value.string());
        break;
      case 32:
        text = value.bool() ? 'true' : 'false';
        break;
      case 42:
        text = structText(value.message(), deeper(depth));
        break;
      case 50:
        text = listText(value.message(), deeper(depth));
        break;
      default:
        value.skip(tag);
    }
  }
  return text;
}

/** The text of an encoded Struct, its keys sorted. */
export function structToJsonText(struct: WireReader): string {
  return structText(struct, 1);
}

function deeper(depth: number): number {
  if (depth >= MAX_JSON_DEPTH) throw new JsonValueError(`is more than ${MAX_JSON_DEPTH} levels deep`);
  return depth + 1;
}

function numberText(number: number): string {
  if (!Number.isFinite(number)) throw new JsonValueError(`has the number ${number}, which JSON does not have`);
  return Object.is(number, -0) ? '-0' : String(number);
}

interface Member {
  readonly key: string;
  readonly text: string;
}

function structText(struct: WireReader, depth: number): string {
  const members: Member[] = [];
  let sorted = true;
  for (let tag = struct.tag(); tag !== 0; tag = struct.tag()) {
    if (tag !== 10) {
      struct.skip(tag);
      continue;
    }
    const member = readMember(struct.message(), depth);
    const last = members.at(-1);
    if (last !== undefined && last.key >= member.key) sorted = false;
    members.push(member);
  }
  return membersText(sorted ? members : members.sort(byKey));
}

function byKey(a: Member, b: Member): number {
  if (a.key === b.key) return 0;
  return a.key < b.key ? -1 : 1;
}

/** The text of members, sorted by key. Of several with the same key the last one counts, as in any protobuf map. */
function membersText(members: readonly Member[]): string {
  let text = '{';
  for (let index = 0; index < members.length; index += 1) {
    const { key, text: value } = members[index] as Member;
    if (members[index + 1]?.key === key) continue;
    text += `${text.length === 1 ? '' : ','}${JSON.stringify(key)}:${value}`;
  }
  return `${text}}`;
}

function readMember(field: WireReader, depth: number): Member {
  let key = '';
  let text = 'null';
  for (let tag = field.tag(); tag !== 0; tag = field.tag()) {
    if (tag === 10) key = field.string();
    else if (tag === 18) text = valueToJsonText(field.message(), depth);
    else field.skip(tag);
  }
  return { key, text };
}

function listText(list: WireReader, depth: number): string {
  let text = '[';
  for (let tag = list.tag(); tag !== 0; tag = list.tag()) {
    if (tag === 10) text += `${text.length === 1 ? '' : ','}${valueToJsonText(list.message(), depth)}`;
    else list.skip(tag);
  }
  return `${text}]`;
}

/**
 * Levels that a Value may have on its way out. Clients' decoders stop at 100 nested messages: an object in an object is three of
 * them, and some come before the first.
 */
const MAX_VALUE_DEPTH = 30;

/** Whether a parsed JSON value can travel as a Value: not too deep, and a number such as 1e400 has no finite double. */
export function fitsValue(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= MAX_VALUE_DEPTH) return false;
  const items = Array.isArray(value) ? value : Object.values(value);
  return items.every((item) => fitsValue(item, depth + 1));
}

/** Writes a parsed JSON value, one that fits, as the content of a Value message. */
export function writeJsonValue(writer: WireWriter, value: unknown): void {
  switch (typeof value) {
    case 'string':
      writer.presentString(3, value);
      return;
    case 'number':
      writer.double(value);
      writer.tag(2, 1);
      return;
    case 'boolean':
      writer.varint(value ? 1 : 0);
      writer.tag(4, 0);
      return;
    default:
      if (value === null) writeNull(writer);
      else writeContainer(writer, value as object);
  }
}

function writeNull(writer: WireWriter): void {
  writer.varint(0);
  writer.tag(1, 0);
}

function writeContainer(writer: WireWriter, value: object): void {
  const mark = writer.mark;
  if (Array.isArray(value)) writeList(writer, value);
  else writeStruct(writer, value as Record<string, unknown>);
  writer.close(Array.isArray(value) ? 6 : 5, mark);
}

function writeList(writer: WireWriter, list: readonly unknown[]): void {
  for (let index = list.length - 1; index >= 0; index -= 1) {
    const mark = writer.mark;
    writeJsonValue(writer, list[index]);
    writer.close(1, mark);
  }
}

/** Writes a parsed JSON object, one that fits, as the content of a Struct message. */
export function writeStruct(writer: WireWriter, struct: Record<string, unknown>): void {
  const keys = Object.keys(struct);
  for (let index = keys.length - 1; index >= 0; index -= 1) {
    const key = keys[index] as string;
    const entry = writer.mark;
    writeJsonValue(writer, struct[key]);
    writer.close(2, entry);
    writer.presentString(1, key);
    writer.close(1, entry);
  }
}
