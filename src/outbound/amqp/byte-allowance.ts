// What the operator's broker may say: one that sends without an end would keep the server busy, and nobody asked for so much.

import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';

/** What a broker may say in a minute, such as heartbeats and confirmations, besides what it was given and may return. */
export const MAX_IDLE_BYTES = 64 * 1024;
const RENEWED_MS: Millis = 60_000;

/** Counts what one connection has read against what it may read. */
export class ByteAllowance {
  readonly #clock: Clock;
  /** Bytes that were read before the count began anew, and those that may come back besides. */
  #before: number;
  #expected = 0;
  #sinceMs: Millis;

  /** `bytesRead`, here and below: of all the connection's life. */
  constructor(clock: Clock, bytesRead: number) {
    this.#clock = clock;
    this.#before = bytesRead;
    this.#sinceMs = clock.monotonicMs();
  }

  /** More, or less, may come from now on. What was not used is not saved for later. */
  expect(bytes: number, bytesRead: number): void {
    this.#expected += bytes;
    this.#renew(bytesRead);
  }

  /** Whether so much may have been read. */
  allows(bytesRead: number): boolean {
    if (bytesRead > this.#before + this.#expected + MAX_IDLE_BYTES) return false;
    if (this.#clock.monotonicMs() - this.#sinceMs >= RENEWED_MS) this.#renew(bytesRead);
    return true;
  }

  #renew(bytesRead: number): void {
    this.#before = bytesRead;
    this.#sinceMs = this.#clock.monotonicMs();
  }
}
