// Waiting for a condition instead of for a time.

import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface WaitUntilOptions {
  /** What is waited for, in words: "the consumer's offset reaches 10". */
  readonly what: string;
  /** When to give up, in milliseconds; 10 s unless told. */
  readonly timeoutMs?: number;
  /** Pause between two looks, in milliseconds. */
  readonly intervalMs?: number;
}

/**
 * Looks again and again until the condition is truthy, and returns its value. What the condition throws ends the wait at
 * once. Past the deadline it rejects with what was waited for and the last value that was seen.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  options: WaitUntilOptions,
): Promise<Exclude<Awaited<T>, false | null | undefined | 0 | ''>> {
  const { what, timeoutMs = 10_000, intervalMs = 20 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<Awaited<T>, false | null | undefined | 0 | ''>;
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}; last seen: ${inspect(value, { depth: 4 })}`);
    }
    await sleep(intervalMs);
  }
}
