// The server that a demo talks to: the one that runs already, or one of its own with a temporary data directory.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createChannel, waitForChannelReady } from 'nice-grpc';
import { OPTIONS } from '../src/config.js';

const COMMAND = fileURLToPath(new URL('../bin/madeleine', import.meta.url));
const PROBE_MS = 500;
const START_MS = 120_000;

export interface DemoServer {
  readonly address: string;
  /** Data directory of a server that the demo started; undefined for one that ran already. */
  readonly dataDir: string | undefined;
  /** Ends a server that the demo started, and removes its data. */
  stop(): Promise<void>;
}

/** The server at MADELEINE_SERVER, else the one at the default address, else one of our own. */
export async function findOrStartServer(): Promise<DemoServer> {
  const named = process.env.MADELEINE_SERVER;
  if (named !== undefined && named !== '') return running(named);
  if (await answers(OPTIONS.listen.default)) return running(OPTIONS.listen.default);
  return startServer();
}

/** The server at MADELEINE_SERVER, else one of our own with these settings: for what a server has to be told to allow. */
export async function namedOrOwnServer(settings: Readonly<Record<string, string>>): Promise<DemoServer> {
  const named = process.env.MADELEINE_SERVER;
  return named !== undefined && named !== '' ? running(named) : startServer(settings);
}

function running(address: string): DemoServer {
  return { address, dataDir: undefined, stop: async () => undefined };
}

async function answers(address: string): Promise<boolean> {
  const channel = createChannel(address);
  try {
    await waitForChannelReady(channel, new Date(Date.now() + PROBE_MS));
    return true;
  } catch {
    return false;
  } finally {
    channel.close();
  }
}

async function startServer(settings: Readonly<Record<string, string>> = {}): Promise<DemoServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'madeleine-demo-'));
  const environment = { ...process.env, MADELEINE_DATABASE_URL: '', MADELEINE_DATA_DIR: dataDir };
  const ports = { MADELEINE_LISTEN: '127.0.0.1:0', MADELEINE_HTTP_LISTEN: '127.0.0.1:0' };
  const env = { ...environment, ...ports, ...settings };
  const child = spawn(COMMAND, ['serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    return { address: await listeningAddress(child), dataDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The gRPC address of the line `listening`. The lines after it are read and dropped, so that the pipe never fills. */
async function listeningAddress(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server did not start within ${START_MS / 1000} s`)), START_MS);
    timer.unref();
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code} before it listened`)));
    child.once('error', reject);
    lines.on('line', (line) => {
      const address = grpcAddress(line);
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}

function grpcAddress(line: string): string | undefined {
  try {
    const fields = JSON.parse(line) as { readonly msg?: string; readonly grpc?: string };
    return fields.msg === 'listening' ? fields.grpc : undefined;
  } catch {
    return undefined;
  }
}
