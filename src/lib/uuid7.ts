// UUID version 7 (RFC 9562, section 5.7): rising with time, so that the index of message ids grows at its end. Our own because
// one is minted for every event: from a pool of random bytes it costs a tenth of the general-purpose packages.

import { randomFillSync } from 'node:crypto';
import { uuidText } from './uuid-text.js';

const POOL_BYTES = 8_192;
const BYTES_EACH = 8;

/** Mints UUIDs: 48 bits of milliseconds, a 12-bit counter that keeps those of one millisecond in order, 62 random bits. */
export class Uuid7Source {
  readonly #nowMs: () => number;
  readonly #pool = new Uint8Array(POOL_BYTES);
  readonly #id = new Uint8Array(16);
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
    const id = this.#id;
    id.set(this.#pool.subarray(this.#used, this.#used + BYTES_EACH), 8);
    this.#used += BYTES_EACH;
    const high = Math.floor(this.#lastMs / 0x10000);
    id[0] = high >>> 24;
    id[1] = high >>> 16;
    id[2] = high >>> 8;
    id[3] = high;
    id[4] = (this.#lastMs % 0x10000) >>> 8;
    id[5] = this.#lastMs % 0x100;
    id[6] = 0x70 | (this.#counter >>> 8);
    id[7] = this.#counter;
    id[8] = 0x80 | ((id[8] as number) & 0x3f);
    return uuidText(id);
  }

  /** Moves the time on, never back: a clock that goes back is waited for by counting; a full counter borrows the next millisecond. */
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
