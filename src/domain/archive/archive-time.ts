// Times in archives, read back.

import type { Micros } from '../../units.js';

/** Reads a time of an archive: RFC 3339 in UTC with six digits of a second. */
export function microsOf(text: string): Micros {
  return Date.parse(`${text.slice(0, 19)}Z`) * 1_000 + Number(text.slice(20, 26));
}
