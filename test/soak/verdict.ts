// Whether what was looked at again and again has grown.

import { GAUGES, type Look } from './gauges.js';

export interface Verdict {
  readonly gauge: string;
  /** Medians of the first and of the last third of the looks. */
  readonly first: number;
  readonly last: number;
  readonly greatest: number;
  readonly flat: boolean;
}

/** One verdict a gauge. */
export function verdicts(looks: readonly Look[]): Verdict[] {
  return Object.entries(GAUGES).map(([gauge, { share, more }]) => {
    const values = looks.map((one) => one[gauge] ?? Number.NaN);
    const third = Math.max(1, Math.floor(values.length / 3));
    const first = median(values.slice(0, third));
    const last = median(values.slice(-third));
    return { gauge, first, last, greatest: Math.max(...values), flat: last <= first + Math.max(first * share, more) };
  });
}

/** The verdicts as a table. */
export function verdictTable(all: readonly Verdict[]): string {
  const lines = all.map(({ gauge, first, last, greatest, flat }) => {
    return `| ${gauge} | ${first} | ${last} | ${greatest} | ${flat ? 'flat' : 'GREW'} |`;
  });
  return ['| gauge | first third | last third | greatest | |', '| --- | --- | --- | --- | --- |', ...lines].join('\n');
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
