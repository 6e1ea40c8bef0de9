// Servers for tests: in this process, for most of them, and as a process of their own where a test kills or freezes one.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { CompatServiceDefinition } from 'nice-grpc';
import { type Channel, type Client, createChannel, createClientFactory } from 'nice-grpc';
import { errorDetailsClientMiddleware } from 'nice-grpc-error-details';
import { pino } from 'pino';
import { ConsumerServiceDefinition } from '../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../generated/madeleine/v1/stream_service.js';
import { App } from '../../src/app.js';
import { type OptionName, readConfig } from '../../src/config.js';
import type { Clock } from '../../src/lib/clock.js';

/** Settings by name, as flags would give them. */
export type TestSettings = Partial<Record<OptionName, string>>;

export interface TestServer {
  /** host:port of gRPC. */
  readonly address: string;
  /** host:port of HTTP. */
  readonly httpAddress: string;
  stop(): Promise<void>;
}

const FREE_PORTS: TestSettings = { listen: '127.0.0.1:0', httpListen: '127.0.0.1:0' };

/** A server in this process, on free ports. */
export async function startServer(settings: TestSettings, options: { clock?: Clock } = {}): Promise<TestServer> {
  const config = readConfig({ ...FREE_PORTS, drainMs: '500', ...settings }, {});
  const logger = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' });
  const app = new App({ config, logger, ...options });
  const { grpc, http } = await app.start();
  return { address: grpc, httpAddress: http, stop: () => app.stop() };
}

/** A server in a process of its own. */
export class ServerProcess implements TestServer {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #address = '';
  #httpAddress = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it prints `listening`; rejects with its output when it ends before. */
  static async start(settings: TestSettings): Promise<ServerProcess> {
    const config = readConfig({ ...FREE_PORTS, ...settings }, {});
    const { OPTIONS } = await import('../../src/config.js');
    const environment = Object.fromEntries(
      Object.entries(OPTIONS).map(([name, { variable }]) => [variable, String(config[name as OptionName])]),
    );
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'serve'], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ServerProcess(child);
    await server.#listening();
    return server;
  }

  get address(): string {
    return this.#address;
  }

  get httpAddress(): string {
    return this.#httpAddress;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** What it printed so far. */
  get output(): string {
    return this.#lines.join('\n');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM; resolves with the exit code when the process is gone. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }

  #listening(): Promise<void> {
    return new Promise((resolve, reject) => {
      const read = (line: string) => {
        this.#lines.push(line);
        if (!line.includes('"msg":"listening"')) return;
        const { grpc, http } = JSON.parse(line) as { grpc: string; http: string };
        this.#address = grpc;
        this.#httpAddress = http;
        resolve();
      };
      for (const stream of [this.#child.stdout, this.#child.stderr]) {
        if (stream !== null) createInterface({ input: stream }).on('line', read);
      }
      this.#child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${this.output}`)));
    });
  }
}

/** Typed clients of one server over one connection. */
export class TestClient {
  readonly #channel: Channel;
  readonly #factory = createClientFactory().use(errorDetailsClientMiddleware);

  constructor(address: string, options: Record<string, string | number> = {}) {
    this.#channel = createChannel(address, undefined, { 'grpc-node.flow_control_window': 1024 * 1024, ...options });
  }

  get events(): Client<typeof EventServiceDefinition> {
    return this.of(EventServiceDefinition);
  }

  get streams(): Client<typeof StreamServiceDefinition> {
    return this.of(StreamServiceDefinition);
  }

  get consumers(): Client<typeof ConsumerServiceDefinition> {
    return this.of(ConsumerServiceDefinition);
  }

  of<D extends CompatServiceDefinition>(definition: D): Client<D> {
    return this.#factory.create(definition, this.#channel);
  }

  close(): void {
    this.#channel.close();
  }
}
