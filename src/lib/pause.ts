// A pause that ends early when its signal aborts.

import type { Millis } from '../units.js';
import type { Clock } from './clock.js';

/** Resolves after the time, or at the signal's abort; never rejects. */
export function pause(clock: Clock, ms: Millis, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      timer.stop();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(ms, end);
    signal.addEventListener('abort', end);
  });
}
