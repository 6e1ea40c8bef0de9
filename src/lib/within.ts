// Waiting for something, but not longer than that.

import type { Millis } from '../units.js';

/**
 * Resolves with the promise's value, or, when the time is over first, with what `late` returns; rejects with what it throws. What
 * becomes of the promise then is nobody's concern.
 */
export async function within<T, L>(timeoutMs: Millis, promise: Promise<T> | T, late: () => L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<typeof TIME>((resolve) => {
    timer = setTimeout(() => resolve(TIME), timeoutMs);
  });
  try {
    const first = await Promise.race([Promise.resolve(promise).then((value) => ({ value })), time]);
    return first === TIME ? late() : first.value;
  } finally {
    clearTimeout(timer);
  }
}

const TIME = 'over';
