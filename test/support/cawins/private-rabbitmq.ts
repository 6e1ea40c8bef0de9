// A private RabbitMQ node for tests: its own directory, ports and name server of nodes (epmd), ended with the test.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { freePort } from '../database/private-database.js';
import { waitUntil } from '../wait-until.js';

/** Debian's package keeps the programs that any user may run here; those in /usr/sbin insist on root or a user of their own. */
const BIN = '/usr/lib/rabbitmq/bin';

export class PrivateRabbitmq {
  #directory = '';
  #port = 0;
  #environment: NodeJS.ProcessEnv = {};
  #epmd: ChildProcess | undefined;
  #node: ChildProcess | undefined;
  #keeper: ChildProcess | undefined;

  get url(): string {
    return `amqp://guest:guest@127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'madeleine-rabbit-'));
    this.#port = await freePort();
    const file = (name: string) => join(this.#directory, name);
    await writeFile(file('rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${this.#port}\nlog.console = false\n`);
    await writeFile(file('plugins'), '[].\n');
    this.#environment = {
      ...process.env,
      HOME: this.#directory,
      RABBITMQ_NODENAME: `madeleine-${this.#port}@localhost`,
      RABBITMQ_MNESIA_BASE: file('mnesia'),
      RABBITMQ_LOG_BASE: file('log'),
      RABBITMQ_CONFIG_FILE: file('rabbitmq'),
      RABBITMQ_PID_FILE: file('pid'),
      RABBITMQ_ENABLED_PLUGINS_FILE: file('plugins'),
      RABBITMQ_DIST_PORT: String(await freePort()),
      ERL_EPMD_PORT: String(await freePort()),
      ERL_EPMD_ADDRESS: '127.0.0.1',
    };
    // Started by the node itself it would outlive it.
    this.#epmd = this.#spawn('epmd', []);
    await this.run();
  }

  /** Starts the node on its directory; also after `kill()`, with the same port. */
  async run(): Promise<void> {
    const node = this.#spawn(join(BIN, 'rabbitmq-server'), []);
    this.#node = node;
    this.#keep();
    await waitUntil(
      async () => {
        if (node.exitCode !== null) throw new Error(`rabbitmq-server ended:\n${await this.readLog()}`);
        return connects(this.url);
      },
      { what: 'the private RabbitMQ node answers', timeoutMs: 60_000, intervalMs: 100 },
    );
  }

  /** Kills the node with SIGKILL; its directory stays for `run()`. */
  async kill(): Promise<void> {
    await end(this.#node);
    this.#node = undefined;
  }

  /** What an operator does on the command line. */
  async control(...command: string[]): Promise<void> {
    await promisify(execFile)(join(BIN, 'rabbitmqctl'), command, { env: this.#environment });
  }

  async stop(): Promise<void> {
    await this.kill();
    await end(this.#epmd);
    this.#keeper?.kill('SIGKILL');
    if (this.#directory) await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async readLog(): Promise<string> {
    const node = this.#environment['RABBITMQ_NODENAME'] ?? '';
    return readFile(join(this.#directory, 'log', `${node}.log`), 'utf8').catch(() => '(no log)');
  }

  /** A process that waits for our end on its standard input and then removes what we leave, also after SIGKILL. */
  #keep(): void {
    this.#keeper?.kill('SIGKILL');
    const script = 'read -r line; kill -9 -- "-$0" "-$1"; sleep 0.2; rm -rf "$2"';
    const groups = [this.#node, this.#epmd].map((child) => String(child?.pid));
    const keeper = spawn('sh', ['-c', script, ...groups, this.#directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    keeper.unref();
    // A pipe is a socket to Node, which the types do not tell.
    (keeper.stdin as unknown as { unref(): void }).unref();
    keeper.stdin.on('error', () => {});
    this.#keeper = keeper;
  }

  /** In a group of its own, as the server's script starts further processes. */
  #spawn(program: string, options: readonly string[]): ChildProcess {
    return spawn(program, options, { env: this.#environment, stdio: 'ignore', detached: true });
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, 'SIGKILL');
  await once(child, 'exit');
}

async function connects(url: string): Promise<boolean> {
  try {
    const connection = await connect(url);
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
