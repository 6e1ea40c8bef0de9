// That a consumer is held up by people: since when, by whom and why.

import type { Micros } from '../../../units.js';

export interface ConsumerPause {
  readonly pausedAt: Micros;
  /** Who paused it, as they said; empty: they did not. */
  readonly by: string;
  /** Why, as they said; empty: they did not. */
  readonly reason: string;
}

/** Says who paused a consumer, and why, as far as they said. */
export function pauseInWords({ by, reason }: Pick<ConsumerPause, 'by' | 'reason'>): string {
  const who = by === '' ? '' : `paused by ${by}`;
  return [who, reason].filter(Boolean).join(': ') || 'nobody said why';
}
