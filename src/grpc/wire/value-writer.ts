// JSON text -> google.protobuf.Value on the wire, straight from the stored bytes: the one way in which JSON goes out as a value, so
// that whoever reads live gets what later readers get. The text is read from its end to its front, as the writer writes: what it
// holds is never an object in between, strings are copied as they are, and members keep the order of the text.
//
// A text that a Value cannot hold as it is has none, and goes out as its bytes: too deep for clients' decoders, too large for
// their messages, with a number that a double does not hold to its last digit, a lone surrogate, or a key twice in one object.

import { canonicalNumber } from '../../domain/json/json-number.js';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../../domain/json/json-tokens.js';
import { WireWriter } from './wire-writer.js';

/**
 * Levels that a Value may have on its way out. Clients' decoders stop at 100 nested messages: an object in an object is three of
 * them, and some come before the first.
 */
export const MAX_VALUE_DEPTH = 30;
/** Bytes that a Value may have: with its envelope it stays below the 4 MiB that clients take. */
const MAX_VALUE_BYTES = 3 * 1024 * 1024;
/** Keys of one object that are held against each other by their hashes. */
const MAX_COMPARED_KEYS = 32;
/** Characters of a number without an exponent that a double holds, whatever they are. */
const MAX_PLAIN_NUMBER = 15;

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const NULL = Buffer.from('null');
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NO_BYTES = Buffer.alloc(0);
const LAST_OF_BOOLEANS = 0x65;
const LAST_OF_NULL = 0x6c;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

class ValueWriter {
  #bytes: Buffer = NO_BYTES;
  /** What is before it has not been read yet. */
  #end = 0;
  #maxMark = 0;
  /** The string that was read last has escapes. */
  #escaped = false;
  #members = 0;
  /** Two keys of an object may be the same: their hashes are, or they are too many to be compared. */
  #suspect = false;
  /** Hashes of the keys of the objects that are open, in one stack. */
  readonly #hashes = new Int32Array(MAX_VALUE_DEPTH * MAX_COMPARED_KEYS);
  #open = 0;

  /** Writes the text as the content of a Value, or of a Struct. False: it has none; what was written is taken back. */
  write(w: WireWriter, bytes: Buffer, as: 'value' | 'struct'): boolean {
    const { mark } = w;
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#maxMark = mark + MAX_VALUE_BYTES;
    this.#members = 0;
    this.#suspect = false;
    this.#open = 0;
    const fits = (as === 'value' ? this.#value(w, 0) : this.#object(w, 0)) && this.#isWhole(w);
    this.#bytes = NO_BYTES;
    if (!fits) w.rewind(mark);
    return fits;
  }

  /** Whether nothing is left of the text, and what was written is no more than may be, and all that the text says. */
  #isWhole(w: WireWriter): boolean {
    return this.#peek() === 0 && w.mark <= this.#maxMark && !(this.#suspect && this.#hasKeyTwice());
  }

