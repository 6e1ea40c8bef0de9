// Gaps of the contract.

import type { Gap } from '../../../generated/madeleine/v1/event_service.js';
import type { Position } from '../../units.js';

/** What was deleted between two positions; `events` 0: it was not counted. */
export interface ToldGap {
  readonly first: Position;
  readonly last: Position;
  readonly events?: number;
}

export function gapToWire({ first, last, events = 0 }: ToldGap): Gap {
  const counted = events === 0 ? undefined : BigInt(events);
  return { firstPosition: BigInt(first), lastPosition: BigInt(last), events: counted };
}
