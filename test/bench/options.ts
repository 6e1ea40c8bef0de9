// The command line of the benchmark.

import { parseArgs } from 'node:util';

export const HELP = `Usage: make bench [ARGS="OPTIONS"]

Measures pushes and consumers as ratios to what this machine can do. Prints a table, and keeps the figures in .bench/; the column
"before" is the newest former figure of this machine.

  --only TEXT     only the rows whose name contains TEXT
  --rounds N      how often each figure is measured; the medians count (3)
  --growth [N]    also what growth costs: with N events stored against a tenth of them (10,000,000; takes many minutes)
  --retention [N] also changes of a topic, and deletions of half of N events while pushes run (10,000,000; takes many minutes)
  --rare [N]      also a consumer of one event in N (10,000,000; takes many minutes)
  --waits [N]     also with N waits open in a topic, and N cawins fired by one event (1,000,000; takes some minutes)
  --abuse         only what a caller that does harm, at 127.0.0.2, costs the others: their p99 with it and without it
  --publish       also write the table into docs/performance.md
  --strict        exit code 1 when a figure misses what it must reach
  --help          this text
`;

const USUAL: Readonly<Record<string, number>> = {
  ...{ '--growth': 10_000_000, '--retention': 10_000_000, '--rare': 10_000_000 },
  '--waits': 1_000_000,
};

export interface BenchOptions {
  readonly only: string;
  readonly rounds: number;
  /** Events to grow to, if growth is measured. */
  readonly growth: number | undefined;
  /** Events to store of which half are deleted, if that is measured. */
  readonly retention: number | undefined;
  /** Events of which a consumer wants one, if that is measured. */
  readonly rare: number | undefined;
  /** Open waits and cawins, if that many are measured. */
  readonly waits: number | undefined;
  /** Whether callers that do harm are measured, and nothing else. */
  readonly abuse: boolean;
  readonly publish: boolean;
  readonly strict: boolean;
}

/** A command line that cannot be used: one sentence. */
export class UsageError extends Error {}

/** Undefined when help is asked for. Throws UsageError. */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  // Options whose value may be left out, which parseArgs does not know.
  const whole = args.map((arg, index) => {
    const usual = USUAL[arg];
    return usual !== undefined && !/^\d/.test(args[index + 1] ?? '') ? `${arg}=${usual}` : arg;
  });
  const { values } = parse(whole);
  if (values.help === true) return undefined;
  const { only = '', abuse = false, publish = false, strict = false } = values;
  const growth = values.growth === undefined ? undefined : number('--growth', values.growth, 10_000);
  const retention = values.retention === undefined ? undefined : number('--retention', values.retention, 10_000);
  const rare = values.rare === undefined ? undefined : number('--rare', values.rare, 10_000);
  const waits = values.waits === undefined ? undefined : number('--waits', values.waits, 1_000);
  if (publish && (only !== '' || abuse)) {
    throw new UsageError('--publish writes the whole table: leave --only and --abuse out');
  }
  const rounds = number('--rounds', values.rounds ?? '3', 1);
  return { only, abuse, publish, strict, growth, retention, rare, waits, rounds };
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args,
      options: {
        ...{ only: text, rounds: text, growth: text, retention: text, rare: text, waits: text },
        ...{ abuse: flag, publish: flag, strict: flag, help: flag },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(name: string, text: string, least: number): number {
  const value = Number(text.replaceAll(/[,_]/g, ''));
  if (!Number.isSafeInteger(value) || value < least)
    throw new UsageError(`${name} has to be a whole number from ${least}`);
  return value;
}
