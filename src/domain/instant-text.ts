// An instant in the sentences of errors.

import type { Micros } from '../units.js';

/** RFC 3339 in UTC, to the second that is no earlier. */
export function instantText(at: Micros): string {
  const seconds = Math.ceil(at / 1_000_000);
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}
