// The processes of a benchmark: the server, run from the build as in production, and the no-op server.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Running {
  readonly address: string;
  readonly httpAddress: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a module and waits until it says where it listens. */
async function startModule(
  module: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Running> {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child = fork(path, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: module.endsWith('.ts') ? ['--import', 'tsx'] : [],
  });
  const { grpc, http } = await listening(child);
  return {
    address: grpc,
    httpAddress: http,
    pid: child.pid as number,
    stop: async () => {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function listening(child: ChildProcess): Promise<{ grpc: string; http: string }> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const line = output.split('\n').find((text) => text.includes('"listening"'));
      if (line !== undefined) resolve(JSON.parse(line) as { grpc: string; http: string });
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it listened: ${output}`)));
  });
}

export function startServer(databaseUrl: string): Promise<Running> {
  return startModule('../../dist/src/main.js', ['serve'], {
    MADELEINE_DATABASE_URL: databaseUrl,
    MADELEINE_LISTEN: '127.0.0.1:0',
    MADELEINE_HTTP_LISTEN: '127.0.0.1:0',
    MADELEINE_LOG_LEVEL: 'info',
  });
}

export function startNoop(): Promise<Running> {
  return startModule('./noop-server.ts', []);
}
