// One running mariadbd: a child of ours, or one that outlived the server that started it and is found by its command line.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { Millis } from '../../units.js';
import { mariadbEnvironment } from './embedded-directory.js';
import { endKeepers, keep } from './embedded-keeper.js';
import { readCommandLine, sendSignal } from './system-process.js';

/** How often a process that is not our child is looked at: its end is not reported to us. */
const LOOK_MS = 200;

export interface SpawnOptions {
  readonly options: readonly string[];
  /** Where it runs. */
  readonly directory: string;
  /** Where its standard error goes: what it says before it opens its log, or instead. */
  readonly log: string;
  readonly port: number;
}

export class MariadbProcess {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the process has ended; never rejects. */
  readonly ended: Promise<void>;
  #alive = true;
  #end = 'it ended';

  private constructor(pid: number, port: number, ended: Promise<readonly [number | null, string | null] | undefined>) {
    this.pid = pid;
    this.port = port;
    this.ended = ended.then(
      (how) => this.#onEnd(how),
      () => this.#onEnd(undefined),
    );
  }

  #onEnd(how: readonly [number | null, string | null] | undefined): void {
    this.#alive = false;
    if (how === undefined) return;
    const [code, signal] = how;
    this.#end = signal === null ? `it ended with exit code ${code}` : `it was killed by ${signal}`;
  }

  /**
   * Starts a child in a session of its own, so that Ctrl-C at the terminal does not reach it before the server has drained.
   * Rejects when the program cannot be run.
   */
  static async spawn(program: string, { options, directory, log, port }: SpawnOptions): Promise<MariadbProcess> {
    const errors = await open(log, 'a', 0o600);
    try {
      const child: ChildProcess = spawn(program, [...options, `--port=${port}`], {
        detached: true,
        cwd: directory,
        stdio: ['ignore', 'ignore', errors.fd],
        env: mariadbEnvironment(),
      });
      const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
      // A program that cannot be run is told below.
      ended.catch(() => {});
      const keeper = child.pid === undefined ? undefined : keep(child.pid, directory);
      child.once('exit', () => keeper?.kill('SIGKILL'));
      await once(child, 'spawn');
      return new MariadbProcess(child.pid ?? 0, port, ended);
    } finally {
      await errors.close();
    }
  }

  /** The living mariadbd of a data directory (a path without links), or undefined. */
  static async find(dataDirectory: string): Promise<MariadbProcess | undefined> {
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const options = await readCommandLine(Number(name));
      if (!options.includes(`--datadir=${dataDirectory}`)) continue;
      const port = options.find((option) => option.startsWith('--port='));
      if (port) return MariadbProcess.#found(Number(name), Number(port.slice('--port='.length)), dataDirectory);
    }
    return undefined;
  }

  /** Takes a database over from a server that is gone: it is ours to end now. */
  async adopt(dataDirectory: string): Promise<void> {
    await endKeepers(this.pid);
    const keeper = keep(this.pid, dataDirectory);
    void this.ended.then(() => keeper.kill('SIGKILL'));
  }

  static #found(pid: number, port: number, dataDirectory: string): MariadbProcess {
    const gone = async (): Promise<undefined> => {
      // The command line tells a process that got the same id later, and is empty once only its parent's wait is missing.
      while ((await readCommandLine(pid)).includes(`--datadir=${dataDirectory}`)) {
        // Whoever only looked at the process has not to live as long as it does.
        await sleep(LOOK_MS, undefined, { ref: false });
      }
    };
    return new MariadbProcess(pid, port, gone());
  }

  /** How it ended, as a sentence without its end. */
  get end(): string {
    return this.#end;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Sends a signal; one that has just ended is no error. */
  signal(signal: NodeJS.Signals): void {
    if (this.#alive) sendSignal(this.pid, signal);
  }

  /** Whether the server greets on its port: it does so only once recovery and its init file are done. */
  async answers(): Promise<boolean> {
    const socket = connect(this.port, '127.0.0.1');
    try {
      const [greeting] = (await once(socket, 'data', { signal: AbortSignal.timeout(2_000) })) as [Buffer];
      return greeting.length > 4;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  /** Sends SIGTERM, and SIGKILL when it lasts longer than `timeoutMs`: a durable database recovers from that. */
  async stop(timeoutMs: Millis): Promise<void> {
    this.signal('SIGTERM');
    await within(systemClock, timeoutMs, this.ended, () => this.signal('SIGKILL'));
    await this.ended;
  }
}
