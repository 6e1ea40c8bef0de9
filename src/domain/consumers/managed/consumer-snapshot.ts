// A consumer's place under a name, to go back to.

import type { Micros, Position } from '../../../units.js';
import type { ConsumerSettings } from '../consumer.js';

export interface ConsumerSnapshot {
  readonly name: string;
  readonly offset: Position;
  /** The greatest position above the offset that was done too; 0: none. */
  readonly doneTo: Position;
  readonly generation: number;
  readonly savedAt: Micros;
  /** Who saved it, as they said; empty: they did not. */
  readonly by: string;
}

/** All that is needed to go back. */
export interface SavedPlace extends ConsumerSnapshot {
  /** What is done above the offset, in the delivery window's own form; empty: nothing. */
  readonly acked: Uint8Array;
  /** The settings at that time: what is done above the offset says nothing about a consumer that selects otherwise. */
  readonly settings: ConsumerSettings;
}

/** Snapshots of one consumer. */
export const MAX_SNAPSHOTS = 100;
