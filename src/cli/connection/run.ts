// How every command that talks to a server runs: connect, do, close; Ctrl-C and a closed pipe end it without noise.

import type { Readable, Writable } from 'node:stream';
import { Command } from 'commander';
import { OPTIONS } from '../../config.js';
import type { CliDeps } from '../deps.js';
import { Output } from '../text/output.js';
import { isAborted, MadeleineClient } from './client.js';
import { UsageError } from './failures.js';

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

/** Connects, runs the command, closes. */
export async function runClient(deps: CliDeps, options: ClientOptions, work: (session: Session) => Promise<void>) {
  const output = new Output({ stdout: deps.stdout, stderr: deps.stderr, json: options.json === true });
  const interruption = new Interruption(deps);
  const { signal } = interruption;
  const client = new MadeleineClient({ address: serverAddress(deps, options), signal });
  try {
    await client.connect();
    await work({ client, output, signal, stdin: deps.stdin ?? process.stdin, stderr: deps.stderr });
  } catch (error) {
    if (!isAborted(error, signal)) throw error;
  } finally {
    client.close();
    interruption.stop();
  }
}

function serverAddress(deps: CliDeps, options: ClientOptions): string {
  const address = options.server || deps.environment.MADELEINE_SERVER || OPTIONS.listen.default;
  if (!/^[^\s/]+:\d{1,5}$/.test(address))
    throw new UsageError(`--server (MADELEINE_SERVER) has to be host:port, not "${address}"`);
  return address;
}

/** Turns Ctrl-C, SIGTERM and a closed stdout into one signal; a second Ctrl-C ends the process at once. */
class Interruption {
  readonly #controller = new AbortController();
  readonly #stdout: Writable;
  readonly #abort = () => this.#controller.abort();
  readonly #onStdoutError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    this.#abort();
  };
  readonly signal: AbortSignal;

  constructor(deps: CliDeps) {
    this.#stdout = deps.stdout;
    this.signal =
      deps.interrupt === undefined
        ? this.#controller.signal
        : AbortSignal.any([this.#controller.signal, deps.interrupt]);
    process.once('SIGINT', this.#abort).once('SIGTERM', this.#abort);
    this.#stdout.on('error', this.#onStdoutError);
  }

  stop(): void {
    process.off('SIGINT', this.#abort).off('SIGTERM', this.#abort);
    // The listener for errors stays: what was written last may still meet a closed pipe.
  }
}
