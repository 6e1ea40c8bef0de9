// How an attempt ends without an answer, inside of outbound/: thrown where it is found out, told as a result at the one place
// that `send` returns from.

import type { AttemptOutcome, AttemptReason } from '../../engine/cawins/callback-sender.js';
import type { Millis } from '../../units.js';

/** The longest wait that a receiver may ask for. */
const MAX_RETRY_AFTER_MS: Millis = 86_400_000;

export interface AttemptFailureDetails {
  /** The attempt's outcome, `failed` unless told: most failures pass. */
  readonly outcome?: AttemptOutcome;
  readonly retryAfterMs?: Millis;
  /** A word for the attempt log beside the sentence, such as the broker's, and its number. */
  readonly status?: string;
  readonly statusCode?: number;
  readonly cause?: unknown;
}

export class AttemptFailure extends Error {
  override readonly name = 'AttemptFailure';
  readonly reason: AttemptReason;
  readonly outcome: AttemptOutcome;
  readonly status: string;
  readonly statusCode: number;
  readonly retryAfterMs: Millis | undefined;

  constructor(reason: AttemptReason, message: string, details: AttemptFailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.outcome = details.outcome ?? 'failed';
    this.status = details.status ?? '';
    this.statusCode = details.statusCode ?? 0;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** What a receiver answered; the same for every protocol. */
export interface Answer {
  readonly outcome: AttemptOutcome;
  readonly reason: AttemptReason;
  readonly status: string;
  readonly statusCode: number;
  /** The beginning of the answer as it came; redacted and cut by whoever makes the result of it. */
  readonly bytes: Uint8Array;
  /** Monotonic time of the status. */
  readonly answeredAtMs: Millis;
  readonly retryAfterMs?: Millis;
  readonly error?: string;
}

/** The wait that a receiver asks for, within bounds; undefined for what is no number. */
export function retryAfter(delayMs: Millis): Millis | undefined {
  return Number.isNaN(delayMs) ? undefined : Math.min(Math.max(Math.ceil(delayMs), 0), MAX_RETRY_AFTER_MS);
}
