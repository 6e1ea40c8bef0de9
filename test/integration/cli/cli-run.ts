// Runs the command line inside of the test, against a real server: what it prints, and its exit code.

import { type PassThrough, Readable, Writable } from 'node:stream';
import { type CliDeps, runCli } from '../../../src/cli/commands/program.js';

/** Keeps what is written to it. */
class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly server: string;
  /** Lines on stdin, or a stream of the caller's. */
  readonly stdin?: string | PassThrough;
}

const notHere = async () => {
  throw new Error('not wired in this test');
};

/** A command that runs beside the test until it ends by itself or is interrupted. */
export class RunningCli {
  readonly #interrupt = new AbortController();
  readonly #stdout = new Sink();
  readonly #stderr = new Sink();
  readonly #code: Promise<number>;

  constructor(argv: readonly string[], options: RunOptions, deps: Partial<CliDeps> = {}) {
    const { stdin = '' } = options;
    this.#code = runCli(argv, {
      serve: notHere,
      migrate: notHere,
      doctor: notHere,
      environment: { MADELEINE_SERVER: options.server },
      stdout: this.#stdout,
      stderr: this.#stderr,
      stdin: typeof stdin === 'string' ? Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]) : stdin,
      interrupt: this.#interrupt.signal,
      ...deps,
    });
  }

  get lines(): readonly string[] {
    return this.#stdout.text.split('\n').slice(0, -1);
  }

  get notices(): string {
    return this.#stderr.text;
  }

  /** As Ctrl-C. */
  interrupt(): void {
    this.#interrupt.abort();
  }

  async ended(): Promise<CliResult> {
    const code = await this.#code;
    return { code, stdout: this.#stdout.text, stderr: this.#stderr.text };
  }
}

/** Runs a command to its end. */
export function runToEnd(argv: readonly string[], options: RunOptions): Promise<CliResult> {
  return new RunningCli(argv, options).ended();
}

/** The objects of NDJSON. */
export function ndjson(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
