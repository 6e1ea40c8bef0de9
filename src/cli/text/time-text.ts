// Times and durations as people and protobuf JSON write them, with nothing lost to a Date.

import type { Millis } from '../../units.js';

/** The shape of both google.protobuf.Timestamp and google.protobuf.Duration. */
export interface Seconds {
  readonly seconds: bigint;
  readonly nanos: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const TIME = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Writes RFC 3339 in UTC with six digits, such as `2026-11-21T10:45:03.123456Z`; empty for undefined. */
export function timestampText(time: Seconds | undefined): string {
  if (time === undefined) return '';
  const whole = new Date(Number(time.seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}.${fraction(time.nanos)}Z`;
}

/** Protobuf JSON of a duration, such as `60s` or `0.250s`. */
export function durationText(duration: Seconds): string {
  const { seconds, nanos } = duration;
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  const whole = seconds < 0n ? -seconds : seconds;
  return nanos === 0 ? `${sign}${whole}s` : `${sign}${whole}.${fraction(Math.abs(nanos))}s`;
}

/** Writes roughly how long something is ago, in one unit: `0s`, `95s`, `12m`, `30h`, `5d`. */
export function ageText({ seconds }: Seconds): string {
  if (seconds < 120n) return `${seconds}s`;
  if (seconds < 7_200n) return `${seconds / 60n}m`;
  return seconds < 172_800n ? `${seconds / 3_600n}h` : `${seconds / 86_400n}d`;
}

/** The fraction of a second: six digits, or nine where the last three count. */
function fraction(nanos: number): string {
  const digits = String(nanos).padStart(9, '0');
  return digits.endsWith('000') ? digits.slice(0, 6) : digits;
}

/** Reads `250ms`, `60s`, `5m`, `2h` or `1d`; undefined if the text is none of them. */
export function parseDuration(text: string): Seconds | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text);
  if (match === null) return undefined;
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 };
}

/**
 * Reads a time: RFC 3339 with an offset (`2026-11-21T10:45:03.123456Z`), a day in UTC (`2026-11-21`), or a duration
 * before now (`15m`). Undefined if the text is none of them.
 */
export function parseTime(text: string, nowMs: Millis): Seconds | undefined {
  const ago = parseDuration(text);
  if (ago !== undefined) {
    const ms = nowMs - Number(ago.seconds) * 1000 - ago.nanos / 1e6;
    return { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.round(((ms % 1000) + 1000) % 1000) * 1e6 };
  }
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, day, minutes = '00:00', seconds = '00', digits = '', zone = 'Z'] = match;
  const ms = Date.parse(`${day}T${minutes}:${seconds}${zone}`);
  if (Number.isNaN(ms)) return undefined;
  return { seconds: BigInt(ms / 1000), nanos: Number(digits.padEnd(9, '0')) };
}
