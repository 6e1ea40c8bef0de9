// What an attempt is told as: an answer or a failure, made fit to be kept whatever a receiver put into it. Numbers are whole and in the
// range of their columns, texts are valid, short, without secrets and without control characters.

import { type AttemptResult, MAX_STATUS_CODE } from '../../engine/cawins/callback-sender.js';
import type { Millis } from '../../units.js';
import type { Answer, AttemptFailure } from './attempt-failure.js';
import { cutText, type Redactor, readable } from './redaction.js';

/** Bytes of an answer in the attempt log. */
export const MAX_FIRST_BYTES = 1024;
const MAX_ERROR_BYTES = 512;
const MAX_STATUS_BYTES = 255;

/** Returns an answer as it is kept. */
export function resultOf(answer: Answer, startedMs: Millis, redactor: Redactor): AttemptResult {
  const { outcome, reason, status, statusCode, retryAfterMs, bytes, answeredAtMs, error } = answer;
  return {
    outcome,
    reason,
    status: boundedText(status, MAX_STATUS_BYTES, redactor),
    statusCode: boundedCode(statusCode),
    latencyMs: Math.max(0, answeredAtMs - startedMs),
    firstBytes: redactor.beginning(bytes, MAX_FIRST_BYTES),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(error === undefined ? {} : { error: boundedText(error, MAX_ERROR_BYTES, redactor) }),
  };
}

/** Returns a failure as it is kept. */
export function resultOfFailure(failure: AttemptFailure, latencyMs: Millis, redactor: Redactor): AttemptResult {
  const { outcome, reason, status, statusCode, retryAfterMs } = failure;
  return {
    outcome,
    reason,
    status: boundedText(status, MAX_STATUS_BYTES, redactor),
    statusCode: boundedCode(statusCode),
    latencyMs: Math.max(0, latencyMs),
    firstBytes: '',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    error: boundedText(failure.message, MAX_ERROR_BYTES, redactor),
  };
}

function boundedText(text: string, maxBytes: number, redactor: Redactor): string {
  return cutText(readable(redactor.text(text)), maxBytes);
}

/** Returns the number of a status; 0 for what is none. */
function boundedCode(code: number): number {
  return Number.isInteger(code) && code >= 0 && code <= MAX_STATUS_CODE ? code : 0;
}
