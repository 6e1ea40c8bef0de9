// Reads protobuf's wire format straight from the request's bytes: for the few messages that every push carries. Everything else
// uses the generated code. Format: https://protobuf.dev/programming-guides/encoding/

import { isUtf8 } from 'node:buffer';

/** The bytes are not a message of this type; answered as INVALID_ARGUMENT. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Messages that a request may still have nested in it: two bytes may make one of dozens of members. */
export interface MessageBudget {
  left: number;
}

export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #budget: MessageBudget | undefined;
  #at: number;

  /** Counts, if there is a budget, the messages nested in it, however deep; beyond it the message is refused. */
  constructor(bytes: Buffer, budget?: MessageBudget, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#budget = budget;
    this.#at = start;
    this.#end = end;
  }

  /** The next field's tag (number << 3 | wire type), or 0 at the end. */
  tag(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.uint32();
    if (tag >>> 3 === 0) throw new WireError('a field has the number 0');
    return tag;
  }

  /** A varint's low 32 bits, unsigned. */
  uint32(): number {
    let result = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      if (shift < 32) result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
    throw new WireError('a number is too long');
  }

  uint64(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    throw new WireError('a number is too long');
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  bool(): boolean {
    return this.uint64() !== 0n;
  }

  double(): number {
    const at = this.#advance(8);
    return this.#bytes.readDoubleLE(at);
  }

  /** A view of the bytes, not a copy. */
  bytes(): Buffer {
    const length = this.uint32();
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view of bytes that count as a nested message does. */
  counted(): Buffer {
    if (this.#budget !== undefined) spend(this.#budget);
    return this.bytes();
  }

  string(): string {
    const length = this.uint32();
    if (length === 0) return '';
    const at = this.#advance(length);
    const text = this.#bytes.toString('utf8', at, at + length);
    // Only a text with U+FFFD can have come from invalid bytes: the others need no second look.
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(at, at + length)))
      throw new WireError('a string is not UTF-8');
    return text;
  }

  /** A reader of the nested message. */
  message(): WireReader {
    if (this.#budget !== undefined) spend(this.#budget);
    const length = this.uint32();
    const at = this.#advance(length);
    return new WireReader(this.#bytes, this.#budget, at, at + length);
  }

  /** A reader of the nested message, of which nothing inside counts: what is made of it has a bound of its own. */
  uncounted(): WireReader {
    if (this.#budget !== undefined) spend(this.#budget);
    const length = this.uint32();
    const at = this.#advance(length);
    return new WireReader(this.#bytes, undefined, at, at + length);
  }

  /** Passes over the field whose tag was just read. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.uint64();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#advance(this.uint32());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw new WireError('a field has an unknown wire type');
    }
  }

  #byte(): number {
    return this.#bytes[this.#advance(1)] as number;
  }

  #advance(length: number): number {
    const at = this.#at;
    if (at + length > this.#end) throw new WireError('the message is cut off');
    this.#at = at + length;
    return at;
  }
}

function spend(budget: MessageBudget): void {
  budget.left -= 1;
  if (budget.left < 0) throw new WireError('it has too many parts');
}
