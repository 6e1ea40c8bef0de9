// Parameters of the property tests: SEED repeats a failure, RUNS says how many cases are tried.

import type { Parameters } from 'fast-check';

/** On a failure fast-check prints the seed; `SEED=… make test-property` runs the same cases again. */
export function propertyParameters(defaultRuns = 200): Parameters<unknown> {
  const seed = wholeNumber('SEED');
  const runs = wholeNumber('RUNS');
  return { numRuns: runs ?? defaultRuns, ...(seed === undefined ? {} : { seed }) };
}

/** Of one property test: time for many runs, and for fast-check to shrink a failure. */
export const PROPERTY_TIMEOUT_MS = 1_800_000;

function wholeNumber(variable: string): number | undefined {
  const text = process.env[variable];
  if (text === undefined || text === '') return undefined;
  if (!/^-?\d+$/.test(text)) throw new Error(`${variable} has to be a whole number, not "${text}"`);
  return Number(text);
}
