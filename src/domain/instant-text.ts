// Instants as texts.

import type { Micros } from '../units.js';

/** RFC 3339 in UTC with microseconds. */
export function microsText(micros: Micros): string {
  const millis = Math.floor(micros / 1_000);
  const rest = String(micros - millis * 1_000).padStart(3, '0');
  return new Date(millis).toISOString().replace('Z', `${rest}Z`);
}

/** RFC 3339 in UTC, to the second that is no earlier: for the sentences of errors. */
export function instantText(at: Micros): string {
  const seconds = Math.ceil(at / 1_000_000);
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}
