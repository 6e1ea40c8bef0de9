// Writes protobuf's wire format from the end to the front: a nested message's length is known once its content stands, so that
// nothing is measured twice. Fields are therefore written in reverse order.

import { UUID_TEXT_BYTES, writeUuidText } from '../../lib/uuid-text.js';

const INITIAL_BYTES = 64 * 1024;
/** Bytes beyond which a scratch buffer that grew is given back. */
const KEPT_BYTES = 1024 * 1024;
/** Characters of a text that is written one by one: names and ids. */
const SHORT_TEXT = 40;
const MAX_INT32 = 0x7fffffff;
const HASH_START = 0x811c9dc5 | 0;
const HASH_FACTOR = 0x01000193;

export class WireWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #at = INITIAL_BYTES;

  /** Bytes written so far; the difference of two marks is the length of what was written between. */
  get mark(): number {
    return this.#bytes.length - this.#at;
  }

  /** Returns a copy of what was written; the writer begins anew. */
  finish(): Buffer {
    // Small messages share the pool's slabs: an allocation of their own costs more than writing them.
    const result = Buffer.allocUnsafe(this.mark);
    this.#bytes.copy(result, 0, this.#at);
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(INITIAL_BYTES);
    this.#at = this.#bytes.length;
    return result;
  }

  /** Forgets what was written. */
  reset(): void {
    this.#at = this.#bytes.length;
  }

  /** Forgets what was written since the mark. */
  rewind(mark: number): void {
    this.#at = this.#bytes.length - mark;
  }

  /** A hash of what was written since the mark: of a short text, such as a key. */
  hashSince(mark: number): number {
    const bytes = this.#bytes;
    const end = bytes.length - mark;
    let hash = HASH_START;
    for (let at = this.#at; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), HASH_FACTOR);
    return hash;
  }

  /** Writes a whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    if (value < 0x80) {
      // In a statement of its own: it may replace the buffer that the next one writes to.
      const at = this.#reserve(1);
      this.#bytes[at] = value;
      return;
    }
    if (value <= MAX_INT32) {
      this.#int32(value);
      return;
    }
    // Positions and times pass 31 bits, where shifts and masks end: 28 bits, which are four groups of seven, and the rest.
    const high = Math.floor(value / 0x10000000);
    this.varint(high);
    const low = value - high * 0x10000000;
    const at = this.#reserve(4);
    const bytes = this.#bytes;
    bytes[at] = (low & 0x7f) | 0x80;
    bytes[at + 1] = ((low >>> 7) & 0x7f) | 0x80;
    bytes[at + 2] = ((low >>> 14) & 0x7f) | 0x80;
    bytes[at + 3] = (low >>> 21) | 0x80;
  }

  #int32(value: number): void {
    const length = value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
    let at = this.#reserve(length);
    const bytes = this.#bytes;
    let rest = value;
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at] = rest;
  }

  tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleLE(value, at);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.byteLength);
    this.#bytes.set(bytes, at);
  }

  text(text: string): number {
    if (text.length <= SHORT_TEXT && this.#shortText(text)) return text.length;
    const length = Buffer.byteLength(text);
    const at = this.#reserve(length);
    this.#bytes.write(text, at, length, 'utf8');
    return length;
  }

  /** Writes a short ASCII text without a call into the runtime; false for other texts, of which nothing was written. */
  #shortText(text: string): boolean {
    const { length } = text;
    const at = this.#reserve(length);
    const bytes = this.#bytes;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#at = at + length;
        return false;
      }
      bytes[at + index] = code;
    }
    return true;
  }

  /** Writes a string field; nothing for the empty text. */
  stringField(field: number, text: string): void {
    if (text !== '') this.presentString(field, text);
  }

  /** Writes a string field even when it is empty. */
  presentString(field: number, text: string): void {
    this.#head(field, this.text(text));
  }

  /** Writes a string field of bytes that are UTF-8, from `start` to `end`, even when it is empty. */
  sliceField(field: number, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    const at = this.#reserve(length);
    const own = this.#bytes;
    // A short text is copied without a call into the runtime.
    if (length > SHORT_TEXT) bytes.copy(own, at, start, end);
    else for (let index = 0; index < length; index += 1) own[at + index] = bytes[start + index] as number;
    this.#head(field, length);
  }

  /** Writes a string field with the text of a UUID's 16 bytes. */
  uuidField(field: number, bytes: Uint8Array): void {
    const at = this.#reserve(UUID_TEXT_BYTES);
    writeUuidText(this.#bytes, at, bytes);
    this.varint(UUID_TEXT_BYTES);
    this.tag(field, 2);
  }

  /** Writes a uint32, uint64, bool or enum field; nothing for zero. */
  numberField(field: number, value: number): void {
    if (value === 0) return;
    this.varint(value);
    this.tag(field, 0);
  }

  /** Writes a uint64 field of which the lowest 14 bits are given apart; the others are not zero. */
  splitField(field: number, high: number, low: number): void {
    this.varint(high);
    const at = this.#reserve(2);
    this.#bytes[at] = (low & 0x7f) | 0x80;
    this.#bytes[at + 1] = (low >>> 7) | 0x80;
    this.tag(field, 0);
  }

  /** Closes a message or bytes field whose content was written since the mark. */
  close(field: number, mark: number): void {
    this.#head(field, this.mark - mark);
  }

  /** Writes a message field of which the content is encoded. */
  messageField(field: number, bytes: Uint8Array): void {
    this.raw(bytes);
    this.#head(field, bytes.byteLength);
  }

  /** Writes what stands before the content of a message, string or bytes field: its tag and its length. */
  #head(field: number, length: number): void {
    if (field > 15 || length > 0x7f) {
      this.varint(length);
      this.tag(field, 2);
      return;
    }
    // Most are a byte each.
    const at = this.#reserve(2);
    this.#bytes[at] = (field << 3) | 2;
    this.#bytes[at + 1] = length;
  }

  #reserve(length: number): number {
    if (length > this.#at) this.#grow(length);
    this.#at -= length;
    return this.#at;
  }

  #grow(length: number): void {
    const used = this.mark;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, used + length));
    this.#bytes.copy(larger, larger.length - used, this.#at);
    this.#bytes = larger;
    this.#at = larger.length - used;
  }
}
