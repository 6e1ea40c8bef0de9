// google.protobuf.Value on the wire -> JSON text, without objects in between: keys cannot collide with an object's own
// (`__proto__`), and it takes a third of the time. The other way is value-writer.ts.

import { pointerOf } from '../../domain/json/json-path.js';
import { MAX_JSON_DEPTH } from '../../domain/json/json-text.js';
import type { WireReader } from './wire-reader.js';

/** Characters of a text that are looked at one by one. */
const SHORT_TEXT = 40;
/** Members of an object that are put in order as they come. */
const MAX_INSERTED = 32;
/** Characters of a path that a refusal shows. */
const MAX_SHOWN_PATH = 200;

/** What JSON does not have, or what is too deep or too long. */
export class JsonValueError extends Error {
  override readonly name: string = 'JsonValueError';
  readonly #path: string[] = [];

  /** What is wrong, and where in the value: words that continue the name of a field. */
  get problem(): string {
    if (this.#path.length === 0) return this.message;
    const pointer = pointerOf(this.#path);
    return `${this.message} at ${pointer.length > MAX_SHOWN_PATH ? `${pointer.slice(0, MAX_SHOWN_PATH)}…` : pointer}`;
  }

  /** Says that it lies below this key or index; told from the inside outwards. */
  below(key: string): this {
    this.#path.unshift(key);
    return this;
  }
}

/** The text has more characters than it may. */
export class JsonTooLongError extends JsonValueError {
  override readonly name = 'JsonTooLongError';
}

/**
 * The text of an encoded Value. Keys are sorted: a Struct is a map and has no order, so the same value has the same text however
 * a client's library wrote it. Throws JsonValueError for NaN, infinities, a value without a kind and more than 64 levels, as soon as
 * the text has more than `maxChars`, and WireError for bad bytes.
 */
export function valueToJsonText(value: WireReader, maxChars = Number.POSITIVE_INFINITY): string {
  return new ValueText(maxChars).value(value, 0);
}

/** The text of an encoded Struct, its keys sorted; see `valueToJsonText`. */
export function structToJsonText(struct: WireReader, maxChars = Number.POSITIVE_INFINITY): string {
  return new ValueText(maxChars).struct(struct, 1);
}

interface Member {
  readonly key: string;
  readonly text: string;
}

class ValueText {
  /** Characters that the text may still have. */
  #room: number;

  constructor(maxChars: number) {
    this.#room = maxChars;
  }

  value(value: WireReader, depth: number): string {
    let text: string | undefined;
    for (let tag = value.tag(); tag !== 0; tag = value.tag()) {
      switch (tag) {
        case 8:
          value.uint32();
          text = this.#taken('null');
          break;
        case 17:
          text = this.#taken(numberText(value.double()));
          break;
        case 26:
          text = this.#quoted(value.string());
          break;
        case 32:
          text = this.#taken(value.bool() ? 'true' : 'false');
          break;
        case 42:
          text = this.struct(value.message(), deeper(depth));
          break;
        case 50:
          text = this.#list(value.message(), deeper(depth));
          break;
        default:
          value.skip(tag);
      }
    }
    return text ?? kindless();
  }

  struct(struct: WireReader, depth: number): string {
    const members: Member[] = [];
    this.#take(2);
    for (let tag = struct.tag(); tag !== 0; tag = struct.tag()) {
      if (tag === 10) insert(members, this.#member(struct.message(), depth));
      else struct.skip(tag);
    }
    return membersText(members.length > MAX_INSERTED ? members.sort(byKey) : members);
  }

  #member(field: WireReader, depth: number): Member {
    let key = '';
    let text: string | undefined;
    try {
      for (let tag = field.tag(); tag !== 0; tag = field.tag()) {
        if (tag === 10) {
          key = field.string();
          this.#take(key.length + 3);
        } else if (tag === 18) text = this.value(field.message(), depth);
        else field.skip(tag);
      }
      return { key, text: text ?? kindless() };
    } catch (error) {
      throw error instanceof JsonValueError ? error.below(key) : error;
    }
  }

  #list(list: WireReader, depth: number): string {
    let text = '[';
    let index = 0;
    this.#take(2);
    try {
      for (let tag = list.tag(); tag !== 0; tag = list.tag()) {
        if (tag !== 10) {
          list.skip(tag);
          continue;
        }
        text += `${index === 0 ? '' : ','}${this.value(list.message(), depth)}`;
        index += 1;
      }
    } catch (error) {
      throw error instanceof JsonValueError ? error.below(String(index)) : error;
    }
    return `${text}]`;
  }

  /** The text with its quotes. Its length is looked at before: escapes make up to six characters of one. */
  #quoted(text: string): string {
    if (text.length > this.#room) throw tooLong();
    return this.#taken(quoted(text));
  }

  #taken(text: string): string {
    this.#take(text.length);
    return text;
  }

  /** Takes of the room, also for what another member of the same key or another kind of the same value replaces. */
  #take(chars: number): void {
    this.#room -= chars;
    if (this.#room < 0) throw tooLong();
  }
}

function deeper(depth: number): number {
  if (depth >= MAX_JSON_DEPTH) throw new JsonValueError(`is more than ${MAX_JSON_DEPTH} levels deep`);
  return depth + 1;
}

function kindless(): never {
  throw new JsonValueError('has a Value without a kind (JSON null is null_value)');
}

function tooLong(): JsonTooLongError {
  return new JsonTooLongError('is too long');
}

function numberText(number: number): string {
  if (!Number.isFinite(number)) throw new JsonValueError(`has the number ${number}, which JSON does not have,`);
  return Object.is(number, -0) ? '-0' : String(number);
}

/** The text as JSON has it. A short one without anything to escape is told without a call into the runtime. */
function quoted(text: string): string {
  if (text.length > SHORT_TEXT) return JSON.stringify(text);
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x22 || code === 0x5c || code > 0x7e) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/** Puts a member in its place by its key, behind those with the same one; of many it only puts it last. */
function insert(members: Member[], member: Member): void {
  let at = members.length;
  if (at < MAX_INSERTED) {
    for (; at > 0 && (members[at - 1] as Member).key > member.key; at -= 1) members[at] = members[at - 1] as Member;
  }
  members[at] = member;
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
    text += `${text.length === 1 ? '' : ','}${quoted(key)}:${value}`;
  }
  return `${text}}`;
}
