// Times in archives: RFC 3339 in UTC with microseconds.

import type { Micros } from '../../units.js';

/** Writes six digits of a second. */
export function microsText(micros: Micros): string {
  const seconds = Math.floor(micros / 1_000_000);
  const digits = String(micros - seconds * 1_000_000).padStart(6, '0');
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}.${digits}Z`;
}

/** Reads what was written so. */
export function microsOf(text: string): Micros {
  return Date.parse(`${text.slice(0, 19)}Z`) * 1_000 + Number(text.slice(20, 26));
}
