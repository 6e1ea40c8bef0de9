// Child processes for tests: started from TypeScript, watched by what they print, and gone when the test is.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitUntil } from '../wait-until.js';

export interface TestProcessOptions {
  /** A TypeScript or JavaScript file of the repository, from its root. */
  readonly file: string;
  readonly arguments?: readonly string[];
  /** Added to this process's environment; undefined takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

export class TestProcess {
  readonly #child: ChildProcess;
  #output = '';

  constructor(options: TestProcessOptions) {
    const { file, arguments: rest = [], environment, cwd } = options;
    const path = new URL(`../../../${file}`, import.meta.url).pathname;
    this.#child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), path, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
      ...(cwd && { cwd }),
    });
    const collect = (chunk: Buffer) => {
      this.#output += chunk;
    };
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Everything printed so far, standard output and error together. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits for what the process prints; the match is returned. Fails at once when the process ends without it. */
  async printed(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    return waitUntil(
      () => {
        const match = pattern.exec(this.#output);
        if (!match && !this.running) throw new Error(`ended without printing ${pattern}:\n${this.#output}`);
        return match;
      },
      { timeoutMs, what: `the process prints ${pattern}; it printed:\n${this.#output}` },
    );
  }

  /** Waits for the end of the process; its exit code, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals> {
    if (this.running) await once(this.#child, 'close');
    return this.#child.exitCode ?? this.#child.signalCode ?? 0;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    if (this.running) this.#child.kill(signal);
    return this.ended();
  }
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
