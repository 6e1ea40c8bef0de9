#!/usr/bin/env node
// argv to a command; exit codes; nothing else.

import { pino } from 'pino';
import { App } from './app.js';
import { runCli } from './cli/program.js';
import type { Config } from './config.js';

/** Serves until SIGTERM or SIGINT; a second one ends the process at once. */
async function serve(config: Config): Promise<void> {
  const logger = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const app = new App({ config, logger });
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
  await app.start();
  const signal = await told;
  logger.info({ signal }, 'stopping');
  await app.stop();
  logger.info({}, 'stopped');
}

process.exitCode = await runCli(process.argv.slice(2), {
  serve,
  migrate: async () => ({ version: 0, applied: [] }),
  doctor: async () => [],
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
