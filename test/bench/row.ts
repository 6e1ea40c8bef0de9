// A row of the benchmark, the figures that it comes to, and how figure and limit are measured side by side.

import type { Stage } from './stage.js';

export interface Figure {
  /** What was measured; the name by which runs are compared. */
  readonly figure: string;
  readonly value: number;
  /** What it is held against, and its value in the same run. */
  readonly limit: string;
  readonly limitValue: number;
  readonly unit: string;
  /** What the ratio of value to limit has to reach, or with `atMost` to stay below; none: only told. */
  readonly bounds?: { readonly must: number; readonly aim: number; readonly atMost?: boolean };
  readonly note?: string;
}

export interface RowContext {
  readonly stage: Stage;
  /** How often each figure is measured, after one time that does not count. */
  readonly rounds: number;
}

export interface Row {
  /** Names of the figures that `measure` comes to. */
  readonly figures: readonly string[];
  measure(context: RowContext): Promise<readonly Figure[]>;
}

export function ratioOf({ value, limitValue }: Pick<Figure, 'value' | 'limitValue'>): number {
  return value / limitValue;
}

/** What the bounds make of the figure; undefined without bounds. */
export function isReached(figure: Figure): boolean | undefined {
  if (figure.bounds === undefined) return undefined;
  const { must, atMost } = figure.bounds;
  return atMost === true ? ratioOf(figure) <= must : ratioOf(figure) >= must;
}

/**
 * Rounds that do not count. Servers run for weeks, but V8 takes some seconds of work until it has compiled what is hot: the
 * second round is still a quarter slower than the fifth.
 */
const WARM_UP_ROUNDS = 3;

/**
 * Figure and limit, round by round in turn, after as many rounds of each that do not count; the medians. A noisy neighbour
 * then hits both.
 */
export async function inTurns(
  rounds: number,
  figure: () => Promise<number>,
  limit: () => Promise<number>,
): Promise<{ value: number; limitValue: number }> {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    await figure();
    await limit();
  }
  const values: number[] = [];
  const limits: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    values.push(await figure());
    limits.push(await limit());
  }
  return { value: median(values), limitValue: median(limits) };
}

/** The median of so many results, after one that does not count. */
export async function medianOf(rounds: number, measure: () => Promise<number>): Promise<number> {
  await measure();
  const values: number[] = [];
  for (let round = 0; round < rounds; round += 1) values.push(await measure());
  return median(values);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
