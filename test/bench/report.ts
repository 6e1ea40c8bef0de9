// Figures as ratios to their limits: a table for people, JSON beside the former one for the next run to compare with.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Row {
  /** What was measured. */
  readonly figure: string;
  readonly value: number;
  /** What it is held against, and its value in the same run. */
  readonly limit: string;
  readonly limitValue: number;
  readonly unit: string;
  /** The ratio of value to limit has to reach this; with `atMost` it has to stay below it. */
  readonly mustReach: number;
  readonly aimAt: number;
  /** Less is better: latencies, costs. */
  readonly atMost?: boolean;
  readonly note?: string;
}

export const ratioOf = ({ value, limitValue }: Row) => value / limitValue;

const isReached = (row: Row) => (row.atMost === true ? ratioOf(row) <= row.mustReach : ratioOf(row) >= row.mustReach);

export class Report {
  readonly #rows: Row[] = [];
  readonly #settings: Readonly<Record<string, string>>;

  constructor(settings: Readonly<Record<string, string>>) {
    this.#settings = settings;
  }

  add(row: Row): void {
    this.#rows.push(row);
    const verdict = isReached(row) ? 'reached' : 'MISSED';
    process.stderr.write(
      `  ${row.figure}: ${amount(row.value)} ${row.unit}, ratio ${ratioOf(row).toFixed(2)} (${verdict})\n`,
    );
  }

  /** The rows that did not reach what they must. */
  get missed(): readonly Row[] {
    return this.#rows.filter((row) => !isReached(row));
  }

  /** Prints the table and keeps the figures in the directory; the last run's are kept as `former.json`. */
  async finish(directory: string): Promise<void> {
    const former = await formerRatios(join(directory, 'last.json'));
    process.stdout.write(`${this.#table(former)}\n`);
    await mkdir(directory, { recursive: true });
    await rename(join(directory, 'last.json'), join(directory, 'former.json')).catch(ignoreMissing);
    const json = { settings: this.#settings, rows: this.#rows.map((row) => ({ ...row, ratio: ratioOf(row) })) };
    await writeFile(join(directory, 'last.json'), `${JSON.stringify(json, null, 2)}\n`);
  }

  #table(former: ReadonlyMap<string, number>): string {
    const settings = Object.entries(this.#settings).map(([name, value]) => `${name}: ${value}`);
    const head = ['figure', 'value', 'limit', 'its value', 'ratio', 'must', 'aim', 'before'];
    const rows = this.#rows.map((row) => [
      row.figure,
      `${amount(row.value)} ${row.unit}`,
      row.limit,
      `${amount(row.limitValue)} ${row.unit}`,
      ratioOf(row).toFixed(2),
      bound(row, row.mustReach),
      bound(row, row.aimAt),
      former.get(row.figure)?.toFixed(2) ?? '',
    ]);
    const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    const notes = this.#rows.flatMap(({ figure, note }) => (note === undefined ? [] : [`${figure}: ${note}`]));
    return [...settings, '', ...lines, '', ...notes].join('\n');
  }
}

function bound(row: Row, value: number): string {
  return row.atMost === true ? `≤ ${value}` : `≥ ${value.toFixed(2)}`;
}

function amount(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

async function formerRatios(path: string): Promise<ReadonlyMap<string, number>> {
  const text = await readFile(path, 'utf8').catch(ignoreMissing);
  if (text === undefined) return new Map();
  const { rows } = JSON.parse(text) as { rows: { figure: string; ratio: number }[] };
  return new Map(rows.map(({ figure, ratio }) => [figure, ratio]));
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}
