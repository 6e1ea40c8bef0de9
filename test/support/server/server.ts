// Servers for tests: in this process, for most of them, and as a process of their own where a test kills or freezes one.

import type { CompatServiceDefinition } from 'nice-grpc';
import { type Channel, type Client, createChannel, createClientFactory } from 'nice-grpc';
import { errorDetailsClientMiddleware } from 'nice-grpc-error-details';
import { pino } from 'pino';
import { AdminServiceDefinition } from '../../../generated/madeleine/v1/admin_service.js';
import { CawinServiceDefinition } from '../../../generated/madeleine/v1/cawin_service.js';
import { ConsumerServiceDefinition } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../../generated/madeleine/v1/stream_service.js';
import { TopicServiceDefinition } from '../../../generated/madeleine/v1/topic_service.js';
import { App, type AppOptions } from '../../../src/app/app.js';
import { OPTIONS, type OptionName, readConfig } from '../../../src/config.js';
import { TestProcess } from './process.js';

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
export async function startServer(
  settings: TestSettings,
  options: Pick<AppOptions, 'clock' | 'retryPolicy'> & { readonly logged?: string[] } = {},
): Promise<TestServer> {
  const config = readConfig({ ...FREE_PORTS, drainMs: '500', ...settings }, {});
  const { logged, ...rest } = options;
  const logger =
    logged === undefined
      ? pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })
      : pino(
          { level: 'debug' },
          {
            write(line: string) {
              logged.push(line);
              if (process.env.TEST_LOG_LEVEL !== undefined) process.stderr.write(line);
            },
          },
        );
  const app = new App({ config, logger, ...rest });
  const { grpc, http } = await app.start();
  return { address: grpc, httpAddress: http, stop: () => app.stop() };
}

/** A server in a process of its own. */
export class ServerProcess implements TestServer {
  readonly #process: TestProcess;
  readonly address: string;
  readonly httpAddress: string;

  private constructor(process: TestProcess, addresses: { grpc: string; http: string }) {
    this.#process = process;
    this.address = addresses.grpc;
    this.httpAddress = addresses.http;
  }

  /** Resolves when it prints `listening`; rejects with its output when it ends before. */
  static async start(settings: TestSettings): Promise<ServerProcess> {
    const config = readConfig({ ...FREE_PORTS, drainMs: '500', ...settings }, {});
    const names = Object.keys(OPTIONS) as OptionName[];
    const environment = Object.fromEntries(names.map((name) => [OPTIONS[name].variable, String(config[name])]));
    const child = new TestProcess({ file: 'src/main.ts', arguments: ['serve'], environment });
    const [line] = await child.printed(/^.*"msg":"listening".*$/m, 60_000);
    return new ServerProcess(child, JSON.parse(line) as { grpc: string; http: string });
  }

  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** What it printed so far. */
  get output(): string {
    return this.#process.output;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM; resolves when the process is gone. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    await this.#process.end(signal);
  }
}

/** Typed clients of one server over one connection of their own. */
export class TestClient {
  readonly #channel: Channel;
  readonly #factory = createClientFactory().use(errorDetailsClientMiddleware);

  constructor(address: string, options: Record<string, string | number> = {}) {
    this.#channel = createChannel(address, undefined, {
      'grpc-node.flow_control_window': 1024 * 1024,
      // Clients of one address share a connection otherwise, and what one of them does to it.
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  get events(): Client<typeof EventServiceDefinition> {
    return this.of(EventServiceDefinition);
  }

  get streams(): Client<typeof StreamServiceDefinition> {
    return this.of(StreamServiceDefinition);
  }

  get topics(): Client<typeof TopicServiceDefinition> {
    return this.of(TopicServiceDefinition);
  }

  get consumers(): Client<typeof ConsumerServiceDefinition> {
    return this.of(ConsumerServiceDefinition);
  }

  get cawins(): Client<typeof CawinServiceDefinition> {
    return this.of(CawinServiceDefinition);
  }

  get admin(): Client<typeof AdminServiceDefinition> {
    return this.of(AdminServiceDefinition);
  }

  of<D extends CompatServiceDefinition>(definition: D): Client<D> {
    return this.#factory.create(definition, this.#channel);
  }

  close(): void {
    this.#channel.close();
  }
}