  /** The last byte of what has not been read, white space aside; 0: all is read. */
  #peek(): number {
    while (this.#end > 0) {
      const byte = this.#bytes[this.#end - 1] as number;
      if (byte > 0x20) return byte;
      this.#end -= 1;
    }
    return 0;
  }

  /** Goes over the byte if it is what comes next. */
  #take(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.#end -= 1;
    return true;
  }

  #value(w: WireWriter, depth: number): boolean {
    if (w.mark > this.#maxMark) return false;
    const { mark } = w;
    switch (this.#peek()) {
      case QUOTE:
        return this.#string(w, 3);
      case CLOSE_BRACE:
        if (!this.#object(w, depth)) return false;
        w.close(5, mark);
        return true;
      case CLOSE_BRACKET:
        if (!this.#list(w, depth)) return false;
        w.close(6, mark);
        return true;
      case LAST_OF_BOOLEANS:
        return this.#literal(w, TRUE, 4, 1) || this.#literal(w, FALSE, 4, 0);
      case LAST_OF_NULL:
        return this.#literal(w, NULL, 1, 0);
      default:
        return this.#number(w);
    }
  }

  #list(w: WireWriter, depth: number): boolean {
    if (depth >= MAX_VALUE_DEPTH || !this.#take(CLOSE_BRACKET)) return false;
    if (this.#take(OPEN_BRACKET)) return true;
    do {
      const { mark } = w;
      if (!this.#value(w, depth + 1)) return false;
      w.close(1, mark);
    } while (this.#take(COMMA));
    return this.#take(OPEN_BRACKET);
  }

  #object(w: WireWriter, depth: number): boolean {
    if (depth >= MAX_VALUE_DEPTH || !this.#take(CLOSE_BRACE)) return false;
    if (this.#take(OPEN_BRACE)) return true;
    const first = this.#open;
    do {
      const { mark } = w;
      if (!this.#value(w, depth + 1)) return false;
      w.close(2, mark);
      if (!this.#take(COLON) || !this.#key(w, first)) return false;
      w.close(1, mark);
    } while (this.#take(COMMA));
    this.#open = first;
    return this.#take(OPEN_BRACE);
  }

  /** Writes the key that comes next; the hashes of those behind it in its object begin at `first`. */
  #key(w: WireWriter, first: number): boolean {
    if (this.#peek() !== QUOTE) return false;
    const { mark } = w;
    if (!this.#string(w, 1)) return false;
    this.#members += 1;
    if (this.#open - first === MAX_COMPARED_KEYS) {
      this.#suspect = true;
      return true;
    }
    const hash = w.hashSince(mark);
    for (let index = first; index < this.#open; index += 1) if (this.#hashes[index] === hash) this.#suspect = true;
    this.#hashes[this.#open] = hash;
    this.#open += 1;
    return true;
  }

  /** Writes the string that comes next as a field. */
  #string(w: WireWriter, field: number): boolean {
    const end = this.#end - 1;
    const start = this.#opening(end);
    if (start < 0) return false;
    this.#end = start;
    if (!this.#escaped) {
      w.sliceField(field, this.#bytes, start + 1, end);
      return true;
    }
    const text = parsed(this.#bytes.toString('utf8', start, end + 1));
    if (typeof text !== 'string' || LONE_SURROGATE.test(text)) return false;
    w.presentString(field, text);
    return true;
  }

  /** Where the string begins whose last quote is at `end`; -1: nowhere. A quote inside of it has a backslash before it. */
  #opening(end: number): number {
    const bytes = this.#bytes;
    this.#escaped = false;
    for (let at = end - 1; at >= 0; at -= 1) {
      const byte = bytes[at];
      if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE && (at === 0 || bytes[at - 1] !== BACKSLASH)) return at;
    }
    return -1;
  }

  #literal(w: WireWriter, literal: Buffer, field: number, value: number): boolean {
    const start = this.#end - literal.length;
    if (start < 0) return false;
    for (let index = 0; index < literal.length; index += 1)
      if (this.#bytes[start + index] !== literal[index]) return false;
    this.#end = start;
    w.varint(value);
    w.tag(field, 0);
    return true;
  }

  #number(w: WireWriter): boolean {
    const end = this.#end;
    let start = end;
    let isWhole = true;
    for (; start > 0; start -= 1) {
      const byte = this.#bytes[start - 1] as number;
      if (byte >= ZERO && byte <= NINE) continue;
      if (byte !== MINUS && byte !== PLUS && byte !== POINT && (byte | 0x20) !== 0x65) break;
      isWhole = false;
    }
    this.#end = start;
    const number = isWhole && end - start <= MAX_PLAIN_NUMBER ? this.#whole(start, end) : this.#exact(start, end);
    if (Number.isNaN(number)) return false;
    w.double(number);
    w.tag(2, 1);
    return true;
  }

  /** The number that these digits are; NaN: no JSON. */
  #whole(start: number, end: number): number {
    if (start === end || (this.#bytes[start] === ZERO && end - start > 1)) return Number.NaN;
    const bytes = this.#bytes;
    let number = 0;
    for (let at = start; at < end; at += 1) number = number * 10 + ((bytes[at] as number) - ZERO);
    return number;
  }

  /** The number of the text, if a double has its exact value in the digits that it is written with; else NaN. */
  #exact(start: number, end: number): number {
    const text = this.#bytes.toString('latin1', start, end);
    if (!NUMBER.test(text)) return Number.NaN;
    const number = Number(text);
    if (text.length <= MAX_PLAIN_NUMBER && !/[eE]/.test(text)) return number;
    return canonicalNumber(text) === canonicalNumber(String(number)) ? number : Number.NaN;
  }

  /** Whether a parser finds fewer members: it keeps one of those with the same key. */
  #hasKeyTwice(): boolean {
    return membersOf(parsed(this.#bytes.toString())) < this.#members;
  }
}

/** Returns undefined for what is no JSON: should another program have written the row, its bytes are still the truth. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const items = Array.isArray(value) ? value : Object.values(value);
  return items.reduce((sum: number, item) => sum + membersOf(item), Array.isArray(value) ? 0 : items.length);
}

const VALUES = new ValueWriter();

/** Writes a JSON text as the content of a Value. False, and nothing written: a Value cannot hold it. */
export function writeValue(writer: WireWriter, text: Buffer): boolean {
  return VALUES.write(writer, text, 'value');
}

/** Writes the text of a JSON object as the content of a Struct. False, and nothing written: a Struct cannot hold it. */
export function writeStruct(writer: WireWriter, text: Buffer): boolean {
  return VALUES.write(writer, text, 'struct');
}

const SCRATCH = new WireWriter();

/** Whether a Struct can hold the text of a JSON object. */
export function fitsStruct(text: string): boolean {
  SCRATCH.reset();
  return writeStruct(SCRATCH, Buffer.from(text));
}
