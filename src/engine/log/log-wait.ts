// Waiting for the log to grow, with a time limit and a reason to stop: every wait of a stream goes through here, so that a caller
// who vanished is never waited for.

import { Deadline } from '../../lib/deadline.js';
import type { Millis, Position } from '../../units.js';
import type { LogSource, Selection } from './log-source.js';

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
  let isHeld = true;
  const release = () => {
    if (isHeld) for (const signal of signals) signal.removeEventListener('abort', abort);
    isHeld = false;
  };
  const abort = () => {
    joined.abort();
    release();
  };
  for (const signal of signals) signal.addEventListener('abort', abort);
  if (signals.some(({ aborted }) => aborted)) abort();
  return { signal: joined.signal, release };
}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs: Millis;
  /** What is waited for; any entry, if left out. */
  readonly selection?: Selection;
}

/**
 * Resolves when the log has grown beyond the position, the signal aborts, or the time is over; never rejects. The caller looks
 * at the state itself to learn which, and is told the position up to which there is nothing for it.
 */
export async function waitForMore(
  source: Pick<LogSource, 'clock' | 'waitBeyond'>,
  position: Position,
  { signal, timeoutMs, selection }: WaitOptions,
): Promise<Position> {
  if (signal?.aborted === true) return position;
  const deadline = new Deadline(source.clock, timeoutMs, { parent: signal });
  try {
    return await source.waitBeyond(position, deadline.signal, selection);
  } finally {
    deadline.dispose();
  }
}
