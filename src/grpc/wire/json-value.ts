// google.protobuf.Value on the wire -> JSON text, without objects in between: keys cannot collide with an object's own
// (`__proto__`), and it takes a third of the time. The other way is value-writer.ts.

import { MAX_JSON_DEPTH } from '../../domain/json/json-text.js';
import type { WireReader } from './wire-reader.js';

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
