// Writes protobuf's wire format from the end to the front: a nested message's length is known once its content stands, so that
// nothing is measured twice. Fields are therefore written in reverse order.

const INITIAL_BYTES = 64 * 1024;
/** A scratch buffer that grew beyond this is given back. */
const KEPT_BYTES = 1024 * 1024;
/** Characters of a text that is written one by one: names and ids. */
const SHORT_TEXT = 40;

export class WireWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #at = INITIAL_BYTES;

  /** Bytes written so far; the difference of two marks is the length of what was written between. */
  get mark(): number {
    return this.#bytes.length - this.#at;
  }

  /** A copy of what was written; the writer begins anew. */
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

  /** A whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    const length = varintLength(value);
    let at = this.#reserve(length);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[at] = rest;
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
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#at = at + length;
        return false;
      }
      this.#bytes[at + index] = code;
    }
    return true;
  }

  /** A string field; nothing for the empty text. */
  stringField(field: number, text: string): void {
    if (text !== '') this.presentString(field, text);
  }

  /** A string field that is written even when empty. */
  presentString(field: number, text: string): void {
    this.varint(this.text(text));
    this.tag(field, 2);
  }

  /** A uint32, uint64, bool or enum field; nothing for zero. */
  numberField(field: number, value: number): void {
    if (value === 0) return;
    this.varint(value);
    this.tag(field, 0);
  }

  /** Closes a message or bytes field whose content was written since the mark. */
  close(field: number, mark: number): void {
    this.varint(this.mark - mark);
    this.tag(field, 2);
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

function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  let length = 3;
  for (let rest = Math.floor(value / 0x200000); rest > 0; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}
