// Waiting for the log to grow, with a time limit and a reason to stop: every wait of a stream goes through here, so that a caller
// who vanished is never waited for.

import { Deadline } from '../../lib/deadline.js';
import type { Millis, Position } from '../../units.js';
import type { LogSource } from './log-source.js';

/** One signal of several, for as long as it is not released. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  /** Lets go of the signals it was made of; the joined one aborts no more. */
  release(): void;
}

/**
 * Aborts when the first of the signals does. Made once a stream rather than once a wait: what thousands of streams share, such
 * as the signal of the drain, looks through its listeners at each that is added.
 */
export function joinSignals(signals: readonly AbortSignal[]): JoinedSignal {
  const joined = new AbortController();
  const release = () => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  const abort = () => {
    joined.abort();
    release();
  };
  for (const signal of signals) signal.addEventListener('abort', abort);
  if (signals.some(({ aborted }) => aborted)) abort();
  return { signal: joined.signal, release };
}

/**
 * Resolves when the log has grown beyond the position, the signal aborts, or the time is over; never rejects. The caller looks
 * at the state itself to learn which.
 */
export async function waitForMore(
  source: Pick<LogSource, 'clock' | 'waitBeyond'>,
  position: Position,
  { signal, timeoutMs }: { readonly signal?: AbortSignal | undefined; readonly timeoutMs: Millis },
): Promise<void> {
  if (signal?.aborted === true) return;
  const deadline = new Deadline(source.clock, timeoutMs, { parent: signal });
  try {
    await source.waitBeyond(position, deadline.signal);
  } finally {
    deadline.dispose();
  }
}
