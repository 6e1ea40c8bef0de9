// The port by which the engine calls out: one attempt to tell somebody how an event ended. outbound/ implements it; when to try,
// how often, and what is written down belongs to the callback runner.

import type { LogEntry } from '../../domain/events/event.js';
import type { Millis } from '../../units.js';

/** What is told: how an event ended, and for which cawin. */
export interface CallbackEvent {
  /** The entry that ended the wait: OCCURRED with its payload, INVALIDATED or EXPIRED without one. */
  readonly entry: LogEntry;
  readonly cawinId: number;
  /** The event that the cawin was made on. Another one than the entry's where one push ended several waits. */
  readonly awaitedId: number;
}

/** One call. Settings are those at the time of the attempt, not of the firing. */
export interface CallbackAttempt {
  /** The URL as it was accepted by `parseCallbackUrl`. */
  readonly url: string;
  /** Headers as they were accepted by `assertCallbackHeaders`; their values count as secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Secrets that sign, in the form `whsec_`: none, one, or two while one replaces the other. */
  readonly secrets: readonly string[];
  /** Time for the whole attempt, from the look-up of the name to the answer. */
  readonly timeoutMs: Millis;
  /** The receiver's key against duplicates: every attempt of a firing has the same. At most 128 letters, digits, `-`, `_`. */
  readonly deliveryId: string;
  /** The attempt's number, from 1. */
  readonly attemptNumber: number;
  readonly event: CallbackEvent;
}

/**
 * What became of an attempt; `rejected`: the same call will never be taken, only a person can help. `failed`: try
 * again.
 */
export type AttemptOutcome = 'delivered' | 'failed' | 'rejected';

/** What decided an attempt; few enough to be a metric's label. */
export type AttemptReason =
  /** The receiver answered; the status says what. */
  | 'answered'
  /** The receiver said that it is gone for good (HTTP 410). */
  | 'gone'
  | 'timeout'
  /** The caller's signal; no answer was waited for. It says nothing about the receiver. */
  | 'cancelled'
  /** The name has no address, or no name server answered. */
  | 'name'
  /** An address, port or scheme that callbacks of this server may not use. */
  | 'not_allowed'
  | 'connection'
  | 'tls'
  /** Something answered that does not speak the protocol. */
  | 'answer'
  /** The broker has no queue for the message. */
  | 'unroutable'
  /** The broker is away, refuses, or never confirmed. */
  | 'broker'
  /** A fault of this server. */
  | 'internal';

/** The highest number that a status has in any protocol: HTTP's have three digits. */
export const MAX_STATUS_CODE = 999;

/** What the attempt log keeps. Whatever the receiver answered, numbers are finite and texts valid and bounded. No member holds a secret or a header's value. */
export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  readonly reason: AttemptReason;
  /** The answer in its protocol's words: `503 Service Unavailable`, `UNAVAILABLE`, `CONFIRMED`; empty without an answer. */
  readonly status: string;
  /** Number of the HTTP or gRPC status; 0 without an answer (and gRPC's OK). */
  readonly statusCode: number;
  /** Time until the answer's status or the failure. */
  readonly latencyMs: Millis;
  /** The beginning of what the receiver answered, at most 1 KiB of UTF-8 without control characters, redacted. */
  readonly firstBytes: string;
  /** How long the receiver wants to be left alone; at most a day. Only of failed attempts. */
  readonly retryAfterMs?: Millis;
  /** One sentence for people where there is more to say than the status; redacted. */
  readonly error?: string;
}

export interface CallbackSender {
  /**
   * Makes one attempt and tells how it went. Never rejects for what the receiver, the network or the settings do, and returns
   * within `timeoutMs` or soon after the signal's abort. The receiver may have got the call although the attempt failed: the
   * delivery id is how it knows.
   */
  send(attempt: CallbackAttempt, signal: AbortSignal): Promise<AttemptResult>;
  /**
   * Why this server would never call the URL, as far as that is known without asking the network: an address or port that is
   * not allowed, no broker configured. Undefined if nothing speaks against it. The URL has to be a valid one.
   */
  refusalOf(url: string): string | undefined;
}
