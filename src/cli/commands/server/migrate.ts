// `madeleine migrate`: brings the schema of the database up to date, and says what it did.

import type { Command } from 'commander';
import type { CliDeps, MigrationReport } from '../../deps.js';
import { Output } from '../../text/output.js';
import { configCommand, DATABASE_SETTINGS } from './config-options.js';

const HELP = `
A server migrates at its start by itself; this is for those who want to do it before.

Examples:
  $ madeleine migrate --database-url mysql://madeleine:secret@db.internal:3306/madeleine`;

export function migrateCommand(deps: CliDeps): Command {
  const command = { name: 'migrate', summary: 'bring the schema of the database up to date', heeds: DATABASE_SETTINGS };
  return configCommand(command, deps, async (config, flags) => {
    const output = new Output({ stdout: deps.stdout, stderr: deps.stderr, json: flags.json === true });
    const report = await deps.migrate(config);
    await output.line(output.json ? JSON.stringify(report) : reportText(report));
  })
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP);
}

function reportText({ version, applied }: MigrationReport): string {
  if (applied.length === 0) return `the schema is up to date (version ${version})`;
  return `the schema is at version ${version} now; applied: ${applied.join(', ')}`;
}
