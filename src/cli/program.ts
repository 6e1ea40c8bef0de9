// The command line `madeleine`: puts the commands together, and turns what they throw into a sentence and an exit code.

import { Command, CommanderError } from 'commander';
import { ackCommand } from './ack.js';
import { awaitedCommand } from './awaited.js';
import { cawinsCommand } from './cawins.js';
import { consumersCommand } from './consumers.js';
import { doctorCommand } from './doctor.js';
import { expectCommand } from './expect.js';
import { explainCommand } from './explain.js';
import { describeFailure, ExitCode, exitCodeOf } from './failures.js';
import { invalidateCommand } from './invalidate.js';
import { migrateCommand } from './migrate.js';
import { pushCommand } from './push.js';
import { readCommand } from './read.js';
import type { CliDeps } from './run.js';
import { serveCommand } from './serve.js';
import { streamsCommand } from './streams.js';
import { subscribeCommand } from './subscribe.js';
import { tailCommand } from './tail.js';
import { topicsCommand } from './topics.js';

export type { DoctorFinding } from './doctor.js';
export type { MigrationReport } from './migrate.js';
export type { CliDeps } from './run.js';

const COMMANDS = [
  ...[serveCommand, migrateCommand, doctorCommand],
  ...[
    pushCommand,
    readCommand,
    tailCommand,
    subscribeCommand,
    ackCommand,
    streamsCommand,
    topicsCommand,
    consumersCommand,
    expectCommand,
    awaitedCommand,
    explainCommand,
    invalidateCommand,
    cawinsCommand,
  ],
];

const HELP = `
Exit codes: 0 done, 1 refused or failed, 2 the command line or a setting cannot be used;
expect has more of them (madeleine expect --help).

Examples:
  $ madeleine serve
  $ madeleine push --topic orders --stream order-7 --issuer shop '{"total": 12.5}'
  $ madeleine subscribe mailer --topic orders --ack
  $ madeleine expect payments '{"order": 7, "state": "paid"}'`;

/** The program; `parseAsync` rejects instead of ending the process. */
export function buildProgram(deps: CliDeps): Command {
  const program = new Command('madeleine')
    .description(
      'A business event server: push what happened, wait for what must happen, read it all as durable streams.',
    )
    .addHelpText('after', HELP);
  for (const make of COMMANDS) program.addCommand(make(deps));
  forEachCommand(program, (command) => {
    command
      .exitOverride()
      .showHelpAfterError('(--help says more)')
      .configureOutput({
        writeOut: (text) => void deps.stdout.write(text),
        writeErr: (text) => void deps.stderr.write(text),
      });
  });
  return program;
}

/** Runs one command line (without node and script) and returns its exit code; never throws. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  try {
    await buildProgram(deps).parseAsync(argv, { from: 'user' });
    return ExitCode.OK;
  } catch (error) {
    // Commander has printed its own errors, and the help that was asked for.
    if (!(error instanceof CommanderError)) deps.stderr.write(`madeleine: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
