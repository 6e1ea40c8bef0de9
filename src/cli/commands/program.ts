// The command line `madeleine`: puts the commands together, and turns what they throw into a sentence and an exit code.

import type { Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { describeFailure, ExitCode, exitCodeOf, Unread, UsageError, unwritable } from '../connection/failures.js';
import type { CliDeps } from '../deps.js';
import { argumentProblem } from '../text/arguments.js';
import { infoCommand } from './admin/info.js';
import { searchCommand } from './admin/search.js';
import { statsCommand } from './admin/stats.js';
import { archiveCommand } from './archive/archive.js';
import { cawinsCommand } from './cawins/cawins.js';
import { ackCommand } from './consumers/ack.js';
import { consumersCommand } from './consumers/consumers.js';
import { extendCommand } from './consumers/extend.js';
import { parkedCommand } from './consumers/parked.js';
import { rejectCommand } from './consumers/reject.js';
import { subscribeCommand } from './consumers/subscribe.js';
import { eraseCommand } from './events/erase.js';
import { getCommand } from './events/get.js';
import { invalidateCommand } from './events/invalidate.js';
import { eventsCommand } from './events/list-events.js';
import { pushCommand } from './events/push.js';
import { readCommand } from './events/read.js';
import { streamsCommand } from './events/streams.js';
import { tailCommand } from './events/tail.js';
import { productVersion } from './product-version.js';
import { callCommand } from './rpc/call.js';
import { doctorCommand } from './server/doctor.js';
import { migrateCommand } from './server/migrate.js';
import { serveCommand } from './server/serve.js';
import { contextsCommand } from './topics/contexts.js';
import { retentionCommand } from './topics/retention.js';
import { schemasCommand } from './topics/schemas.js';
import { shapesCommand } from './topics/shapes.js';
import { topicsCommand } from './topics/topics.js';
import { awaitedCommand } from './waits/awaited.js';
import { expectCommand } from './waits/expect.js';
import { explainCommand } from './waits/explain.js';

export type { CliDeps, DoctorFinding, DoctorWish, MigrationReport } from '../deps.js';

const COMMANDS = [
  ...[serveCommand, migrateCommand, doctorCommand, infoCommand],
  ...[
    pushCommand,
    readCommand,
    getCommand,
    tailCommand,
    searchCommand,
    subscribeCommand,
    ackCommand,
    rejectCommand,
    extendCommand,
    eventsCommand,
    streamsCommand,
    topicsCommand,
    contextsCommand,
    schemasCommand,
    shapesCommand,
    retentionCommand,
    archiveCommand,
    consumersCommand,
    parkedCommand,
    expectCommand,
    awaitedCommand,
    explainCommand,
    invalidateCommand,
    eraseCommand,
    cawinsCommand,
    statsCommand,
    callCommand,
  ],
];

const HELP = `
Exit codes: 0 done, 1 refused or failed, 2 the command line or a setting cannot be used, 130 Ctrl-C and 143 SIGTERM before it
was done; expect has more of them (madeleine expect --help).

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
    .version(`madeleine ${productVersion()}`, '-V, --version', 'print the version')
    .addHelpText('after', HELP);
  for (const make of COMMANDS) program.addCommand(make(deps));
  forEachCommand(program, (command) => {
    command
      .exitOverride()
      .showHelpAfterError('(--help says more)')
      .addHelpText('before', ({ error }) => (error ? '' : refuseUnknown(command)))
      .configureOutput({
        writeOut: (text) => void deps.stdout.write(text),
        writeErr: (text) => void deps.stderr.write(text),
      });
  });
  return program;
}

/** Runs one command line (without node and script) and returns its exit code; never throws. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  // A reader that goes away ends help and lists as it ends everything else: without a word.
  deps.stderr.on('error', () => {});
  let unwritten: NodeJS.ErrnoException | undefined;
  deps.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unwritten ??= error;
  });
  const code = await exitCodeFor(argv, deps);
  await flushed(deps.stdout);
  if (unwritten === undefined || code !== ExitCode.OK) return code;
  deps.stderr.write(`madeleine: ${unwritable(unwritten)}\n`);
  return ExitCode.FAILED;
}

async function exitCodeFor(argv: readonly string[], deps: CliDeps): Promise<number> {
  try {
    assertReadable(argv);
    await buildProgram(deps).parseAsync(argv, { from: 'user' });
    return ExitCode.OK;
  } catch (error) {
    // Commander has printed its own errors, and the help that was asked for.
    const isTold = error instanceof CommanderError || error instanceof Unread;
    if (!isTold) deps.stderr.write(`madeleine: ${describeFailure(error)}\n`);
    return exitCodeOf(error);
  }
}

/** Help is asked for of a command that there is: returns nothing, or throws what commander throws without --help. */
function refuseUnknown(command: Command): string {
  const name = command.args.find((argument) => !argument.startsWith('-')) ?? 'help';
  const names = [...command.commands.map((child) => child.name()), 'help'];
  const isUnknown = command.commands.length > 0 && !names.includes(name);
  return isUnknown ? command.error(`error: unknown command '${name}'`, { code: 'commander.unknownCommand' }) : '';
}

/** Resolves when everything printed is written, or cannot be. */
async function flushed(stdout: Writable): Promise<void> {
  if (!stdout.destroyed) await new Promise<void>((resolve) => stdout.write('', () => resolve()));
}

function assertReadable(argv: readonly string[]): void {
  const problem = argumentProblem(argv);
  if (problem !== undefined) throw new UsageError(problem);
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}
