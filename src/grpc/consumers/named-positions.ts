// Lists of what a request names, positions above all: how many there may be, and which position is the greatest.

import { fieldInvalid } from '../../domain/errors.js';
import type { NamedPosition } from '../../engine/log/named-position.js';
import type { Position } from '../../units.js';

/** Throws FIELD_INVALID where a list has more members than it may. */
export function assertAtMost(field: string, list: readonly unknown[], max: number): void {
  if (list.length > max) throw fieldInvalid(field, `has more than ${max} members`);
}

/**
 * Returns the greatest of the positions with its field, or `atLeast` where none is above that. Throws FIELD_INVALID for one that is
 * missing. Positions above 2^53 lose digits on the way to a number, and stay far above any head.
 */
export function greatestNamed<AtLeast extends NamedPosition | undefined>(
  positions: readonly Position[],
  fieldOf: (index: number) => string,
  atLeast: AtLeast,
): NamedPosition | AtLeast {
  let greatest: NamedPosition | AtLeast = atLeast;
  for (const [index, position] of positions.entries()) {
    if (position === 0) throw fieldInvalid(fieldOf(index), 'is required');
    if (position > (greatest?.position ?? 0)) greatest = { position, field: fieldOf(index) };
  }
  return greatest;
}
