// What is kept of each time that people moved a consumer's offset: acknowledgements are no moves.

import type { Micros, Position } from '../../../units.js';

/** What moved it. */
export type MoveKind = 'CREATED' | 'SEEK' | 'RESTORED';

export interface OffsetMove {
  readonly kind: MoveKind;
  readonly movedAt: Micros;
  /** Who moved it, as they said; empty: they did not. */
  readonly by: string;
  /** Why, as they said; empty: they did not. */
  readonly reason: string;
  /** The snapshot that was restored; empty: none. */
  readonly snapshot: string;
  /** Undefined: there was none. */
  readonly formerOffset: Position | undefined;
  readonly offset: Position;
  /** The generation that began with it. */
  readonly generation: number;
}

/** How long moves are kept. */
export const MOVES_KEPT_MICROS = 90 * 24 * 3_600 * 1_000_000;
