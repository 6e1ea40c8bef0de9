// How every command that talks to a server runs: connect, do, close; Ctrl-C and a closed pipe end it without noise.

import type { Readable, Writable } from 'node:stream';
import { Command } from 'commander';
import { OPTIONS } from '../../config.js';
import { systemClock, type Timer } from '../../lib/clock.js';
import { orAbort } from '../../lib/or-abort.js';
import type { Millis } from '../../units.js';
import type { CliDeps } from '../deps.js';
import { Output } from '../text/output.js';
import { isAborted, MadeleineClient } from './client.js';
import { CommandFailed, ExitCode, UsageError, unwritable } from './failures.js';
import { ReaderWatch } from './reader-watch.js';

export interface ClientOptions {
  readonly server?: string;
  readonly json?: true;
}

/** What a command works with. */
export interface Session {
  readonly client: MadeleineClient;
  readonly output: Output;
  /** Aborts by Ctrl-C, SIGTERM, or when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  readonly stdin: Readable;
  readonly stderr: Writable;
}

/** A command that talks to a server: adds --server and --json. */
export function clientCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option('--server <address>', `server to talk to (env MADELEINE_SERVER, default ${OPTIONS.listen.default})`)
    .option('--json', 'print one JSON object a line');
}

export interface RunOptions {
  /** Ctrl-C is how the command is meant to end: it has done its work then. */
  readonly endless?: boolean;
  /** How long everything together may take, whatever the server does; without it as long as it takes. */
  readonly timeoutMs?: Millis | undefined;
  /** Whether the work keeps the time by itself, and says more than that it is over. */
  readonly keepsTime?: boolean;
  /** What is said after Ctrl-C and SIGTERM, asked for when they come. */
  readonly interrupted?: () => string;
  /**
   * What becomes of it where nobody reads what it prints: it ends when it prints the next time, which is after its work for most;
   * at once, where printing is all that it does; or not at all, where what it does counts.
   */
  readonly unread?: 'end' | 'end at once' | 'go on';
}

/** How much later the time is over for work that keeps it by itself. */
const GRACE_MS = 50;
/** How long work may go on after Ctrl-C, to say where it stands. */
const FAREWELL_MS = 500;
/** How long a stream may go on after Ctrl-C, to acknowledge everything that it printed. */
const FAREWELL_OF_STREAM_MS = 5_000;

/**
 * Connects, runs the command, closes. Throws CommandFailed with an exit code of its own where the command was interrupted, or its
 * time was over, before it was done.
 */
export async function runClient(
  deps: CliDeps,
  options: ClientOptions,
  work: (session: Session) => Promise<void>,
  { endless = false, timeoutMs, keepsTime = false, interrupted = () => 'interrupted', unread = 'end' }: RunOptions = {},
): Promise<void> {
  const address = serverAddress(deps, options);
  const output = new Output({ stdout: deps.stdout, stderr: deps.stderr, json: options.json === true });
  const interruption = new Interruption(deps, { timeoutMs, keepsTime, interrupted, unread });
  const { signal } = interruption;
  const client = new MadeleineClient({ address, signal, notice: (text) => output.notice(text) });
  let connected = false;
  const working = async () => {
    await client.connect();
    connected = true;
    await work({ client, output, signal, stdin: deps.stdin ?? process.stdin, stderr: deps.stderr });
  };
  try {
    await ended(working(), signal, endless ? FAREWELL_OF_STREAM_MS : FAREWELL_MS);
  } catch (error) {
    if (!isAborted(error, signal)) throw error;
    const failure = interruption.failure();
    const isItsEnd = endless && connected && failure !== undefined && BY_SIGNAL.includes(failure.exitCode);
    if (failure !== undefined && !isItsEnd) throw failure;
  } finally {
    client.close();
    interruption.stop();
  }
}

const BY_SIGNAL: readonly ExitCode[] = [ExitCode.INTERRUPTED, ExitCode.TERMINATED];

/** How the work ends; where it goes on for long after an abort, the signal's reason. */
async function ended(work: Promise<void>, signal: AbortSignal, farewellMs: Millis): Promise<void> {
  try {
    await orAbort(work, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    await orAbort(work, AbortSignal.timeout(farewellMs)).catch((last: unknown) => {
      throw (last as Error).name === 'TimeoutError' ? signal.reason : last;
    });
  }
}

function serverAddress(deps: CliDeps, options: ClientOptions): string {
  const address = options.server || deps.environment.MADELEINE_SERVER || OPTIONS.listen.default;
  if (!/^[^\s/]+:\d{1,5}$/.test(address) || Number(address.replace(/^.*:/, '')) > 65_535)
    throw new UsageError(`--server (MADELEINE_SERVER) has to be host:port, not "${address}"`);
  return address;
}

type InterruptionOptions = Pick<Required<RunOptions>, 'timeoutMs' | 'keepsTime' | 'interrupted' | 'unread'>;

/** Turns Ctrl-C, SIGTERM, a closed stdout and a time that is over into one signal; a second Ctrl-C ends the process at once. */
class Interruption {
  readonly #controller = new AbortController();
  readonly #stdout: Writable;
  readonly #timer: Timer | undefined;
  readonly #watch: ReaderWatch | undefined;
  readonly #options: InterruptionOptions;
  #failure: CommandFailed | undefined;
  readonly #onSigint = () => this.#interrupt(ExitCode.INTERRUPTED);
  readonly #onSigterm = () => this.#interrupt(ExitCode.TERMINATED);
  readonly #onStdoutError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') this.#abort(new CommandFailed(unwritable(error)));
    else if (this.#options.unread !== 'go on') this.#abort(undefined);
  };
  readonly signal = this.#controller.signal;

  constructor(deps: CliDeps, options: InterruptionOptions) {
    const { timeoutMs, keepsTime } = options;
    this.#stdout = deps.stdout;
    this.#options = options;
    const graceMs = keepsTime ? GRACE_MS : 0;
    if (timeoutMs !== undefined) this.#timer = systemClock.after(timeoutMs + graceMs, () => this.#onTimeout());
    if (deps.interrupt?.aborted === true) this.#onSigint();
    deps.interrupt?.addEventListener('abort', this.#onSigint, { once: true });
    process.once('SIGINT', this.#onSigint).once('SIGTERM', this.#onSigterm);
    this.#stdout.on('error', this.#onStdoutError);
    if (options.unread === 'end at once') this.#watch = new ReaderWatch(this.#stdout, () => this.#abort(undefined));
  }

  /** What the command failed with; undefined where nobody reads what it prints, which is no failure. */
  failure(): CommandFailed | undefined {
    return this.#failure;
  }

  stop(): void {
    this.#timer?.stop();
    this.#watch?.stop();
    process.off('SIGINT', this.#onSigint).off('SIGTERM', this.#onSigterm);
    // The listener for errors stays: what was written last may still meet a closed pipe.
  }

  #interrupt(exitCode: ExitCode): void {
    this.#abort(new CommandFailed(this.#options.interrupted(), { exitCode }));
  }

  #onTimeout(): void {
    const seconds = (this.#options.timeoutMs ?? 0) / 1000;
    this.#abort(new CommandFailed(`the server did not answer within ${seconds} s`, { exitCode: ExitCode.NOT_IN_TIME }));
  }

  #abort(failure: CommandFailed | undefined): void {
    if (this.signal.aborted) return;
    this.#failure = failure;
    this.#controller.abort();
  }
}
