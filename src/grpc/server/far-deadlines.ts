// Deadlines of calls that are further away than timers of the runtime reach. The library cuts the milliseconds of `grpc-timeout` to 32
// bits, so that such a call ends at once, or at some other time, with DEADLINE_EXCEEDED, while its work goes on.

import { BaseServerInterceptingCall } from '@grpc/grpc-js/build/src/server-interceptors.js';
import { MAX_DELAY_MS } from '../../lib/clock.js';
import type { Millis } from '../../units.js';

/** The part of a call in the library that begins its deadline; private there. */
interface Deadlines {
  handleTimeoutHeader(header: string | Buffer): void;
}

const UNIT_MS = { n: 1e-6, u: 1e-3, m: 1, S: 1_000, M: 60_000, H: 3_600_000 } as const;

/** Milliseconds of a `grpc-timeout`; undefined for what is none. */
export function timeoutMs(header: string): Millis | undefined {
  const [, amount, unit] = /^(\d{1,8})([numSMH])$/.exec(header) ?? [];
  return unit === undefined ? undefined : Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

/** What was taken over, so that it is once. */
const taken = new WeakSet<Deadlines>();

/**
 * Lets the library begin no deadline that is so far away: the caller keeps it by itself. For every server of the process; there is no
 * other way in, as the library reads the header before it lets anybody have the call.
 */
export function takeFarDeadlines(): void {
  const calls = BaseServerInterceptingCall.prototype as unknown as Deadlines;
  if (taken.has(calls)) return;
  taken.add(calls);
  const begin = calls.handleTimeoutHeader;
  calls.handleTimeoutHeader = function (header) {
    if ((timeoutMs(String(header)) ?? 0) <= MAX_DELAY_MS) begin.call(this, header);
  };
}
