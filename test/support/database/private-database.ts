// A private database server for tests, of the engine that they run on: its own temporary directory and port, small files, and as durable as in production,
// so that what tests see of commits is what users get. It ends with the process that started it, however that ends.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { waitUntil } from '../wait-until.js';
import { testEngine } from './engines.js';

export interface PrivateDatabaseOptions {
  /** More options of the server, which MariaDB and MySQL both know; they win over the ones here. */
  readonly arguments?: readonly string[];
  /** Where its directory is made; the system's directory for temporary files unless told. */
  readonly parent?: string;
}

export class PrivateDatabase {
  readonly #engine = testEngine();
  readonly #arguments: readonly string[];
  readonly #parent: string;
  readonly #password = randomBytes(12).toString('hex');
  #directory = '';
  #port = 0;
  #server: ChildProcess | undefined;
  #keeper: ChildProcess | undefined;

  constructor(options: PrivateDatabaseOptions = {}) {
    this.#arguments = options.arguments ?? [];
    this.#parent = options.parent ?? tmpdir();
  }

  /** URL of a user with every right, naming no database: append one to its path. */
  get adminUrl(): string {
    return `mysql://admin:${this.#password}@127.0.0.1:${this.#port}/`;
  }

  /** TCP port of loopback; stays the same. */
  get port(): number {
    return this.#port;
  }

  /** Process id of the server, for tests that stop or kill it. */
  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** Whether the process that was started last still runs. */
  get running(): boolean {
    return this.#server !== undefined && this.#server.exitCode === null && this.#server.signalCode === null;
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(this.#parent, 'madeleine-test-'));
    await mkdir(join(this.#directory, 'tmp'));
    await this.#install();
    await this.#runOnFreePort();
  }

  /** Starts the server on its directory; also after `kill()`, with the same port and the data found there. */
  async run(): Promise<void> {
    const place = { directory: this.#directory, port: this.#port };
    const { program, options } = this.#engine.server(place);
    // A group of its own: Ctrl-C reaches the tests first, which may still need the database to end well.
    const server = spawn(program, [...options, ...this.#arguments], {
      stdio: 'ignore',
      detached: true,
      env: withSystemPath(),
    });
    await once(server, 'spawn');
    this.#server = server;
    this.#keep(server.pid ?? 0);
    await this.#waitForLogin();
  }

  /** Kills the server with SIGKILL; its directory stays for `run()`. */
  async kill(): Promise<void> {
    this.#keeper?.kill('SIGKILL');
    const server = this.#server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  }

  /** Ends the server in order; its directory stays for `run()`. */
  async shutDown(): Promise<void> {
    const server = this.#server;
    if (!server || !this.running) return;
    server.kill('SIGTERM');
    await once(server, 'exit');
    this.#keeper?.kill('SIGKILL');
  }

  /** Nothing in a test's database outlives the run, so the server is killed rather than shut down. */
  async stop(): Promise<void> {
    await this.kill();
    if (this.#directory) await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Takes another port where somebody took the one that was free a moment ago. */
  async #runOnFreePort(tries = 3): Promise<void> {
    this.#port = await freePort();
    try {
      await this.run();
    } catch (error) {
      if (tries === 1 || !String(error).includes('Address already in use')) throw error;
      await this.#runOnFreePort(tries - 1);
    }
  }

  async #install(): Promise<void> {
    const { program, options } = this.#engine.installer(this.#directory);
    await promisify(execFile)(program, [...options], { env: withSystemPath() });
    const account = `CREATE USER IF NOT EXISTS admin@'127.0.0.1' IDENTIFIED BY '${this.#password}';`;
    const grant = `GRANT ALL ON *.* TO admin@'127.0.0.1' WITH GRANT OPTION;`;
    await writeFile(join(this.#directory, 'init.sql'), `${account}\n${grant}\n`, { mode: 0o600 });
  }

  /** A process that waits for our end on its standard input and then removes what we leave, also after SIGKILL. */
  #keep(pid: number): void {
    this.#keeper?.kill('SIGKILL');
    const script = 'read -r line; kill -9 "$0"; sleep 0.2; rm -rf "$1"';
    const keeper = spawn('sh', ['-c', script, String(pid), this.#directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    keeper.unref();
    // A pipe is a socket to Node, which the types do not tell.
    (keeper.stdin as unknown as { unref(): void }).unref();
    keeper.stdin.on('error', () => {});
    this.#keeper = keeper;
  }

  async #waitForLogin(): Promise<void> {
    await waitUntil(
      async () => {
        if (this.#server?.exitCode !== null) throw new Error(`the server ended:\n${await this.readLog()}`);
        return connects(this.adminUrl);
      },
      { timeoutMs: 30_000, what: `the private ${this.#engine.name} server answers` },
    );
  }

  /** The server's error log. */
  async readLog(): Promise<string> {
    return readFile(join(this.#directory, 'log.err'), 'utf8').catch(() => '(no log)');
  }
}

async function connects(url: string): Promise<boolean> {
  try {
    const connection = await createConnection(url);
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Debian keeps mariadbd in /usr/sbin, which is not on everyone's PATH. */
function withSystemPath(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/libexec:/usr/local/sbin` };
}
