// A private MariaDB server for tests: its own temporary directory and port, small files, and as durable as in production,
// so that what tests see of commits is what users get. It ends with the process that started it, however that ends.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { waitUntil } from '../wait-until.js';

const SMALL_FILES = [
  '--innodb-log-file-size=16M',
  '--innodb-data-file-path=ibdata1:4M:autoextend',
  '--innodb-autoextend-increment=1',
  '--innodb-temp-data-file-path=ibtmp1:4M:autoextend',
  '--innodb-buffer-pool-size=64M',
  '--aria-log-file-size=8M',
  '--performance-schema=OFF',
];

const DURABLE = ['--innodb-flush-log-at-trx-commit=1', '--innodb-doublewrite=ON', '--skip-log-bin'];

export interface PrivateMariadbOptions {
  /** More options of mariadbd; they win over the ones here. */
  readonly arguments?: readonly string[];
  /** Where its directory is made; the system's directory for temporary files unless told. */
  readonly parent?: string;
}

export class PrivateMariadb {
  readonly #arguments: readonly string[];
  readonly #parent: string;
  readonly #password = randomBytes(12).toString('hex');
  #directory = '';
  #port = 0;
  #server: ChildProcess | undefined;
  #keeper: ChildProcess | undefined;

  constructor(options: PrivateMariadbOptions = {}) {
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

  /** Process id of mariadbd, for tests that stop or kill it. */
  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** Whether the process that was started last still runs. */
  get running(): boolean {
    return this.#server !== undefined && this.#server.exitCode === null && this.#server.signalCode === null;
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(this.#parent, 'madeleine-test-'));
    this.#port = await freePort();
    await mkdir(join(this.#directory, 'tmp'));
    await this.#install();
    await this.run();
  }

  /** Starts the server on its directory; also after `kill()`, with the same port and the data found there. */
  async run(): Promise<void> {
    const file = (name: string) => join(this.#directory, name);
    const server = spawn(
      'mariadbd',
      [
        ...[...asUser(), `--datadir=${file('data')}`, `--socket=${file('s.sock')}`, `--pid-file=${file('pid')}`],
        // A server that starts removes what it finds in its directory for temporary files: not the ones of another.
        ...[`--tmpdir=${file('tmp')}`, `--port=${this.#port}`, '--bind-address=127.0.0.1', '--skip-name-resolve'],
        ...[`--init-file=${file('init.sql')}`, `--log-error=${file('log.err')}`, '--max-allowed-packet=64M'],
        ...['--character-set-server=utf8mb4', '--max-connections=500'],
        ...[...SMALL_FILES, ...DURABLE, ...this.#arguments],
      ],
      // A group of its own: Ctrl-C reaches the tests first, which may still need the database to end well.
      { stdio: 'ignore', detached: true, env: withSystemPath() },
    );
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

  async #install(): Promise<void> {
    const data = join(this.#directory, 'data');
    const temporary = `--tmpdir=${join(this.#directory, 'tmp')}`;
    const options = [
      ...asUser(),
      `--datadir=${data}`,
      temporary,
      '--skip-test-db',
      '--auth-root-authentication-method=normal',
    ];
    await promisify(execFile)('mariadb-install-db', [...options, ...SMALL_FILES], { env: withSystemPath() });
    const account = `CREATE OR REPLACE USER admin@'127.0.0.1' IDENTIFIED BY '${this.#password}';`;
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
        if (this.#server?.exitCode !== null) throw new Error(`mariadbd ended:\n${await this.readLog()}`);
        return connects(this.adminUrl);
      },
      { timeoutMs: 30_000, what: 'the private MariaDB server answers' },
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

/** `--no-defaults` has to be the first option; mariadbd refuses to run as root unless it is told to. */
function asUser(): string[] {
  return ['--no-defaults', ...(process.getuid?.() === 0 ? [`--user=${userInfo().username}`] : [])];
}

/** Debian keeps mariadbd in /usr/sbin, which is not on everyone's PATH. */
function withSystemPath(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/libexec:/usr/local/sbin` };
}
