#!/usr/bin/env node
// argv to a command, signals, exit codes.

import { pino } from 'pino';
import { App } from './app/app.js';
import { inspectServerSide, migrateSchema } from './app/migrate-and-doctor.js';
import { runCli } from './cli/commands/program.js';
import type { Config } from './config.js';

function createLogger(config: Config, destination: 1 | 2) {
  const options = { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, pino.destination({ dest: destination, sync: true }));
}

/** Serves until SIGTERM or SIGINT. Further signals change nothing: to die at once would leave the database running. */
async function serve(config: Config): Promise<void> {
  const logger = createLogger(config, 1);
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal));
  });
  const app = new App({ config, logger });
  await Promise.race([app.start(), told]);
  logger.info({ signal: await told }, 'stopping');
  await app.stop();
  logger.info({}, 'stopped');
}

/** Commands that answer on stdout log only what is wrong, to stderr. */
function maintenance(config: Config) {
  return { config, logger: createLogger({ ...config, logLevel: 'warn' }, 2), nowMs: Date.now };
}

process.exitCode = await runCli(process.argv.slice(2), {
  serve,
  migrate: (config) => migrateSchema(maintenance(config)),
  doctor: (config) => inspectServerSide(maintenance(config)),
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
