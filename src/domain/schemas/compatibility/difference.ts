// A difference between what two versions of a schema take, as it is told.

import type { Json } from '../json.js';

/** What the reading schema asks that the writing one does not. */
export interface Difference {
  /** Where in the value: a JSON Pointer, in which `*` stands for every item, or every member of another name. */
  readonly path: readonly string[];
  readonly keyword: string;
  /** What the reading schema asks, and the writing one, in words that continue "the reader" and "the writer". */
  readonly reader: string;
  readonly writer: string;
  /** Tries for values that the writing schema takes and the reading one does not. */
  readonly tries: () => readonly Json[];
}

/** Tries that are kept of one difference. */
export const MAX_TRIES = 16;

/** The difference as one of the value that it lies in: below the key, in the values that `around` makes of its tries. */
export function outwards(difference: Difference, key: string, around: (tried: Json) => readonly Json[]): Difference {
  // Made for what is told only: there may be hundreds of others.
  const tries = () => {
    const made: Json[] = [];
    for (const tried of difference.tries()) {
      if (made.length < MAX_TRIES) made.push(...around(tried));
    }
    return made.slice(0, MAX_TRIES);
  };
  return { ...difference, path: [key, ...difference.path], tries };
}
