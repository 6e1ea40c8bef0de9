// The processes of a benchmark, all run from the build: servers as in production, the no-op server, the delaying proxy, and
// clients of their own. All end with the process that started them.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Of the repository; `make` runs everything there. */
const ROOT = process.cwd();
/** Of all servers of a run. */
const SECRET_KEY = randomBytes(32).toString('hex');

export class BenchProcess {
  readonly #child: ChildProcess;
  /** host:port where it listens; empty for clients. */
  readonly address: string;
  /** host:port of a server's metrics, or of a receiver. */
  readonly httpAddress: string;

  private constructor(child: ChildProcess, addresses: { grpc?: string; http?: string }) {
    this.#child = child;
    this.address = addresses.grpc ?? '';
    this.httpAddress = addresses.http ?? '';
  }

  /** Starts a module of the build and waits until it says where it listens. */
  static async start(module: string, options: StartOptions = {}): Promise<BenchProcess> {
    const { nodeFlags = [], args = [], environment = {} } = options;
    const child = spawn(process.execPath, [...nodeFlags, module, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    return new BenchProcess(child, await listening(child));
  }

  /** Sends a message and waits for the answer; one at a time. */
  async ask<T>(message: unknown): Promise<T> {
    const child = this.#child;
    const ended = new AbortController();
    const exit = once(child, 'exit', ended).then(([code]) => Promise.reject(new Error(`ended with ${code}`)));
    const answer = once(child, 'message', ended).then(([reply]) => reply as T);
    child.send(message as object);
    try {
      return await Promise.race([answer, exit]);
    } finally {
      // Whichever did not come is not waited for any more.
      exit.catch(() => {});
      answer.catch(() => {});
      ended.abort();
    }
  }

  /** A metric without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${this.httpAddress}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  }

  /** Seconds of CPU that it spends while the work goes on. */
  async cpuDuring(work: () => Promise<unknown>): Promise<number> {
    const before = await this.metric('process_cpu_seconds_total');
    await work();
    return (await this.metric('process_cpu_seconds_total')) - before;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}

interface StartOptions {
  readonly nodeFlags?: readonly string[];
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

function listening(child: ChildProcess): Promise<{ grpc?: string; http?: string }> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const line = output.split('\n').find((text) => text.includes('"listening"'));
      if (line !== undefined) resolve(JSON.parse(line));
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it listened: ${output}`)));
  });
}

/** The flags of Node with which bin/madeleine runs the server: the limits are measured with the same ones. */
export function serverFlags(): readonly string[] {
  const flags = /^flags='(.*)'$/m.exec(readFileSync(join(ROOT, 'bin/madeleine'), 'utf8'))?.[1];
  if (flags === undefined) throw new Error('bin/madeleine does not say its flags any more');
  return flags.split(' ');
}

/** A server of the build, which tells its memory when asked. */
export function startServer(databaseUrl: string): Promise<BenchProcess> {
  const probe = pathToFileURL(pathOf('server-probe.js')).href;
  return BenchProcess.start(join(ROOT, 'dist/src/main.js'), {
    nodeFlags: [...serverFlags(), '--import', probe],
    args: ['serve'],
    environment: {
      MADELEINE_DATABASE_URL: databaseUrl,
      MADELEINE_LISTEN: '127.0.0.1:0',
      MADELEINE_HTTP_LISTEN: '127.0.0.1:0',
      MADELEINE_LOG_LEVEL: 'info',
      MADELEINE_CALLBACK_ALLOW: '127.0.0.1',
      MADELEINE_SECRET_KEY: SECRET_KEY,
    },
  });
}

/** Bytes in use that are no garbage. */
export function settledMemory(server: BenchProcess): Promise<NodeJS.MemoryUsage> {
  return server.ask('memory');
}

export function startNoop(): Promise<BenchProcess> {
  return BenchProcess.start(pathOf('noop-server.js'), { nodeFlags: serverFlags() });
}

/** A proxy to host:port that holds what comes back from there for so many milliseconds. */
export function startDelayProxy(target: string, delayMs: number): Promise<BenchProcess> {
  return BenchProcess.start(pathOf('delay-proxy.js'), { args: [target, String(delayMs)] });
}

/** A receiver of callbacks; see callback-receiver.ts for what it may be asked. */
export function startReceiver(): Promise<BenchProcess> {
  return BenchProcess.start(pathOf('callback-receiver.js'));
}

/** A client in a process of its own; see client-process.ts for what it may be asked. */
export function startClient(): Promise<BenchProcess> {
  return BenchProcess.start(pathOf('client-process.js'));
}

/** A caller that does harm; see abuser.ts for what it may be asked. */
export function startAbuser(): Promise<BenchProcess> {
  return BenchProcess.start(pathOf('abuser.js'));
}

function pathOf(module: string): string {
  return fileURLToPath(new URL(module, import.meta.url));
}
