// The command line of the soak.

import { parseArgs } from 'node:util';

export const HELP = `Usage: make soak [ARGS="OPTIONS"]

Lets two instances of one database work for a long time while consumers, waits, names, callbacks and readers come and go and one of
the instances is restarted, and looks at rest what is left behind: memory without garbage, sockets, timers, files, rows of
side tables. Prints a line each look, then a table, and fails when something grew.

  --minutes N     how long (30)
  --restart N     seconds between two restarts of the second instance (60)
  --subscribers N instead: N subscribers that get everything, beside one that reads nothing and one that acknowledges nothing; fails
                  when the others get less, a delivery costs more, or memory grows
  --help          this text
`;

export interface SoakOptions {
  readonly minutes: number;
  readonly restartSeconds: number;
  /** 0: everything comes and goes instead. */
  readonly subscribers: number;
}

/** A command line that cannot be used: one sentence. */
export class UsageError extends Error {}

/** Undefined when help is asked for. Throws UsageError. */
export function readOptions(args: readonly string[]): SoakOptions | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const { minutes = '30', restart = '60', subscribers } = values;
  return {
    minutes: number('--minutes', minutes),
    restartSeconds: number('--restart', restart),
    subscribers: subscribers === undefined ? 0 : number('--subscribers', subscribers),
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: { minutes: text, restart: text, subscribers: text, help: { type: 'boolean' } },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 100_000)) throw new UsageError(`${name} has to be a number above 0`);
  return value;
}
