// UUID version 7 (RFC 9562, section 5.7): rising with time, so that the index of message ids grows at its end. Our own because
// one is minted for every event: from a pool of random bytes it costs a tenth of the general-purpose packages.

import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8_192;
const BYTES_EACH = 8;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Mints UUIDs: 48 bits of milliseconds, a 12-bit counter that keeps those of one millisecond in order, 62 random bits. */
export class Uuid7Source {
  readonly #nowMs: () => number;
  readonly #pool = new Uint8Array(POOL_BYTES);
  #used = POOL_BYTES;
  #lastMs = 0;
  #counter = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  next(): string {
    this.#tick();
    if (this.#used === POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += BYTES_EACH;
    const byte = (index: number) => this.#pool[at + index] as number;
    const hex = (value: number) => HEX[value & 0xff] as string;
    const ms = this.#lastMs.toString(16).padStart(12, '0');
    return (
      `${ms.slice(0, 8)}-${ms.slice(8)}-${hex(0x70 | (this.#counter >> 8))}${hex(this.#counter)}-` +
      `${hex(0x80 | (byte(0) & 0x3f))}${hex(byte(1))}-${hex(byte(2))}${hex(byte(3))}${hex(byte(4))}${hex(byte(5))}${hex(byte(6))}${hex(byte(7))}`
    );
  }

  /** Never goes back: a clock that does is waited for by counting, and a full counter borrows the next millisecond. */
  #tick(): void {
    const now = this.#nowMs();
    if (now > this.#lastMs) {
      this.#lastMs = now;
      this.#counter = 0;
      return;
    }
    this.#counter += 1;
    if (this.#counter === 0x1000) {
      this.#lastMs += 1;
      this.#counter = 0;
    }
  }
}
