// Waiting for something, but not longer than that.

import type { Millis } from '../units.js';
import type { Clock } from './clock.js';
import { pause } from './pause.js';

const TIME = 'over';

/**
 * Resolves with the promise's value, or, when the time is over first, with what `late` returns; rejects with what it throws. What
 * becomes of the promise then is nobody's concern.
 */
export async function within<T, L>(
  clock: Clock,
  timeoutMs: Millis,
  promise: Promise<T> | T,
  late: () => L,
): Promise<T | L> {
  const ended = new AbortController();
  const time = pause(clock, timeoutMs, ended.signal).then((): typeof TIME => TIME);
  try {
    const first = await Promise.race([Promise.resolve(promise).then((value) => ({ value })), time]);
    return first === TIME ? late() : first.value;
  } finally {
    ended.abort();
  }
}
