#!/usr/bin/env node
// argv to a command, signals, exit codes.

import { pino } from 'pino';
import { App } from './app/app.js';
import { inspectServerSide, migrateSchema } from './app/migrate-and-doctor.js';
import { ProcessLines } from './app/process-lines.js';
import { runCli } from './cli/commands/program.js';
import type { Config } from './config.js';

const SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;
type Signal = keyof typeof SIGNALS;

/** A stop that lasts longer is broken off: whoever sent the signal counts on ten seconds. */
const STOP_MS = 9_500;
/** Ctrl-C reaches a process twice where it runs below npm or make; only what comes later is a second one. */
const SAME_SIGNAL_MS = 250;

function createLogger(config: Config, destination: 1 | 2) {
  const options = { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, pino.destination({ dest: destination, sync: true }));
}

function onSignals(listener: (signal: Signal) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal));
}

/**
 * Serves until SIGTERM or SIGINT, which also gives up a start. A second signal, or a stop that takes too long, ends the process at once,
 * and the embedded database with it: it recovers from that.
 */
async function serve(config: Config): Promise<void> {
  const logger = createLogger(config, 1);
  new ProcessLines(logger).take();
  const killed = new AbortController();
  const app = new App({ config, logger, killed: killed.signal });
  const breakOff = (why: string) => {
    logger.warn({ why }, 'ended at once');
    killed.abort();
    process.exit(1);
  };
  const told = new Promise<Signal>((resolve) => {
    let firstMs: number | undefined;
    onSignals((signal) => {
      if (firstMs !== undefined && performance.now() - firstMs > SAME_SIGNAL_MS) breakOff(`a second signal, ${signal}`);
      firstMs ??= performance.now();
      resolve(signal);
    });
  });
  await Promise.race([app.start(), told]);
  logger.info({ signal: await told }, 'stopping');
  setTimeout(() => breakOff(`not stopped after ${STOP_MS / 1000} s`), STOP_MS).unref();
  await app.stop();
  logger.info({}, 'stopped');
}

/** Commands that answer on stdout log only what is wrong, to stderr. A signal ends them at once. */
function maintenance(config: Config) {
  const killed = new AbortController();
  onSignals((signal) => {
    killed.abort();
    process.exit(SIGNALS[signal]);
  });
  const logger = createLogger({ ...config, logLevel: 'warn' }, 2);
  return { config, logger, nowMs: Date.now, killed: killed.signal };
}

const code = await runCli(process.argv.slice(2), {
  serve,
  migrate: (config) => migrateSchema(maintenance(config)),
  doctor: (config, wish) => inspectServerSide({ ...maintenance(config), ...wish }),
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
// What was given up on, such as a connection that nobody answers, does not keep the process.
process.exit(code);
