// Waiting for the log to grow, with a time limit and any number of reasons to stop: every wait of a stream goes through here, so
// that a caller who vanished is never waited for.

import type { Position } from '../domain/event.js';
import type { LogSource } from './log-source.js';

/**
 * Resolves when the log has grown beyond the position, one of the signals aborts, or the time is over; never rejects. The
 * caller looks at the state itself to learn which.
 */
export async function waitForMore(
  source: LogSource,
  position: Position,
  options: { readonly signals: readonly AbortSignal[]; readonly timeoutMs: number },
): Promise<void> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  if (options.signals.some((signal) => signal.aborted)) return;
  for (const signal of options.signals) signal.addEventListener('abort', abort);
  const timer = setTimeout(abort, options.timeoutMs);
  try {
    await source.waitBeyond(position, stop.signal);
  } finally {
    clearTimeout(timer);
    for (const signal of options.signals) signal.removeEventListener('abort', abort);
  }
}
