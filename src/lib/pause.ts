// A pause that ends early when its signal aborts.

import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after the time, or at the signal's abort; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Aborted: the pause is over.
  }
}
