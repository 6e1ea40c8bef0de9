// A change that holds against what its caller saw is begun again where another one came first.

import { MadeleineError } from '../../domain/errors.js';

/** How often a change is begun again. */
export const ROUNDS = 20;

export function changedAllTheTime(): MadeleineError {
  return new MadeleineError('OVERLOADED', 'others change the same all the time', { retryAfterMs: 250 });
}
